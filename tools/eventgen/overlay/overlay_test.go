package overlay

import (
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

func parsed(t *testing.T, file, text string) *source.Node {
	t.Helper()
	n, diags := source.Parse(file, []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return n
}

// TestApply applies actions to one document. Expected is the document in JSON.
func TestApply(t *testing.T) {
	const document = `{"info":{"title":"T","tags":["a","b","c"]},"channels":{"x":{"n":1},"y":{"n":2}}}`
	for name, k := range map[string]struct{ actions, want string }{
		"merge": {`[{"target":"$.info","update":{"title":"U","contact":{"name":"N"}}}]`,
			`{"info":{"title":"U","tags":["a","b","c"],"contact":{"name":"N"}},"channels":{"x":{"n":1},"y":{"n":2}}}`},
		"join lists": {`[{"target":"$.info","update":{"tags":["d"]}}]`,
			`{"info":{"title":"T","tags":["a","b","c","d"]},"channels":{"x":{"n":1},"y":{"n":2}}}`},
		"append": {`[{"target":"$.info.tags","update":"d"}]`,
			`{"info":{"title":"T","tags":["a","b","c","d"]},"channels":{"x":{"n":1},"y":{"n":2}}}`},
		"every": {`[{"target":"$.channels.*","update":{"n":3}}]`,
			`{"info":{"title":"T","tags":["a","b","c"]},"channels":{"x":{"n":3},"y":{"n":3}}}`},
		"remove members": {`[{"target":"$.channels.x","remove":true},{"target":"$.info.title","remove":true}]`,
			`{"info":{"tags":["a","b","c"]},"channels":{"y":{"n":2}}}`},
		"remove items": {`[{"target":"$.info.tags[0,2]","remove":true}]`,
			`{"info":{"title":"T","tags":["b"]},"channels":{"x":{"n":1},"y":{"n":2}}}`},
		"remove all items": {`[{"target":"$.info.tags[*]","remove":true}]`,
			`{"info":{"title":"T","tags":[]},"channels":{"x":{"n":1},"y":{"n":2}}}`},
		"remove wins": {`[{"target":"$.channels","remove":true,"update":{"z":{}}}]`, `{"info":{"title":"T","tags":["a","b","c"]}}`},
		"filter":      {`[{"target":"$.channels[?@.n == 2]","remove":true}]`, `{"info":{"title":"T","tags":["a","b","c"]},"channels":{"x":{"n":1}}}`},
		"one after the other": {`[{"target":"$.info","update":{"x":{}}},{"target":"$.info.x","update":{"y":1}}]`,
			`{"info":{"title":"T","tags":["a","b","c"],"x":{"y":1}},"channels":{"x":{"n":1},"y":{"n":2}}}`},
	} {
		var diags diag.List
		root := parsed(t, "doc.json", document)
		o := Parse(parsed(t, "overlay.json", `{"overlay":"1.0.0","info":{},"actions":`+k.actions+`}`), &diags)
		got := o.Apply(root, &diags)
		o.Unused(&diags)
		if string(got.JSON()) != k.want || len(diags) > 0 {
			t.Errorf("%s:\n%s, want\n%s\n%v", name, got.JSON(), k.want, diags)
		}
		if string(root.JSON()) != document {
			t.Errorf("%s changed the document itself: %s", name, root.JSON())
		}
	}
}

// TestReferencesAreTheDocuments checks where the references of an update lead from.
func TestReferencesAreTheDocuments(t *testing.T) {
	var diags diag.List
	o := Parse(parsed(t, "own/overlay.yaml", "overlay: 1.0.0\nactions: [{target: $.a, update: {b: {$ref: x.avsc}}}]\n"), &diags)
	ref := o.Apply(parsed(t, "specs/doc.yaml", "a: {}\n"), &diags).Get("a").Get("b").Get("$ref")
	if ref.File() != "specs/doc.yaml" || ref.Pos.File != "own/overlay.yaml" || ref.Pos.Line != 2 || len(diags) > 0 {
		t.Errorf("relative to %s, at %v: %v", ref.File(), ref.Pos, diags)
	}
}
