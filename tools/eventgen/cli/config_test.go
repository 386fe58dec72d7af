package cli

import (
	"os"
	"strings"
	"testing"
)

func TestConfigSaysWhatIsLeftOut(t *testing.T) {
	folder(t)
	write(t, "specs/asyncapi.yaml", strings.Replace(document, "        bindings: {kafka: {schemaIdPayloadEncoding: confluent}}\n", "", 1))
	write(t, "own.yaml", "package: ownbus\nmessages:\n  A:\n    framing: confluent\n")
	args := []string{"generate", "-out", "gen", "-import", "example.com/gen", "-config"}
	if status, _, stderr := run(append(args, "own.yaml", "specs/asyncapi.yaml")...); status != done || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if code, err := os.ReadFile("gen/ownbus/messages.go"); err != nil || !strings.Contains(string(code), "bus.Confluent") {
		t.Errorf("%v: %s", err, code)
	}
	write(t, "all.yaml", "messages:\n  A:\n    framing: avro-single-object\nframing: confluent\n")
	if status, _, stderr := run(append(args, "all.yaml", "specs/asyncapi.yaml")...); status != done || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	if code, err := os.ReadFile("gen/tbus/messages.go"); err != nil || strings.Contains(string(code), "bus.Bare") || !strings.Contains(string(code), "bus.SingleObject") {
		t.Errorf("%v: %s", err, code)
	}
	before := listing(t, "gen")
	write(t, "bad.yaml", "pakage: x\nmessages:\n  B: {framing: confluent}\n  A: {frame: x}\n")
	status, _, stderr := run(append(args, "bad.yaml", "specs/asyncapi.yaml")...)
	for _, want := range []string{`bad.yaml:1:1: the config has no key "pakage"`, `bad.yaml:3:3: no document has a message "B"`, `bad.yaml:4:6: the config of message A has no key "frame"`} {
		if status != fault || !strings.Contains(stderr, want) {
			t.Errorf("status %d: there is no %q in %s", status, want, stderr)
		}
	}
	if status, _, stderr := run(append(args, "none.yaml", "specs/asyncapi.yaml")...); status != fault || !strings.Contains(stderr, "none.yaml: cannot read the config") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if listing(t, "gen") != before {
		t.Error("something was written")
	}
}
