package generate

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// payloads are the payloads of the messages of thousand, by format. Each message has types of its
// own, with its number in place of #.
var payloads = map[string]string{
	"avro": `
        schemaFormat: application/vnd.apache.avro+yaml;version=1.12.0
        schema:
          type: record
          name: Happened#
          namespace: thousand.event
          fields:
            - {name: ref, type: string}
            - {name: version, type: long}
            - {name: note, type: [null, string], default: null}
            - {name: at, type: {type: long, logicalType: timestamp-micros}}
            - {name: amount, type: {type: bytes, logicalType: decimal, precision: 12, scale: 2}}
            - {name: kind, type: {type: enum, name: Kind#, symbols: [A, B, C]}}
            - {name: lines, type: {type: array, items: {type: record, name: Line#, fields: [{name: sku, type: string}, {name: quantity, type: int}]}}}
            - {name: either, type: [string, long, Line#]}
`,
	"json": `
        type: object
        required: [ref, version, at, lines]
        additionalProperties: false
        properties:
          ref: {type: string, pattern: '^R-[0-9]+$'}
          version: {type: integer, minimum: 1}
          note: {type: [string, 'null']}
          at: {type: string, format: date-time}
          amount: {type: number, multipleOf: 0.01}
          kind: {type: string, enum: [A, B, C]}
          lines: {type: array, maxItems: 100, items: {type: object, title: Line#, required: [sku], properties: {sku: {type: string}, quantity: {type: integer}}}}
          either: {oneOf: [{type: string}, {type: integer}]}
`,
}

// thousand returns a document with many messages, twenty on each channel.
func thousand(messages int, payload string) fstest.MapFS {
	var channels, operations, components strings.Builder
	for i := range messages {
		if c := i / 20; i%20 == 0 {
			fmt.Fprintf(&channels, "  channel%d:\n    address: topic.%d.v1\n    messages:\n", c, c)
			fmt.Fprintf(&operations, "  publish%d:\n    action: send\n    channel: {$ref: '#/channels/channel%d'}\n", c, c)
		}
		fmt.Fprintf(&channels, "      Happened%d: {$ref: '#/components/messages/Happened%d'}\n", i, i)
		fmt.Fprintf(&components, "    Happened%d:\n      bindings: {kafka: {key: {type: string}}}\n      payload:%s", i, strings.ReplaceAll(payload, "#", fmt.Sprint(i)))
	}
	doc := "asyncapi: 3.0.0\ninfo: {title: Thousand, version: 1.0.0}\nchannels:\n" + channels.String() + "operations:\n" + operations.String() + "components:\n  messages:\n" + components.String()
	return fstest.MapFS{"thousand.asyncapi.yaml": {Data: []byte(doc)}}
}

var thousandConfig = Config{ImportPath: "example.com/thousand/gen", Documents: []string{"thousand.asyncapi.yaml"}}

// BenchmarkThousandMessages generates from a document of 1,000 messages, which should take less
// than 2 s.
func BenchmarkThousandMessages(b *testing.B) {
	for format, payload := range payloads {
		b.Run(format, func(b *testing.B) {
			fsys := thousand(1000, payload)
			for b.Loop() {
				if _, ds := Generate(fsys, thousandConfig); ds.HasErrors() {
					b.Fatal(ds.Error())
				}
			}
		})
	}
}

var compiled = flag.Int("messages", 40, "number of messages in TestLargeDocumentCompiles; 1000 take more than a minute")

// TestLargeDocumentCompiles type-checks the code of a large document. The full form builds it in a
// module that has this one as its only dependency.
func TestLargeDocumentCompiles(t *testing.T) {
	for format, payload := range payloads {
		t.Run(format, func(t *testing.T) {
			files, ds := Generate(thousand(*compiled, payload), thousandConfig)
			if ds.HasErrors() {
				t.Fatal(ds.Error())
			}
			if !fulltest.Requested() {
				compiles(t, thousandConfig.ImportPath, files)
				return
			}
			below := map[string][]byte{}
			for name, src := range files {
				below["gen/"+name] = src
			}
			if out, err := typechecktest.Go(t, typechecktest.Module(t, "example.com/thousand", below), "build", "./..."); err != nil {
				t.Fatalf("%v\n%.4000s", err, out)
			}
			t.Logf("%d files compile", len(files))
		})
	}
}
