package cli

import (
	"os"
	"strings"
	"testing"
)

const stored = `asyncapi: 3.0.0
info: {title: Store, version: 1.0.0}
channels:
  log:
    address: store.log.v1
    messages:
      Stored:
        payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: log/Stored.avsc}}
        bindings: {kafka: {schemaIdPayloadEncoding: avro-single-object}}
        x-versions: {$ref: log/versions/Stored.json}
`

func storedSchema(fields string) string {
	return `{"type": "record", "name": "Stored", "namespace": "x.log", "doc": "Kept.", "fields": [` + fields + "]}\n"
}

const (
	firstField  = `{"name": "ref", "type": "string"}`
	secondField = `{"name": "count", "type": "int", "default": 1}`
)

// store writes a document whose message has versions, none of which is kept.
func store(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "specs/asyncapi.yaml", stored)
	write(t, "specs/log/Stored.avsc", storedSchema(firstField))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// expect runs the command and compares its exit status and what it prints.
func expect(t *testing.T, wantStatus int, wantOut, wantErr string, args ...string) {
	t.Helper()
	status, stdout, stderr := run(args...)
	if status != wantStatus || stdout != wantOut || wantErr == "" && stderr != "" || !strings.Contains(stderr, wantErr) {
		t.Fatalf("eventgen %s: status %d, not %d\nstdout %q, not %q\nstderr %q, not %q", strings.Join(args, " "), status, wantStatus, stdout, wantOut, stderr, wantErr)
	}
}

func TestKeepVersions(t *testing.T) {
	store(t)
	const kept = "specs/log/versions/Stored.json"
	generate := []string{"generate", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml"}
	check := append([]string{"generate", "-check"}, generate[1:]...)
	keep := []string{"versions", "keep", "specs/asyncapi.yaml"}
	const refused = "specs/asyncapi.yaml:10:28: the present schema of message Stored is not among its versions\n  hint: run eventgen versions keep specs/asyncapi.yaml\n"

	expect(t, 1, "", refused, generate...)
	expect(t, 0, kept+": version 1 of message Stored\n", "", keep...)
	first := read(t, kept)
	want := `[
  {
    "type": "record",
    "name": "Stored",
    "namespace": "x.log",
    "doc": "Kept.",
    "fields": [{"name": "ref", "type": "string"}]
  }
]
`
	if first != want {
		t.Fatalf("kept\n%s\nwant\n%s", first, want)
	}
	before := listing(t, "specs")
	expect(t, 0, "", "", keep...)
	if after := listing(t, "specs"); after != before {
		t.Fatalf("a second run wrote\n%s\nbefore\n%s", after, before)
	}
	expect(t, 0, "", "", generate...)
	expect(t, 0, "", "", check...)

	write(t, "specs/log/Stored.avsc", storedSchema(firstField+", "+secondField))
	expect(t, 1, "", refused, check...)
	expect(t, 1, "", refused, generate...)
	expect(t, 0, kept+": version 2 of message Stored\n", "", keep...)
	if second := read(t, kept); !strings.HasPrefix(second, strings.TrimSuffix(first, "\n]\n")+",\n") {
		t.Fatalf("the first version was changed:\n%s", second)
	}
	expect(t, 1, "", "gen/log/stored.go: differs", check...)
	expect(t, 0, "", "", generate...)
	expect(t, 0, "", "", check...)

	write(t, "specs/log/Stored.avsc", storedSchema(firstField))
	expect(t, 0, "", "", keep...) // an earlier version has come back
	expect(t, 0, "", "", generate...)
}

func TestKeepNothingWithFault(t *testing.T) {
	store(t)
	expect(t, 0, "specs/log/versions/Stored.json: version 1 of message Stored\n", "", "versions", "keep", "specs/asyncapi.yaml")
	before := read(t, "specs/log/versions/Stored.json")
	write(t, "specs/log/Stored.avsc", storedSchema(firstField+`, {"name": "count", "type": "int"}`))
	expect(t, 1, "", "field count: it is missing in the writer's schema and has no default\n  hint: add a default\n", "versions", "keep", "specs/asyncapi.yaml")
	if after := read(t, "specs/log/versions/Stored.json"); after != before {
		t.Errorf("written in spite of a fault:\n%s", after)
	}
}

func TestKeepListInDocument(t *testing.T) {
	store(t)
	write(t, "specs/asyncapi.yaml", strings.Replace(stored, "{$ref: log/versions/Stored.json}", "[]", 1))
	expect(t, 1, "", "specs/asyncapi.yaml:10:21: the versions of message Stored are not listed in a file of their own\n  hint: move the list", "versions", "keep", "specs/asyncapi.yaml")
}

func TestVersionsUsage(t *testing.T) {
	store(t)
	expect(t, 2, "", "versions: write keep after it", "versions", "specs/asyncapi.yaml")
	expect(t, 2, "", "name at least one AsyncAPI document", "versions", "keep")
	if status, stdout, stderr := run("versions", "keep", "--help"); status != 0 || stderr != "" || !strings.Contains(stdout, "usage: eventgen versions keep") || !strings.Contains(stdout, "-allow-remote") {
		t.Errorf("--help: %d\n%s\n%s", status, stdout, stderr)
	}
}
