package conformance

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

func TestResolution(t *testing.T) {
	for _, c := range draw.Resolutions {
		t.Run(c.Name, func(t *testing.T) {
			if !resolveBoth(t, c.Writer, c.Reader, 100) {
				t.Error("the schemas do not resolve")
			}
		})
	}
}

// resolveBoth resolves random values of the writer's schema with a plan and with the independent
// codec. It returns false if one of the two refuses the schemas with reason: the independent codec
// refuses schemas that only some values cannot be resolved with, and assumes the default null for
// nullable fields without a default, unlike the specification.
func resolveBoth(t *testing.T, writer, reader string, rounds uint64) bool {
	t.Helper()
	own, err := schema.Parse(writer)
	if err != nil {
		t.Fatal(err)
	}
	theirWriter, err := oracle.Parse(writer)
	if err != nil {
		t.Fatal(err)
	}
	theirReader, err := oracle.Parse(reader)
	if err != nil {
		t.Fatal(err)
	}
	plan, planErr := resolve.NewPlan(writer, &avrobin.Type{Schema: reader})
	theirs, theirErr := oracle.Resolve(theirWriter, theirReader)
	if planErr != nil && theirErr == nil && !strings.Contains(planErr.Error(), "no default") {
		t.Fatalf("here: %v\nthe independent codec: %v\nwriter %s\nreader %s", planErr, theirErr, writer, reader)
	}
	if planErr != nil || theirErr != nil {
		return false
	}
	for seed := range rounds {
		data := draw.New(seed).Append(nil, own)
		var want, got any
		_, theirErr := theirs.Decode(data, &want, oracle.TaggedUnions())
		out, err := plan.Transcode(nil, data)
		if err != nil && theirErr == nil && strings.Contains(err.Error(), "no default") {
			continue
		}
		if (err == nil) != (theirErr == nil) {
			t.Fatalf("seed %d: here: %v\nthe independent codec: %v\nwriter %s\nreader %s", seed, err, theirErr, writer, reader)
		}
		if err != nil {
			continue
		}
		if rest, err := theirReader.Decode(out, &got, oracle.TaggedUnions()); err != nil || len(rest) > 0 {
			t.Fatalf("seed %d: the result is not a value of the reader's schema: %v, %d bytes left", seed, err, len(rest))
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %v\nwant %v\nwriter %s\nreader %s", seed, got, want, writer, reader)
		}
	}
	return true
}

// TestResolutionEvolved resolves every golden schema to and from random evolutions of it.
func TestResolutionEvolved(t *testing.T) {
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(golden.Values)) {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().AvroType().Schema
			for seed := range uint64(*rounds / 20) {
				evolved, err := draw.Evolved(text, seed)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := oracle.Parse(evolved); err != nil {
					continue // a name is used before its definition
				}
				for _, p := range [][2]string{{text, evolved}, {evolved, text}} {
					if resolveBoth(t, p[0], p[1], 10) {
						compared++
					}
				}
			}
		})
	}
	t.Logf("%d pairs of schemas compared", compared)
	if compared < *rounds/2 {
		t.Errorf("only %d pairs of schemas were compared", compared)
	}
}

// TestPlanDecode decodes a payment of an older schema.
func TestPlanDecode(t *testing.T) {
	older := `{"type": "record", "name": "Payment", "namespace": "golden.order", "fields": [
	  {"name": "orderRef", "type": "string"}, {"name": "comment", "type": "string"}, {"name": "paymentRef", "type": "string"},
	  {"name": "amount", "type": {"type": "record", "name": "Price", "fields": [{"name": "amount", "type": "int"}, {"name": "currency", "type": "string"}]}},
	  {"name": "status", "type": {"type": "enum", "name": "OrderStatus", "symbols": ["PAID", "LOST"]}},
	  {"name": "occurredAt", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}`
	plan, err := resolve.NewPlan(older, new(order.Payment).AvroType())
	if err != nil {
		t.Fatal(err)
	}
	var w avrobin.Writer
	b := w.String(nil, "ORD-1")
	b = w.String(b, "gone")
	b = w.String(b, "PAY-1")
	b = w.Long(b, 1250)
	b = w.String(b, "EUR")
	b = w.Long(b, 1) // LOST
	b = w.TimestampMicros(b, benchTime)
	var got order.Payment
	if err := plan.Decode(b, &got); err != nil {
		t.Fatal(err)
	}
	want := order.Payment{PaymentRef: "PAY-1", OrderRef: "ORD-1", Amount: order.Price{Amount: 1250, Currency: "EUR"}, Status: order.OrderStatusUnknown, OccurredAt: benchTime}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var again order.Payment
	if b, err := got.AppendAvro(nil); got.Validate() != nil || err != nil || again.DecodeAvro(b) != nil || again.Status != order.OrderStatusUnknown {
		t.Errorf("UNKNOWN cannot be forwarded: %v, %v, %+v", got.Validate(), err, again)
	}
	for i := range b {
		if err := plan.Decode(b[:i], new(order.Payment)); err == nil {
			t.Errorf("%d of %d bytes can be decoded", i, len(b))
		}
	}
}
