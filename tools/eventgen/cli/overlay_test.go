package cli

import (
	"os"
	"strings"
	"testing"
)

// framing is what the document does not say in these tests.
const framing = "        bindings: {kafka: {schemaIdPayloadEncoding: confluent}}\n"

func TestOverlay(t *testing.T) {
	folder(t)
	write(t, "specs/asyncapi.yaml", strings.Replace(document, framing, "", 1))
	write(t, "specs/B.avsc", strings.Replace(schema, `"A"`, `"B"`, 1))
	args := []string{"generate", "-out", "gen", "-import", "example.com/gen"}
	if status, _, stderr := run(append(args, "specs/asyncapi.yaml")...); status != done || stderr == "" {
		t.Fatalf("without the overlay there is no warning: status %d: %s", status, stderr)
	}
	write(t, "own/framed.yaml", `overlay: 1.0.0
info: {title: What the document leaves out, version: 1.0.0}
actions:
  - target: $.channels.as.messages.A
    update: {bindings: {kafka: {schemaIdPayloadEncoding: confluent}}}
`)
	// The reference is relative to the document, not to the overlay.
	write(t, "own/other.yaml", `overlay: 1.0.0
info: {title: Another schema, version: 1.0.0}
extends: ../specs/asyncapi.yaml
actions:
  - target: $..messages.A.payload
    update: {schema: {$ref: B.avsc}}
`)
	args = append(args, "-overlay", "own/framed.yaml", "-overlay", "own/other.yaml")
	if status, _, stderr := run(append(args, "specs/asyncapi.yaml")...); status != done || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	code, err := os.ReadFile("gen/tbus/messages.go")
	if err != nil || !strings.Contains(string(code), "bus.Confluent") || !strings.Contains(string(code), "event.B") {
		t.Errorf("%v: %s", err, code)
	}
	before := listing(t, "gen")
	if status, stdout, stderr := run(append(args, "-check", "specs/asyncapi.yaml")...); status != done {
		t.Errorf("it is not current: status %d: %s%s", status, stdout, stderr)
	}
	for _, k := range []struct{ text, want string }{
		{"overlay: 1.0.0\nactions:\n  - {target: $.channels.none, remove: true}\n", "bad.yaml:3:14: target $.channels.none selects nothing"},
		{"overlay: 1.0.0\nactions:\n  - {target: channels, remove: true}\n", `bad.yaml:3:14: target "channels": `},
		{"overlay: 1.0.0\nactions:\n  - {target: $, remove: true}\n", "bad.yaml:3:14: the whole document cannot be removed"},
		{"overlay: 1.0.0\nactions:\n  - {target: $.channels}\n", "bad.yaml:3:5: the action for $.channels changes nothing"},
		{"overlay: 1.0.0\nactions:\n  - {target: $.info.title, update: T2}\n", "bad.yaml:3:14: target $.info.title selects a string, which cannot be updated"},
		{"overlay: 1.0.0\nactions:\n  - {target: $.info, update: T2}\n", "bad.yaml:3:30: target $.info selects an object, and update is a string"},
		{"overlay: 1.0.0\nactions:\n  - {target: $.info, copy: $.x}\n", `bad.yaml:3:22: an action has no key "copy"`},
		{"overlay: 1.0.0\nactions:\n  - {update: {}}\n", "bad.yaml:3:5: the action has no target"},
		{"overlay: 1.0.0\nactions:\n  - {target: $.info, remove: yes please}\n", "bad.yaml:3:30: remove is a string"},
		{"overlay: 1.0.0\nactions: []\n", "bad.yaml:1:1: the overlay has no actions"},
		{"overlay: 1.0.0\nextend: x\nactions: [{target: $.info, update: {}}]\n", `bad.yaml:2:1: an overlay has no key "extend"`},
		{"overlay: 1.0.0\nextends: other.yaml\nactions: [{target: $.info, update: {}}]\n", "bad.yaml:2:10: the overlay extends other.yaml, which is not one of the documents"},
		{"asyncapi: 3.0.0\n", "bad.yaml:1:1: this is not an overlay"},
		{"overlay: [\n", "bad.yaml"},
		{"", "bad.yaml:1:1: the file is empty"},
	} {
		write(t, "bad.yaml", k.text)
		if status, _, stderr := run(append(args, "-overlay", "bad.yaml", "specs/asyncapi.yaml")...); status != fault || !strings.Contains(stderr, k.want) {
			t.Errorf("%q: status %d: there is no %q in %s", k.text, status, k.want, stderr)
		}
	}
	if status, _, stderr := run(append(args, "-overlay", "none.yaml", "specs/asyncapi.yaml")...); status != fault || !strings.Contains(stderr, "none.yaml: cannot read the overlay") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if listing(t, "gen") != before {
		t.Error("something was written")
	}
}

func TestVendorFolder(t *testing.T) {
	folder(t)
	write(t, "specs/asyncapi.yaml", strings.Replace(document, "$ref: A.avsc", "$ref: 'https://schemas.example.com/x/A.avsc'", 1))
	args := []string{"generate", "-out", "gen", "-import", "example.com/gen", "-vendor", "third_party", "specs/asyncapi.yaml"}
	if status, _, stderr := run(args...); status != fault || !strings.Contains(stderr, "hint: keep a copy at third_party/schemas.example.com/x/A.avsc") {
		t.Errorf("without a copy: status %d: %s", status, stderr)
	}
	write(t, "third_party/schemas.example.com/x/A.avsc", schema)
	if status, _, stderr := run(args...); status != done {
		t.Errorf("with a copy: status %d: %s", status, stderr)
	}
}
