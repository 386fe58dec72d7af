package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const document = `asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
channels:
  as:
    address: as.v1
    messages:
      A:
        payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: A.avsc}}
        bindings: {kafka: {schemaIdPayloadEncoding: confluent}}
    bindings: {kafka: {partitions: 2, topicConfiguration: {retention.ms: -1}}}
operations:
  sendA: {action: send, channel: {$ref: '#/channels/as'}}
`

const schema = `{"type": "record", "name": "A", "namespace": "x.event", "fields": [{"name": "ref", "type": "string"}]}`

// run runs the command in the current folder.
func run(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = Run(args, &out, &err)
	return status, out.String(), err.String()
}

func folder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, "specs/asyncapi.yaml", document)
	write(t, "specs/A.avsc", schema)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listing returns the files below a folder with their times, to see what was written.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			out.WriteString(path + " " + info.ModTime().Format(time.RFC3339Nano) + "\n")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGenerateCheckAndStale(t *testing.T) {
	folder(t)
	generate := []string{"generate", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml"}
	check := append([]string{"generate", "-check"}, generate[1:]...)
	if status, _, stderr := run(check...); status != 1 || !strings.Contains(stderr, "gen/tbus/publisher.go: differs") {
		t.Fatalf("check before: %d\n%s", status, stderr)
	}
	if _, err := os.Stat("gen"); err == nil {
		t.Fatal("-check wrote")
	}
	if status, _, stderr := run(generate...); status != 0 || stderr != "" {
		t.Fatalf("generate: %d\n%s", status, stderr)
	}
	before := listing(t, "gen")
	if status, _, _ := run(generate...); status != 0 || listing(t, "gen") != before {
		t.Fatal("a second run wrote")
	}
	if status, _, stderr := run(check...); status != 0 || stderr != "" {
		t.Fatalf("check after: %d\n%s", status, stderr)
	}
	// The type gets another name, so its old file is removed. Files of other generators beside the
	// packages are left alone.
	write(t, "gen/api/own.go", "package api\n")
	write(t, "gen/.gitattributes", "* linguist-generated\n")
	write(t, "specs/A.avsc", strings.Replace(schema, `"A"`, `"B"`, 1))
	if status, _, stderr := run(check...); status != 1 || !strings.Contains(stderr, "gen/event/a.go: is no longer generated") {
		t.Fatalf("check of a change: %d\n%s", status, stderr)
	}
	if status, _, stderr := run(generate...); status != 0 {
		t.Fatalf("generate: %d\n%s", status, stderr)
	}
	after := listing(t, "gen")
	if strings.Contains(after, "gen/event/a.go") || !strings.Contains(after, "gen/event/b.go") || !strings.Contains(after, "gen/api/own.go") {
		t.Errorf("files:\n%s", after)
	}
}

func TestNothingWrittenWithFault(t *testing.T) {
	folder(t)
	write(t, "specs/other/asyncapi.yaml", "asyncapi: 2.6.0\n")
	status, _, stderr := run("generate", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml", "specs/other/asyncapi.yaml")
	if status != 1 || !strings.Contains(stderr, "specs/other/asyncapi.yaml:1:11: AsyncAPI 2.6.0 is not supported") || !strings.Contains(stderr, "  hint: ") {
		t.Errorf("%d\n%s", status, stderr)
	}
	if _, err := os.Stat("gen"); err == nil {
		t.Error("something was written")
	}
}

func TestFolderWithOtherFiles(t *testing.T) {
	cases := []struct{ name, path, want string }{
		{"a file to be overwritten", "gen/event/a.go", "eventgen did not write: gen/event/a.go"},
		{"a file in a package", "gen/event/own.go", "eventgen did not write: gen/event/own.go"},
		{"a test in a package", "gen/tbus/own_test.go", "eventgen did not write: gen/tbus/own_test.go"},
		{"a file in the folder itself", "gen/main.go", "eventgen did not write: gen/main.go"},
		{"a file that is not Go", "gen/notes.txt", "eventgen did not write: gen/notes.txt"},
		{"no folder", "gen", "not a directory"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder(t)
			write(t, c.path, "package event // mine\n")
			status, _, stderr := run("generate", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml")
			if status != 1 || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "  hint: ") {
				t.Errorf("%d\n%s", status, stderr)
			}
			if files := listing(t, "gen"); strings.Count(files, "\n") != 1 {
				t.Errorf("something was written:\n%s", files)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	folder(t)
	cases := []struct {
		args   string
		status int
		want   string
	}{
		{"", 2, "eventgen generate -out DIR"},
		{"help", 0, "Examples:"},
		{"--help", 0, "Examples:"},
		{"generat", 2, "did you mean generate?"},
		{"generate -help", 0, "-strict"},
		{"generate -out gen specs/asyncapi.yaml", 2, "needs -out and -import"},
		{"generate -out gen -import x", 2, "name at least one AsyncAPI document"},
		{"generate -out gen -import x -role broker specs/asyncapi.yaml", 2, "owner, client or both"},
		{"generate -out gen -import x specs/asyncapi.yaml -check", 2, "write flags before documents"},
		{"generate -nope", 2, "flag provided but not defined"},
		{"generate -out gen -import x nowhere.yaml", 1, "nowhere.yaml: there is no file nowhere.yaml"},
		{"generate -out gen -import x specs", 1, "specs is a folder"},
		{"generate -out gen -import a:b specs/asyncapi.yaml", 2, "as in example.com/shop/gen"},
		{"topics", 2, "topics: write apply or diff after it"},
		{"topics apply specs/asyncapi.yaml", 2, "needs -brokers"},
		{"topics -help", 0, "-brokers"},
		{"schemas register -help", 0, "-registry"},
		{"schemas check specs/asyncapi.yaml", 2, "needs -registry"},
		{"schemas check -registry here specs/asyncapi.yaml", 2, "http://host:port/path"},
		{"schemas check -registry http://127.0.0.1:1 specs/asyncapi.yaml", 1, "connection refused"},
	}
	for _, c := range cases {
		status, stdout, stderr := run(strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("eventgen %s: %d, want %d\n%s%s", c.args, status, c.status, stdout, stderr)
		}
	}
}

func TestTopics(t *testing.T) {
	folder(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	steps := []struct {
		verb   string
		status int
		want   string
	}{
		{"diff", 1, "topic as.v1 does not exist\n"},
		{"apply", 0, "created topic as.v1\n"},
		{"diff", 0, ""},
		{"apply", 0, ""},
	}
	for _, s := range steps {
		status, stdout, stderr := run("topics", s.verb, "-brokers", brokers, "specs/asyncapi.yaml")
		if status != s.status || stdout != s.want || stderr != "" {
			t.Errorf("%s: %d\n%s%s", s.verb, status, stdout, stderr)
		}
	}
	write(t, "specs/asyncapi.yaml", strings.Replace(document, "partitions: 2", "partitions: 1", 1))
	if status, _, stderr := run("topics", "apply", "-brokers", brokers, "specs/asyncapi.yaml"); status != 1 || !strings.Contains(stderr, "partitions is 2, the contract says 1") {
		t.Errorf("shrink: %d\n%s", status, stderr)
	}
}
