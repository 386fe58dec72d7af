package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// resolutions are pairs of schemas that resolve.
var resolutions = []struct{ name, writer, reader string }{
	{"same", `"long"`, `"long"`},
	{"int to long", `"int"`, `"long"`},
	{"int to float", `"int"`, `"float"`},
	{"int to double", `"int"`, `"double"`},
	{"long to float", `"long"`, `"float"`},
	{"long to double", `"long"`, `"double"`},
	{"float to double", `"float"`, `"double"`},
	{"string to bytes", `"string"`, `"bytes"`},
	{"into a union", `"int"`, `["null", "long", "string"]`},
	{"into a union, exact first", `"int"`, `["long", "int"]`},
	{"out of a union", `["int", "long"]`, `"long"`},
	{"union to union", `["null", "int", "string"]`, `["string", "null", "double"]`},
	{"array items", `{"type": "array", "items": "int"}`, `{"type": "array", "items": ["null", "long"]}`},
	{"map values", `{"type": "map", "values": "float"}`, `{"type": "map", "values": "double"}`},
	{"enum, fewer symbols", `{"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}`, `{"type": "enum", "name": "E", "symbols": ["C", "X", "A"], "default": "X"}`},
	{"fixed, other namespace", `{"type": "fixed", "name": "a.F", "size": 4}`, `{"type": "fixed", "name": "b.F", "size": 4}`},
	{"field added", `{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}`,
		`{"type": "record", "name": "R", "fields": [{"name": "n", "type": "string", "default": "é"}, {"name": "a", "type": "int"}, {"name": "m", "type": ["null", "R"], "default": null}]}`},
	{"field gone", `{"type": "record", "name": "R", "fields": [{"name": "x", "type": {"type": "array", "items": ["null", "R"]}}, {"name": "a", "type": "int"}, {"name": "y", "type": {"type": "map", "values": "bytes"}}]}`,
		`{"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}`},
	{"fields change places", `{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}, {"name": "c", "type": "double"}]}`,
		`{"type": "record", "name": "R", "fields": [{"name": "c", "type": "double"}, {"name": "d", "type": "bytes", "default": "\u00ff"}, {"name": "a", "type": "long"}]}`},
	{"field renamed", `{"type": "record", "name": "R", "fields": [{"name": "old", "type": "int"}]}`,
		`{"type": "record", "name": "R", "fields": [{"name": "new", "aliases": ["older", "old"], "type": "int"}]}`},
	{"record renamed", `{"type": "record", "name": "n.Old", "fields": [{"name": "a", "type": "int"}]}`,
		`{"type": "record", "name": "n.New", "aliases": ["Old"], "fields": [{"name": "a", "type": "int"}]}`},
	{"defaults of every kind", `{"type": "record", "name": "R", "fields": []}`,
		`{"type": "record", "name": "R", "fields": [
		  {"name": "a", "type": {"type": "array", "items": "int"}, "default": [1, -2]}, {"name": "m", "type": {"type": "map", "values": "boolean"}, "default": {"k": true}},
		  {"name": "r", "type": {"type": "record", "name": "S", "fields": [{"name": "x", "type": "int", "default": 5}, {"name": "y", "type": "string"}]}, "default": {"y": "z"}},
		  {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}, "default": "B"}, {"name": "f", "type": {"type": "fixed", "name": "F", "size": 2}, "default": "\u0001\u0002"},
		  {"name": "d", "type": "double", "default": 1e3}, {"name": "l", "type": "float", "default": 2}, {"name": "n", "type": "null", "default": null}, {"name": "b", "type": "boolean", "default": false},
		  {"name": "u", "type": ["string", "null"], "default": "s"}]}`},
	{"recursive", `{"type": "record", "name": "T", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "T"]}, {"name": "gone", "type": {"type": "array", "items": "T"}}]}`,
		`{"type": "record", "name": "T", "fields": [{"name": "next", "type": ["T", "null"]}, {"name": "v", "type": "double"}, {"name": "label", "type": "string", "default": "-"}]}`},
	{"records in a union", `[{"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]}, {"type": "record", "name": "B", "fields": [{"name": "y", "type": "int"}]}]`,
		`["null", {"type": "record", "name": "B", "fields": [{"name": "y", "type": "long"}]}, {"type": "record", "name": "A", "fields": [{"name": "x", "type": "long"}]}]`},
}

func TestResolution(t *testing.T) {
	for _, c := range resolutions {
		t.Run(c.name, func(t *testing.T) {
			if !resolveBoth(t, c.writer, c.reader, 100) {
				t.Error("the two do not resolve")
			}
		})
	}
}

// resolveBoth resolves values drawn for the writer's schema here and with the independent codec. False means that one of the
// two refused the schemas, and was right to: the independent codec refuses beforehand what only some values would meet (a
// branch, a symbol), and it takes null for the default of a nullable field without one, which the specification does not.
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
	plan, planErr := avrobin.NewPlan(writer, &avrobin.Type{Schema: reader})
	theirs, theirErr := oracle.Resolve(theirWriter, theirReader)
	if planErr != nil && theirErr == nil && !strings.Contains(planErr.Error(), "no default") {
		t.Fatalf("here: %v\nthe independent codec: %v\nwriter %s\nreader %s", planErr, theirErr, writer, reader)
	}
	if planErr != nil || theirErr != nil {
		return false
	}
	for seed := range rounds {
		data := newValues(seed).append(nil, own)
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
			t.Fatalf("seed %d: what the plan gives is no value of the reader's schema: %v, %d bytes left", seed, err, len(rest))
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n got %v\nwant %v\nwriter %s\nreader %s", seed, got, want, writer, reader)
		}
	}
	return true
}

// evolve changes a schema the way its authors might: fields come, go and change places, types widen, symbols come and go.
func (g *values) evolve(n any) any {
	switch v := n.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, it := range v {
			out = append(out, g.evolve(it))
		}
		if g.IntN(6) == 0 {
			g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		}
		return out
	case string:
		wider := map[string][]any{"int": {"long", "double", []any{"null", "int"}}, "long": {"double", []any{"long", "null"}}, "float": {"double"}, "string": {[]any{"null", "string"}}, "boolean": {[]any{"boolean", "null"}}}
		if to := wider[v]; to != nil && g.IntN(8) == 0 {
			return to[g.IntN(len(to))]
		}
		return v
	case map[string]any:
		return g.evolveObject(v)
	}
	return n
}

func (g *values) evolveObject(v map[string]any) any {
	out := maps.Clone(v)
	for _, key := range []string{"items", "values"} {
		if v[key] != nil {
			out[key] = g.evolve(v[key])
		}
	}
	if symbols, ok := v["symbols"].([]any); ok && g.IntN(3) == 0 {
		symbols = append(slices.Clone(symbols), "ADDED")
		g.Shuffle(len(symbols), func(i, j int) { symbols[i], symbols[j] = symbols[j], symbols[i] })
		out["symbols"] = symbols
	}
	fields, ok := v["fields"].([]any)
	if !ok {
		return out
	}
	var kept []any
	for _, it := range fields {
		f := maps.Clone(it.(map[string]any))
		if _, named := f["type"].(map[string]any); g.IntN(8) == 0 && !named {
			continue // a field that defines no name, which others could need
		}
		delete(f, "default") // it might not fit the new type
		f["type"] = g.evolve(f["type"])
		if g.IntN(10) == 0 {
			f["aliases"] = []any{f["name"]}
			f["name"] = fmt.Sprint(f["name"], "New")
		}
		kept = append(kept, f)
	}
	if g.IntN(3) == 0 {
		kept = append(kept, map[string]any{"name": fmt.Sprint("added", g.IntN(100000)), "type": []any{"long", "null"}, "default": 42})
	}
	out["fields"] = kept
	return out
}

// evolution is a random evolution of a schema, "" when a name came to be used before its definition.
func evolution(t *testing.T, text string, seed uint64) string {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	evolved, err := json.Marshal(newValues(seed).evolve(tree))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oracle.Parse(string(evolved)); err != nil {
		return ""
	}
	return string(evolved)
}

// TestResolutionEvolved resolves every golden schema to and from random evolutions of it.
func TestResolutionEvolved(t *testing.T) {
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(golden.Values)) {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().AvroType().Schema
			for seed := range uint64(*rounds / 20) {
				evolved := evolution(t, text, seed)
				if evolved == "" {
					continue
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

// TestPlanDecode reads an older order into the compiled type.
func TestPlanDecode(t *testing.T) {
	older := `{"type": "record", "name": "Payment", "namespace": "golden.order", "fields": [
	  {"name": "orderRef", "type": "string"}, {"name": "comment", "type": "string"}, {"name": "paymentRef", "type": "string"},
	  {"name": "amount", "type": {"type": "record", "name": "Price", "fields": [{"name": "amount", "type": "int"}, {"name": "currency", "type": "string"}]}},
	  {"name": "status", "type": {"type": "enum", "name": "OrderStatus", "symbols": ["PAID", "LOST"]}},
	  {"name": "occurredAt", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}`
	plan, err := avrobin.NewPlan(older, new(order.Payment).AvroType())
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
	if err := got.Validate(); err == nil {
		t.Error("UNKNOWN may be written")
	}
	for i := range b {
		if err := plan.Decode(b[:i], new(order.Payment)); err == nil {
			t.Errorf("%d of %d bytes are enough", i, len(b))
		}
	}
}
