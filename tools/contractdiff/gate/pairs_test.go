package gate

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

const producerDoc = `asyncapi: 3.0.0
info: {title: Shop, version: 1.0.0}
channels:
  orders:
    address: orders
    messages:
      OrderPlaced:
        headers: {type: object, required: [ce_id], properties: {ce_id: {type: string}, trace: {type: string}}}
        bindings: {kafka: {key: {type: string, x-key-field: orderId}, schemaIdPayloadEncoding: confluent}}
        payload:
          schemaFormat: application/vnd.apache.avro;version=1.12.0
          schema: {type: record, name: OrderPlaced, fields: [{name: orderId, type: string}, {name: total, type: {type: bytes, logicalType: decimal, precision: 12, scale: 2}}]}
  refunds:
    address: refunds
    messages:
      Refunded:
        payload: {type: object, required: [cents], properties: {cents: {type: integer, minimum: 0}, note: {type: string}}}
operations:
  publish: {action: send, channel: {$ref: '#/channels/orders'}}
  refund: {action: send, channel: {$ref: '#/channels/refunds'}}
`

// consumerDoc is the producer's document from the other side.
var consumerDoc = strings.NewReplacer("title: Shop", "title: Shipping", "action: send", "action: receive", "publish:", "onOrders:", "refund: {", "onRefunds: {").Replace(producerDoc)

func pairs(t *testing.T, producer, consumer string) []finding.Finding {
	t.Helper()
	var sides []*input.Side
	for name, text := range map[string]string{"producer.yaml": producer, "consumer.yaml": consumer} {
		s, err := input.In(fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}}, name, "")
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, s)
	}
	found, err := Pairs(sides)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPairs changes what a consumer expects, one thing at a time.
func TestPairs(t *testing.T) {
	if found := pairs(t, producerDoc, consumerDoc); len(found) > 0 {
		t.Errorf("equal documents: %+v", found)
	}
	for name, tt := range map[string]struct{ from, to, want string }{
		"field without a default":      {"fields: [", "fields: [{name: note, type: string}, ", "breaking READER_FIELD_MISSING_DEFAULT_VALUE"},
		"field with a default":         {"fields: [", `fields: [{name: note, type: string, default: ""}, `, ""},
		"field that is not read":       {"{name: orderId, type: string}, ", "", ""},
		"other scale":                  {"scale: 2", "scale: 3", "semantic DECIMAL_SCALE_CHANGED"},
		"other record":                 {"name: OrderPlaced, fields", "name: Order, fields", "breaking NAME_MISMATCH"},
		"header that need not be sent": {"required: [ce_id]", "required: [ce_id, trace]", "breaking HEADER_NOT_SENT"},
		"header of another type":       {"trace: {type: string}", "trace: {type: integer}", "breaking HEADER_DIFFERS"},
		"other key":                    {"x-key-field: orderId", "x-key-field: total", "semantic KEY_DIFFERS"},
		"other framing":                {"schemaIdPayloadEncoding: confluent", "schemaIdPayloadEncoding: avro-single-object", "breaking FRAMING_DIFFERS"},
		"topic that nobody sends to":   {"address: refunds", "address: returns", "warning NO_PRODUCER"},
		"unknown message":              {"      OrderPlaced:", "      OrderLost:", "warning MESSAGE_NOT_KNOWN"},
		"required property":            {"required: [cents]", "required: [cents, note]", "breaking JSON_PROPERTY_REQUIRED"},
		"narrower number":              {"minimum: 0", "minimum: 1", "breaking JSON_LIMIT_NARROWED"},
		"wider number":                 {", minimum: 0", "", ""},
		"other format of the schema":   {"payload: {type: object, required: [cents], properties: {cents: {type: integer, minimum: 0}, note: {type: string}}}", "payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: Refunded, fields: []}}", "breaking PAYLOAD_FORMAT_DIFFERS"},
	} {
		consumer := strings.Replace(consumerDoc, tt.from, tt.to, 1)
		if consumer == consumerDoc {
			t.Fatalf("%s: nothing changed", name)
		}
		if name == "unknown message" { // which has another record too
			consumer = strings.Replace(consumer, "name: OrderPlaced", "name: OrderLost", 1)
		}
		var got []string
		for _, f := range pairs(t, producerDoc, consumer) {
			got = append(got, f.Level.String()+" "+f.ID)
		}
		if text := strings.Join(got, ", "); tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

const responderDoc = `asyncapi: 3.0.0
info: {title: Pricing, version: 1.0.0}
channels:
  prices:
    address: prices
    messages:
      PriceRequest:
        correlationId: {location: '$message.header#/id'}
        payload: {type: object, required: [article], properties: {article: {type: string}}}
  answers:
    address: null
    messages:
      PriceReply:
        correlationId: {location: '$message.header#/id'}
        payload: {type: object, required: [cents], properties: {cents: {type: integer}, note: {type: string}}}
operations:
  quote:
    action: receive
    channel: {$ref: '#/channels/prices'}
    reply:
      address: {location: '$message.header#/replyTo'}
      channel: {$ref: '#/channels/answers'}
`

// TestPairsOfReplies changes what a requester expects of replies, one thing at a time.
func TestPairsOfReplies(t *testing.T) {
	requesterDoc := strings.NewReplacer("title: Pricing", "title: Shop", "action: receive", "action: send").Replace(responderDoc)
	if found := pairs(t, responderDoc, requesterDoc); len(found) > 0 {
		t.Errorf("equal documents: %+v", found)
	}
	const reply = "properties: {cents: {type: integer}, note"
	for name, tt := range map[string]struct{ from, to, want string }{
		"required property":    {"required: [cents]", "required: [cents, note]", "breaking JSON_PROPERTY_REQUIRED"},
		"property not read":    {reply, "properties: {note", ""},
		"narrower number":      {reply, "properties: {cents: {type: integer, minimum: 1}, note", "breaking JSON_LIMIT_NARROWED"},
		"another address":      {"header#/replyTo", "header#/answerTo", "breaking REPLY_ADDRESS_DIFFERS"},
		"another reply":        {"      PriceReply:", "      PriceAnswer:", "warning MESSAGE_NOT_KNOWN"},
		"another id":           {"address: null\n    messages:\n      PriceReply:\n        correlationId: {location: '$message.header#/id'}", "address: null\n    messages:\n      PriceReply:\n        correlationId: {location: '$message.header#/no'}", "semantic CORRELATION_DIFFERS"},
		"request with a limit": {"article: {type: string}", "article: {type: string, maxLength: 10}", ""},
	} {
		requester := strings.Replace(requesterDoc, tt.from, tt.to, 1)
		if requester == requesterDoc {
			t.Fatalf("%s: nothing changed", name)
		}
		var got []string
		for _, f := range pairs(t, responderDoc, requester) {
			got = append(got, f.Level.String()+" "+f.ID)
		}
		if text := strings.Join(got, ", "); tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
	silent := responderDoc[:strings.Index(responderDoc, "    reply:")]
	if found := pairs(t, silent, requesterDoc); len(found) != 1 || found[0].ID != "REPLY_NOT_SENT" || found[0].Level != finding.Breaking {
		t.Errorf("a responder that sends no reply: %+v", found)
	}
}

// TestAddressOfReply compares where replies are sent with where they are awaited. A requester may
// put the topic that it listens on into the header that the responder reads.
func TestAddressOfReply(t *testing.T) {
	const null, header = "address: null", "      address: {location: '$message.header#/replyTo'}\n"
	requesterDoc := strings.NewReplacer("title: Pricing", "title: Shop", "action: receive", "action: send").Replace(responderDoc)
	for name, tt := range map[string]struct {
		sent, awaited string // replace the address of the channel of replies
		from, to      bool   // the reply of the responder, of the requester, has a location
		want          string
	}{
		"a header, and a topic":       {null, "address: shop-replies", true, false, ""},
		"a topic, and a header":       {"address: replies", null, false, true, ""},
		"the same topic":              {"address: replies", "address: replies", false, false, ""},
		"another topic":               {"address: replies", "address: answers", false, false, "REPLY_ADDRESS_DIFFERS"},
		"another topic, and a header": {"address: replies", "address: answers", false, true, "REPLY_ADDRESS_DIFFERS"},
		"the same header":             {null, null, true, true, ""},
	} {
		document := func(text, address string, located bool) string {
			out := strings.Replace(text, null, address, 1)
			if !located {
				out = strings.Replace(out, header, "", 1)
			}
			if (out == text) != (located && address == null) {
				t.Fatalf("%s: the document has no such reply", name)
			}
			return out
		}
		got := ""
		if found := pairs(t, document(responderDoc, tt.sent, tt.from), document(requesterDoc, tt.awaited, tt.to)); len(found) > 0 {
			got = found[0].ID
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestOwnPairs compares released consumers with present producers, and the reverse.
func TestOwnPairs(t *testing.T) {
	for _, names := range [][2]string{{released, "../../../specs"}, {"../../../specs", released}} {
		var sides []*input.Side
		for i, service := range []string{"billing", "contract"} {
			s, err := input.Open(names[i] + "/" + service)
			if err != nil {
				t.Fatal(err)
			}
			sides = append(sides, s)
		}
		found, err := Pairs(sides)
		if err != nil || finding.Worst(found) >= finding.Semantic {
			t.Errorf("%v: %+v, %v", names, found, err)
		}
	}
}

// TestMessageOfOneProducer has two producers on a topic, each of which sends another message.
func TestMessageOfOneProducer(t *testing.T) {
	document := func(title, action string, messages ...string) string {
		text := "asyncapi: 3.0.0\ninfo: {title: " + title + ", version: 1.0.0}\nchannels:\n  c:\n    address: c\n    messages:\n"
		for _, m := range messages {
			text += "      " + m + ": {payload: {type: object}}\n"
		}
		return text + "operations: {o: {action: " + action + ", channel: {$ref: '#/channels/c'}}}\n"
	}
	var sides []*input.Side
	for name, text := range map[string]string{
		"shop.yaml": document("Shop", "send", "Placed"), "desk.yaml": document("Desk", "send", "Cancelled"),
		"shipping.yaml": document("Shipping", "receive", "Placed", "Cancelled", "Lost"),
	} {
		s, err := input.In(fstest.MapFS{name: &fstest.MapFile{Data: []byte(text)}}, name, "")
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, s)
	}
	found, err := Pairs(sides)
	if err != nil || len(found) != 1 || found[0].ID != "MESSAGE_NOT_SENT" || !strings.Contains(found[0].Message, "the message Lost is not sent to c by ") {
		t.Errorf("%+v, %v", found, err)
	}
}
