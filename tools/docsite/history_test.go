package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMeaningOfSteps(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	a, b := `{"name":"a","type":"int"}`, `{"name":"b","type":"int"}`
	for name, tt := range map[string]struct{ former, next, want string }{
		"optional field": {record(a), record(a + `,{"name":"b","type":"int","default":0}`), "each schema reads what the other one writes"},
		"required field": {record(a), record(a + "," + b), "the new schema does not read what was written before: "},
		"field is gone":  {record(a + "," + b), record(a), "the former schema does not read what is written now, so readers are deployed first: "},
		"description":    {record(a), record(`{"name":"a","type":"int","doc":"D."}`), "nothing changed for data"},
		"unit of a time": {record(`{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}`), record(`{"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}}`), "means something else: another logical type at a"},
		"unit beside a field": {
			record(`{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}`),
			record(`{"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"b","type":"int","default":0}`),
			"means something else: another logical type at a",
		},
		"unit of a union":    {record(`{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}`), record(`{"name":"a","type":["null",{"type":"long","logicalType":"timestamp-micros"}]}`), "another logical type at a"},
		"broken on one side": {record(a), record(`{"name":"a","type":"string"}`), "TYPE_MISMATCH"},
	} {
		step, err := meaning(tt.former, tt.next)
		if text := strings.Join(step, "\n"); err != nil || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, %v, want %q", name, text, err, tt.want)
		}
	}
}

// TestHistory reads a folder with two releases, of which the first one lacks a schema.
func TestHistory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"released/0.9.0/avro/A.avsc":  `{"type":"record","name":"A","fields":[]}`,
		"released/0.10.0/avro/A.avsc": `{"type":"record","name":"A","fields":[{"name":"f","type":"int","default":1}]}`,
		"released/0.10.0/avro/B.avsc": `{"type":"record","name":"B","fields":[]}`,
		"avro/A.avsc":                 `{"type":"record","name":"A","fields":[{"name":"f","type":"int","default":1}]}`,
		"avro/B.avsc":                 `{"type":"record","name":"B","fields":[{"name":"g","type":"int"}]}`,
		"log/x/versions/C.json":       `[{"type":"record","name":"C","fields":[{"name":"h","type":"int"}]},{"type":"record","name":"C","fields":[]}]`,
		"avro/D.avsc":                 `{"type":"record","name":"D","fields":[]}`,
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range all {
		for _, v := range h.Versions {
			got = append(got, h.Name+" of "+h.Of+" "+v.Label+" "+strings.Join(v.Step, "; "))
		}
	}
	want := []string{
		"A of topics release 0.9.0 ",
		"A of topics release 0.10.0, present new: f; each schema reads what the other one writes",
		"B of topics release 0.10.0 ",
		"B of topics present new: g; the new schema does not read what was written before: ",
		"C of the log of x version 1 ",
		"C of the log of x version 2, present gone: h; the former schema does not read what is written now, so readers are deployed first: ",
		"D of topics present ",
	}
	for i, text := range got {
		if i >= len(want) || !strings.HasPrefix(text, want[i]) {
			t.Errorf("%d: %s", i, text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d versions, want %d: %q", len(got), len(want), got)
	}
}

// TestHistoryOnSite holds every schema and every body of a log on its page.
func TestHistoryOnSite(t *testing.T) {
	page := string(site(t)["history.html"])
	files, err := filepath.Glob(specs + "/avro/*.avsc")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".avsc"); strings.Count(page, `id="schema-`+name+`"`) != 1 {
			t.Errorf("%s is not there once", name)
		}
	}
	if n := strings.Count(page, "version 2"); n < 3 {
		t.Errorf("%d bodies have a second version", n)
	}
}
