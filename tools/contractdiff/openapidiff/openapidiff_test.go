package openapidiff

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/cputime"
)

func opened(t *testing.T, text string, more map[string]string) *Document {
	t.Helper()
	fsys := fstest.MapFS{"api/openapi.yaml": {Data: []byte(text), Mode: 0o444}}
	for name, text := range more {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o444}
	}
	s, err := input.In(fsys, "api/openapi.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Load(s, "api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const header = "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths:\n"

// document returns a document with n paths of eight lines.
func document(n int, extra string) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "  /things/%d:\n    get:\n      operationId: get%d\n      parameters:\n        - {name: q, in: query, schema: {type: string}%s}\n      responses:\n        '200':\n          description: A thing.\n", i, i, extra)
	}
	return b.String()
}

// TestEveryFinding compares with what oasdiff's own checker finds: none is lost, none is made up.
func TestEveryFinding(t *testing.T) {
	former := opened(t, document(4, ""), nil)
	next := opened(t, document(2, ", required: true")+"  /things/2:\n    get: {operationId: get2, responses: {'200': {description: A thing.}}}\n  /new:\n    get: {operationId: new, responses: {'200': {description: D.}}}\n", nil)
	changes, operations, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), former.spec, next.spec)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	levels := map[finding.Level]int{}
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(checker.NewConfig(checker.GetAllChecks()), changes, operations, checker.INFO) {
		want = append(want, c.GetId()+" "+map[checker.Level]string{checker.ERR: "breaking", checker.WARN: "warning", checker.INFO: "info"}[c.GetLevel()])
	}
	found, err := Compare(former, next)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		got = append(got, f.ID+" "+f.Level.String())
		levels[f.Level]++
		if f.File != "api/openapi.yaml" || f.Kind != Kind || f.Message == "" {
			t.Errorf("%+v", f)
		}
	}
	if !slices.Equal(got, want) || levels[finding.Breaking] == 0 || levels[finding.Warning] == 0 || levels[finding.Info] == 0 {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	if len(finding.Merge(found)) != len(found) {
		t.Error("merging loses findings")
	}
}

// TestReferences reads a part of a document from another file.
func TestReferences(t *testing.T) {
	doc := header + "  /a:\n    get: {operationId: a, responses: {'200': {description: D., content: {application/json: {schema: {$ref: '../shared/s.yaml#/S'}}}}}}\n"
	former := opened(t, doc, map[string]string{"shared/s.yaml": "S: {type: object, required: [a], properties: {a: {type: string}}}\n"})
	next := opened(t, doc, map[string]string{"shared/s.yaml": "S: {type: object, properties: {a: {type: string}}}\n"})
	found, err := Compare(former, next)
	if err != nil || !slices.ContainsFunc(found, func(f finding.Finding) bool {
		return f.ID == "response-property-became-optional" && f.Level == finding.Breaking
	}) {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestLargeDocuments compares two documents of more than 20,000 lines, whose paths all differ.
func TestLargeDocuments(t *testing.T) {
	former, next := document(2600, ""), document(2600, ", required: true")
	if lines := strings.Count(former, "\n"); lines < 20_000 {
		t.Fatalf("%d lines", lines)
	}
	begin := cputime.Used(t)
	found, err := Compare(opened(t, former, nil), opened(t, next, nil))
	took := cputime.Used(t) - begin
	t.Logf("%d findings in %v of processor", len(found), took)
	if err != nil || len(found) < 2600 {
		t.Errorf("%d findings, %v", len(found), err)
	}
	if took > 3*time.Second { // three times what it takes, for a busy machine
		t.Errorf("it took %v of processor", took)
	}
}

// TestBrokenDocument holds that what the library refuses is refused with its place.
func TestBrokenDocument(t *testing.T) {
	for name, c := range map[string]struct{ paths, want string }{
		"a reference to nothing": {"  /a:\n    get: {responses: {'200': {description: D., content: {application/json: {schema: {$ref: '#/components/schemas/Gone'}}}}}}\n", "api/openapi.yaml:5:"},
		"an unused reference":    {"  {}\ncomponents: {schemas: {A: {$ref: '#/components/schemas/Gone'}}}\n", "api/openapi.yaml:5:"},
		"a number as a path":     {"  /a: 5\n", "api/openapi.yaml:4:7: "},
		"a number as a text":     {"  /a:\n    get: {operationId: 5, responses: {}}\n", "api/openapi.yaml:5:24: "},
		"a text as a bound":      {"  {}\ncomponents: {schemas: {A: {maxLength: long}}}\n", "api/openapi.yaml:5:39: "},
		"a list as a schema":     {"  {}\ncomponents: {schemas: {A: [1]}}\n", "api/openapi.yaml:5:27: "},
		"a huge number":          {"  {}\ncomponents: {schemas: {A: {minimum: 1e999}}}\n", "api/openapi.yaml:5:37: "},
	} {
		s, err := input.In(fstest.MapFS{"api/openapi.yaml": {Data: []byte(header + c.paths), Mode: 0o444}}, "api/openapi.yaml", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load(s, "api/openapi.yaml"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNamesInOtherCase holds that members are read as encoding/json does, which ignores case.
func TestNamesInOtherCase(t *testing.T) {
	former := opened(t, header+"  /a:\n    get: {operationId: a, Parameters: [{name: q, in: query, schema: {type: string}}], responses: {'200': {description: D.}}}\n", nil)
	if list := former.spec.Spec.Paths.Value("/a").Get.Parameters; len(list) != 1 || list[0].Value.Name != "q" {
		t.Errorf("%v", list)
	}
}
