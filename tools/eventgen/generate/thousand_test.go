package generate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// thousand is a document of that many messages, twenty to a channel, each with an Avro record of its own.
func thousand(messages int) fstest.MapFS {
	var channels, operations, components strings.Builder
	for i := range messages {
		if c := i / 20; i%20 == 0 {
			fmt.Fprintf(&channels, "  channel%d:\n    address: topic.%d.v1\n    messages:\n", c, c)
			fmt.Fprintf(&operations, "  publish%d:\n    action: send\n    channel: {$ref: '#/channels/channel%d'}\n", c, c)
		}
		fmt.Fprintf(&channels, "      Happened%d: {$ref: '#/components/messages/Happened%d'}\n", i, i)
		fmt.Fprintf(&components, `    Happened%d:
      bindings: {kafka: {key: {type: string}}}
      payload:
        schemaFormat: application/vnd.apache.avro+yaml;version=1.12.0
        schema:
          type: record
          name: Happened%d
          namespace: thousand.event
          fields:
            - {name: ref, type: string}
            - {name: version, type: long}
            - {name: note, type: [null, string], default: null}
            - {name: at, type: {type: long, logicalType: timestamp-micros}}
            - {name: amount, type: {type: bytes, logicalType: decimal, precision: 12, scale: 2}}
            - {name: kind, type: {type: enum, name: Kind%d, symbols: [A, B, C]}}
            - {name: lines, type: {type: array, items: {type: record, name: Line%d, fields: [{name: sku, type: string}, {name: quantity, type: int}]}}}
            - {name: either, type: [string, long, Line%d]}
`, i, i, i, i, i)
	}
	doc := "asyncapi: 3.0.0\ninfo: {title: Thousand, version: 1.0.0}\nchannels:\n" + channels.String() + "operations:\n" + operations.String() + "components:\n  messages:\n" + components.String()
	return fstest.MapFS{"thousand.asyncapi.yaml": {Data: []byte(doc)}}
}

var thousandConfig = Config{ImportPath: "example.com/thousand/gen", Documents: []string{"thousand.asyncapi.yaml"}}

// BenchmarkThousandMessages is the time that a document of 1,000 messages takes: aim under 2 s.
func BenchmarkThousandMessages(b *testing.B) {
	fsys := thousand(1000)
	for b.Loop() {
		if _, ds := Generate(fsys, thousandConfig); ds.HasErrors() {
			b.Fatal(ds.Error())
		}
	}
}

var compiled = flag.Int("messages", 40, "messages of the document that TestLargeDocumentCompiles compiles; 1000 take a minute and more")

// TestLargeDocumentCompiles builds what a large document gives, in a module that has this one as its only dependency.
func TestLargeDocumentCompiles(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles many packages")
	}
	files, ds := Generate(thousand(*compiled), thousandConfig)
	if ds.HasErrors() {
		t.Fatal(ds.Error())
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod = bytes.Replace(mod, []byte("module github.com/deferpay/deferpay"), []byte("module example.com/thousand"), 1)
	mod = fmt.Appendf(mod, "\nrequire github.com/deferpay/deferpay v0.0.0\n\nreplace github.com/deferpay/deferpay => %s\n", root)
	dir := t.TempDir()
	all := map[string][]byte{"go.mod": mod, "go.sum": sum}
	for name, src := range files {
		all["gen/"+name] = src
	}
	for name, data := range all {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%.4000s", err, out)
	}
	t.Logf("%d files compile", len(files))
}
