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
	for _, want := range []string{`bad.yaml:1:1: the config has no key "pakage"`, `bad.yaml:3:3: no document has the message "B"`, `bad.yaml:4:7: the config of message A has no key "frame"`} {
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

// twins is a document that says neither a key nor what distinguishes its messages.
const twins = `asyncapi: 3.0.0
info: {title: Shop, version: 1.0.0}
channels:
  orders:
    address: orders
    messages:
      Placed: {payload: {$ref: '#/components/schemas/Order'}}
      Cancelled: {payload: {$ref: '#/components/schemas/Order'}, headers: {type: object, properties: {event: {type: string}, trace: {type: string}}}}
operations:
  send: {action: send, channel: {$ref: '#/channels/orders'}}
  on: {action: receive, channel: {$ref: '#/channels/orders'}}
components:
  schemas:
    Order: {type: object, required: [ref], properties: {ref: {type: string}, n: {type: integer}}}
`

// TestConfigCompletes sets the key, the topic and the headers that a document leaves out. explain
// shows them, and what is generated has them.
func TestConfigCompletes(t *testing.T) {
	folder(t)
	write(t, "twins.yaml", twins)
	if status, _, stderr := run("explain", "twins.yaml"); status != fault || !strings.Contains(stderr, "cannot tell them apart") {
		t.Fatalf("without a config: status %d: %s", status, stderr)
	}
	write(t, "own.yaml", `channels: {orders: {topic: shop.orders.v1}}
messages:
  Placed: {key: ref, headers: {event: placed}}
  Cancelled: {key: {type: string, title: OrderRef, pattern: '^O', x-key-field: ref}, headers: {event: cancelled}}
`)
	status, stdout, stderr := run("explain", "-config", "own.yaml", "twins.yaml")
	for _, want := range []string{"send sends on shop.orders.v1", "Placed: payload.Order, the payload alone, key PlacedKey = ref", "Cancelled: payload.Order, the payload alone, key OrderRef = ref", "by its headers"} {
		if status != done || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("status %d: there is no %q in %s%s", status, want, stdout, stderr)
		}
	}
	if status, _, stderr := run("generate", "-out", "gen", "-import", "example.com/gen", "-config", "own.yaml", "twins.yaml"); status != done || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	code, err := os.ReadFile("gen/twinsbus/messages.go")
	for _, want := range []string{`{Name: "event", Required: true, Const: "cancelled"}`, `{Name: "event", Required: true, Const: "placed"}`, `{Name: "trace"}`, "orderRefRules.CheckText", "KeyOf:"} {
		if err != nil || !strings.Contains(string(code), want) {
			t.Errorf("there is no %q in %v\n%s", want, err, code)
		}
	}
}

// TestConfigFaults has a fault of each kind in one config. All are reported, at their places.
func TestConfigFaults(t *testing.T) {
	folder(t)
	write(t, "twins.yaml", twins)
	write(t, "bad.yaml", `channels: {order: {topic: x}, orders: {topik: x}}
messages:
  Placed: {key: reff, headers: {event: 3}}
  Cancelled: {}
  Gone: {key: ref}
operations: {on: {dispatch: first}, off: {dispatch: in-order}}
`)
	status, stdout, stderr := run("generate", "-out", "gen", "-import", "example.com/gen", "-config", "bad.yaml", "twins.yaml")
	for _, want := range []string{
		`bad.yaml:1:12: no document has the channel "order"`,
		`bad.yaml:1:40: the config of channel orders has no key "topik"`,
		`bad.yaml:3:17: message Placed: key field "reff" is not in Order`,
		`bad.yaml:3:40: header event in the config must be text`,
		`bad.yaml:4:14: the config of message Cancelled sets nothing`,
		`bad.yaml:5:3: no document has the message "Gone"`,
		`bad.yaml:6:29: the dispatch "first" of operation on is not known`,
		`bad.yaml:6:37: no document has the operation "off"`,
	} {
		if status != fault || !strings.Contains(stderr, want) {
			t.Errorf("status %d: there is no %q in %s%s", status, want, stdout, stderr)
		}
	}
	if _, err := os.Stat("gen"); err == nil {
		t.Error("something was written")
	}
}

// TestConfigDispatch lets an operation take the first message that a payload can be read as.
func TestConfigDispatch(t *testing.T) {
	folder(t)
	write(t, "twins.yaml", strings.Replace(twins, "Cancelled: {payload: {$ref: '#/components/schemas/Order'}", "Cancelled: {payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: specs/A.avsc}}", 1))
	write(t, "order.yaml", "framing: none\noperations: {on: {dispatch: in-order}}\n")
	status, stdout, stderr := run("explain", "-config", "order.yaml", "twins.yaml")
	if status != done || !strings.Contains(stdout, "by taking the first whose payload fits") {
		t.Errorf("status %d: %s%s", status, stdout, stderr)
	}
}
