package generate

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// ownDocuments are the documents of this repository.
var ownDocuments = []string{"specs/contract/asyncapi.yaml", "specs/contract/internal.asyncapi.yaml", "specs/billing/asyncapi.yaml", "specs/billing/internal.asyncapi.yaml"}

// ownSpecs returns a copy of the files under specs, which a test may change.
func ownSpecs(t *testing.T) fstest.MapFS {
	t.Helper()
	out, root := fstest.MapFS{}, os.DirFS("../../..")
	err := fs.WalkDir(root, "specs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		out[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// replace replaces the first occurrence of old in a file.
func replace(t *testing.T, fsys fstest.MapFS, name, old, replacement string) {
	t.Helper()
	before, after, found := strings.Cut(string(fsys[name].Data), old)
	if !found {
		t.Fatalf("%s has no %q", name, old)
	}
	fsys[name] = &fstest.MapFile{Data: []byte(before + replacement + after)}
}

// TestAddedMessageChangesFewFiles adds a message to the public document of billing. At most eight
// of the existing generated files may change.
func TestAddedMessageChangesFewFiles(t *testing.T) {
	const doc = "specs/billing/asyncapi.yaml"
	config := Config{ImportPath: "example.com/gen", Documents: ownDocuments}
	fsys := ownSpecs(t)
	before, ds := Generate(fsys, config)
	if ds.HasErrors() {
		t.Fatal(ds.Error())
	}
	fsys["specs/avro/PurchaseDisputed.avsc"] = &fstest.MapFile{Data: []byte(`{"type": "record", "name": "PurchaseDisputed", "namespace": "deferpay.event", "doc": "A purchase was disputed.",
		"fields": [{"name": "contractRef", "type": "string", "doc": "Reference of the contract."}, {"name": "amount", "type": "deferpay.event.Money", "doc": "What is disputed."}]}`)}
	const in = "      OperationRefused: {$ref: '#/components/messages/OperationRefused'}\n"
	replace(t, fsys, doc, in, in+"      PurchaseDisputed: {$ref: '#/components/messages/PurchaseDisputed'}\n")
	const sent = "      - {$ref: '#/channels/billingEvents/messages/OperationRefused'}\n"
	replace(t, fsys, doc, sent, sent+"      - {$ref: '#/channels/billingEvents/messages/PurchaseDisputed'}\n")
	replace(t, fsys, doc, "components:\n  messages:\n", `components:
  messages:
    PurchaseDisputed:
      name: PurchaseDisputed
      title: A purchase was disputed
      traits:
        - $ref: '../kafka.yaml#/components/messageTraits/event'
      payload:
        schemaFormat: application/vnd.apache.avro+json;version=1.12.0
        schema: {$ref: ../avro/PurchaseDisputed.avsc}
      examples:
        - payload: {contractRef: CTR-7, amount: {amount: 1, currency: EUR}}
`)
	after, ds := Generate(fsys, config)
	if ds.HasErrors() {
		t.Fatal(ds.Error())
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if !bytes.Equal(before[name], after[name]) {
			changed = append(changed, name)
		}
	}
	if len(after) != len(before)+1 || after["event/purchasedisputed.go"] == nil {
		t.Errorf("there were %d files and are %d; only that of the new type should be added", len(before), len(after))
	}
	if len(changed) == 0 || len(changed) > 8 {
		t.Errorf("%d files changed: %s", len(changed), strings.Join(changed, ", "))
	}
	t.Logf("of %d files %d changed: %s", len(before), len(changed), strings.Join(changed, ", "))
}
