package jsonschema

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
)

// TestSuite runs the JSON Schema Test Suite for draft-07. The generated code must give the verdict
// of the suite for every schema that is not refused. If the type of a schema is implied by its
// keywords, the verdict is that of its text, which has the type.
func TestSuite(t *testing.T) {
	dir := os.Getenv("EVENTGEN_SUITE")
	if dir == "" {
		t.Skip("set EVENTGEN_SUITE to the folder tests/draft7 of the JSON Schema Test Suite")
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	all := map[string][]byte{}
	var table, imports bytes.Buffer
	taken, refused := 0, 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		root, faults := source.Parse(name, data)
		if faults.HasErrors() {
			t.Fatal(faults)
		}
		for i, c := range root.Items {
			var told diag.List
			s := NewSet(func(n *source.Node) *source.Node {
				found := local(c.Get("schema"), n)
				if found == nil {
					told.Errorf(n.Pos, "the reference leads out of the schema")
				}
				return found
			}, nil)
			r := s.AddRoot(c.Get("schema"), "Case")
			told.Add(s.Resolve()...)
			if told.HasErrors() {
				refused++
				t.Logf("%s: %s: %v", filepath.Base(name), c.Get("description").Str(), told)
				continue
			}
			taken++
			pkg := fmt.Sprintf("%s%d", strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(filepath.Base(name), ".json"), "-", "")), i)
			config := Config{ImportPath: "example.org/corpus", Package: pkg + "_case"}
			files, _, err := s.Emit(config)
			if err != nil {
				t.Errorf("%s: %v", pkg, err)
			}
			for f, src := range files {
				all[f] = src
			}
			fmt.Fprintf(&imports, "\t%q\n", "example.org/corpus/"+config.Package)
			for _, test := range c.Get("tests").Items {
				fmt.Fprintf(&table, "\t{%q, new(%s.%s), %q, %t},\n", filepath.Base(name)+": "+c.Get("description").Str()+": "+test.Get("description").Str(), config.Package, r.Name(),
					test.Get("data").JSON(), wanted(t, r, told, test))
			}
		}
	}
	t.Logf("%d schemas were accepted, %d refused", taken, refused)
	all["main.go"] = fmt.Appendf(nil, suiteMain, imports.String(), table.String())
	out, err := typechecktest.Go(t, typechecktest.Module(t, "example.org/corpus", all), "run", ".")
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%v", err)
	}
}

// local follows a reference inside a schema.
func local(root, n *source.Node) *source.Node {
	for range 50 {
		ref := n.Get("$ref")
		if ref == nil {
			return n
		}
		found, _, _ := root.Lookup(strings.TrimPrefix(ref.Value, "#"))
		if !strings.HasPrefix(ref.Value, "#") || found == nil {
			return nil
		}
		n = found
	}
	return nil
}

func wanted(t *testing.T, r *Root, told diag.List, test *source.Node) bool {
	t.Helper()
	if len(told) == 0 {
		return test.Get("valid").Value == "true"
	}
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft7)
	text, err := validator.UnmarshalJSON(strings.NewReader(r.SchemaText()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("file:///s", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("file:///s")
	if err != nil {
		t.Fatalf("%s: %v", r.SchemaText(), err)
	}
	return s.Validate(test.Get("data").Any()) == nil
}

const suiteMain = `package main

import (
	"fmt"
	"os"

%s	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

var cases = []struct {
	name  string
	value jsonvalue.Payload
	data  string
	valid bool
}{
%s}

func main() {
	bad := 0
	for _, c := range cases {
		err := c.value.DecodeJSON([]byte(c.data))
		if (err == nil) != c.valid {
			fmt.Printf("%%s: %%s: got %%v, want valid: %%t\n", c.name, c.data, err, c.valid)
			bad++
		}
		if err == nil {
			if _, err := c.value.AppendJSON(nil); err != nil {
				fmt.Printf("%%s: %%s was decoded and cannot be encoded: %%v\n", c.name, c.data, err)
				bad++
			}
		}
	}
	fmt.Printf("%%d of %%d cases are correct\n", len(cases)-bad, len(cases))
	if bad > 0 {
		os.Exit(1)
	}
}
`
