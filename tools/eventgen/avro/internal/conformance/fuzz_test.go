package conformance

import (
	"bytes"
	"hash/crc32"
	"maps"
	"slices"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// FuzzDecode decodes any bytes as each golden payload. Decoding terminates and allocates little,
// and a decoded value can be encoded and decoded again.
func FuzzDecode(f *testing.F) {
	names := slices.Sorted(maps.Keys(golden.Values))
	for i, name := range names {
		own, err := schema.Parse(golden.Values[name]().AvroType().Schema)
		if err != nil {
			f.Fatal(err)
		}
		for seed := range uint64(5) {
			g := draw.New(seed)
			data := g.Append(nil, own)
			f.Add(byte(i), data)
			f.Add(byte(i), g.Mutate(data))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		empty := golden.Values[names[int(which)%len(names)]]
		if crc32.ChecksumIEEE(data)%16 == 0 { // measuring stops the world
			if _, cost, limit, _ := measure(data, empty); cost > limit {
				t.Fatalf("%d bytes were allocated for %d bytes, more than %d", cost, len(data), limit)
			}
		}
		v := empty()
		if err := avrobin.Decode(data, v); err != nil {
			return
		}
		again, err := avrobin.Encode(v)
		if err != nil {
			t.Fatalf("a decoded value cannot be encoded: %v", err)
		}
		w := empty()
		if err := avrobin.Decode(again, w); err != nil {
			t.Fatalf("an encoded value cannot be decoded: %v", err)
		}
		if third, err := avrobin.Encode(w); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("% x, then % x: %v", again, third, err)
		}
	})
}

// FuzzPlan resolves any bytes of any writer's schema. Resolution terminates.
func FuzzPlan(f *testing.F) {
	for _, c := range draw.Resolutions {
		own, err := schema.Parse(c.Writer)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.Writer, c.Reader, draw.New(1).Append(nil, own))
	}
	payment := new(order.Payment).AvroType().Schema
	f.Add(payment, payment, draw.New(2).Mutate([]byte("PAY")))
	f.Fuzz(func(t *testing.T, writer, reader string, data []byte) {
		plan, err := resolve.NewPlan(writer, &avrobin.Type{Schema: reader})
		if err != nil {
			return
		}
		out, err := plan.Transcode(nil, data)
		if len(out) > 200*len(data)+(256<<10)+len(reader) {
			t.Fatalf("%d bytes became %d", len(data), len(out))
		}
		if err != nil {
			return
		}
		// The result is a value of the reader's schema: the plan of that schema alone accepts it.
		same, err := resolve.NewPlan(reader, &avrobin.Type{Schema: reader})
		if err != nil {
			t.Fatalf("the reader's schema does not resolve to itself: %v", err)
		}
		if _, err := same.Transcode(nil, out); err != nil {
			t.Fatalf("% x is not a value of the reader's schema: %v", out, err)
		}
	})
}

// FuzzSchema parses any text. Parsing terminates, and the printed schema has the same meaning.
func FuzzSchema(f *testing.F) {
	for _, c := range draw.Resolutions {
		f.Add(c.Writer)
		f.Add(c.Reader)
	}
	for _, make := range golden.Values {
		f.Add(make().AvroType().Schema)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schema.Parse(text)
		if err != nil {
			return
		}
		s.MinBytes()
		again, err := schema.Parse(s.Text())
		if err != nil {
			t.Fatalf("%s cannot be parsed: %v", s.Text(), err)
		}
		if !bytes.Equal(s.Canonical(), again.Canonical()) {
			t.Fatalf("%s became %s", s.Canonical(), again.Canonical())
		}
	})
}
