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

// TestLargeDocuments compares two documents of more than 20,000 lines.
func TestLargeDocuments(t *testing.T) {
	former, next := document(2600, ""), document(2600, ", required: true")
	if lines := strings.Count(former, "\n"); lines < 20_000 {
		t.Fatalf("%d lines", lines)
	}
	begin := time.Now()
	found, err := Compare(opened(t, former, nil), opened(t, next, nil))
	took := time.Since(begin)
	t.Logf("%d findings in %v", len(found), took)
	if err != nil || len(found) < 2600 {
		t.Errorf("%d findings, %v", len(found), err)
	}
	if took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
