package cli

import (
	"strings"
	"testing"
)

const explainedDocument = `asyncapi: 3.0.0
info: {title: Shop, version: 1.0.0}
servers: {k: {host: 'k:9092', protocol: kafka, bindings: {kafka: {schemaRegistryVendor: confluent}}}}
channels:
  as:
    address: as.v1
    messages:
      A: {payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: A.avsc}}, bindings: {kafka: {key: {type: string, title: Ref, x-key-field: ref}}}}
    bindings: {kafka: {partitions: 2, topicConfiguration: {retention.ms: -1}}}
  bs:
    address: bs.{id}
    parameters: {id: {}}
    messages:
      B: {payload: {type: string}, bindings: {kafka: {schemaIdPayloadEncoding: none}}}
      C: {payload: {type: integer}, bindings: {kafka: {schemaIdPayloadEncoding: none}}}
  dead: {address: dead.v1}
operations:
  sendA: {action: send, channel: {$ref: '#/channels/as'}}
  onA: {action: receive, channel: {$ref: '#/channels/as'}, x-dead-letter: {channel: {$ref: '#/channels/dead'}}}
  askB: {action: send, channel: {$ref: '#/channels/bs'}, messages: [{$ref: '#/channels/bs/messages/B'}], reply: {channel: {$ref: '#/channels/as'}}}
  onC: {action: receive, channel: {$ref: '#/channels/bs'}, messages: [{$ref: '#/channels/bs/messages/C'}]}
`

func TestExplain(t *testing.T) {
	folder(t)
	write(t, "specs/shop.asyncapi.yaml", explainedDocument)
	before := listing(t, ".")
	status, stdout, stderr := run("explain", "specs/shop.asyncapi.yaml")
	const want = `Shop: package shopbus
  sendA sends on as.v1
    A: event.A, the id of its schema in front, subject as.v1-value, key Ref = ref
  askB asks on bs.{id}
    B: payload.B, the payload alone
    answered by A: event.A, the id of its schema in front, subject as.v1-value, key Ref = ref
  onA receives on as.v1, dead letters to dead.v1
    A: event.A, the id of its schema in front, subject as.v1-value, key Ref = ref
    a reader knows a message by its topic, which has no other
  onC receives on bs.{id}
    C: payload.C, the payload alone
    a reader knows a message by its schema or headers if they differ, and else by trying its payload
  topic as.v1, partitions 2, retention.ms=-1
  topic dead.v1
`
	if status != done || stdout != want {
		t.Errorf("status %d: %s\n%s", status, stderr, stdout)
	}
	if listing(t, ".") != before {
		t.Error("something was written")
	}
	write(t, "specs/shop.asyncapi.yaml", strings.Replace(explainedDocument, "A.avsc", "B.avsc", 1))
	if status, stdout, stderr := run("explain", "specs/shop.asyncapi.yaml"); status != fault || stdout != "" || !strings.Contains(stderr, "there is no file specs/B.avsc") {
		t.Errorf("a fault: status %d: %s%s", status, stdout, stderr)
	}
	if status, _, stderr := run("explain", "-role", "guest", "specs/shop.asyncapi.yaml"); status != usage || !strings.Contains(stderr, "not \"guest\"") {
		t.Errorf("a role: status %d: %s", status, stderr)
	}
}
