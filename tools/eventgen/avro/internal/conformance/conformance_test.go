package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var rounds = flag.Int("rounds", fulltest.Choose(40, 300), "random values for each golden payload")

// eachGolden runs f as a subtest for every golden payload.
func eachGolden(t *testing.T, f func(t *testing.T, make func() avrobin.Value, own *schema.Type, independent *oracle.Schema)) {
	for _, name := range slices.Sorted(maps.Keys(golden.Values)) {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().AvroType().Schema
			own, err := schema.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			independent, err := oracle.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			f(t, golden.Values[name], own, independent)
		})
	}
}

func TestFingerprints(t *testing.T) {
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type, independent *oracle.Schema) {
		if got, want := string(own.Canonical()), string(independent.Canonical()); got != want {
			t.Errorf("canonical form\n got %s\nwant %s", got, want)
		}
		want := independent.Fingerprint(oracle.NewRabin())
		got := binary.BigEndian.AppendUint64(nil, value().AvroType().Fingerprint)
		if !bytes.Equal(got, want) {
			t.Errorf("fingerprint %x, want %x", got, want)
		}
	})
}

// TestConformance decodes random bytes of a schema with the generated code, encodes the value to
// the same bytes again, and compares every field with an independent codec.
func TestConformance(t *testing.T) {
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type, independent *oracle.Schema) {
		for seed := range uint64(*rounds) {
			data := draw.New(seed).Append(nil, own)
			v := value()
			if err := avrobin.Decode(data, v); err != nil {
				t.Fatalf("seed %d: %v\n% x", seed, err, data)
			}
			again, err := avrobin.Encode(v)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if !bytes.Equal(again, data) {
				t.Fatalf("seed %d: decoded and encoded again\n got % x\nwant % x", seed, again, data)
			}
			var theirs any
			rest, err := independent.Decode(again, &theirs, oracle.TaggedUnions())
			if err != nil || len(rest) > 0 {
				t.Fatalf("seed %d: the independent codec: %v, %d bytes left", seed, err, len(rest))
			}
			back, err := independent.Encode(theirs)
			if err != nil {
				t.Fatalf("seed %d: the independent codec: %v", seed, err)
			}
			w := value()
			if err := avrobin.Decode(back, w); err != nil {
				t.Fatalf("seed %d: decoding the bytes of the independent codec: %v", seed, err)
			}
			if again, err := avrobin.Encode(w); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("seed %d: through the independent codec\n got % x (%v)\nwant % x", seed, again, err, data)
			}
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var ours any
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.UseNumber()
			if err := dec.Decode(&ours); err != nil {
				t.Fatal(err)
			}
			if own.Kind != schema.Record {
				ours = ours.(map[string]any)["value"]
			}
			if err := same(own, ours, theirs); err != nil {
				t.Fatalf("seed %d: %v\n%s\n%v", seed, err, text, theirs)
			}
		}
	})
}

// same compares the JSON of a value with what the independent codec decoded.
func same(t *schema.Type, ours, theirs any) error {
	if t.Logical != "" {
		return sameLogical(t, ours, theirs)
	}
	switch t.Kind {
	case schema.Null:
		return nil
	case schema.Record:
		for _, f := range t.Fields {
			if err := same(f.Type, ours.(map[string]any)[f.Name], theirs.(map[string]any)[f.Name]); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
		}
		return nil
	case schema.Array:
		list, _ := ours.([]any)
		if len(list) != len(theirs.([]any)) {
			return fmt.Errorf("%v, not %v", ours, theirs)
		}
		for i := range list {
			if err := same(t.Items, list[i], theirs.([]any)[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case schema.Map:
		entries, _ := ours.(map[string]any)
		for k, v := range theirs.(map[string]any) {
			if err := same(t.Items, entries[k], v); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	case schema.Union:
		return sameUnion(t, ours, theirs)
	case schema.Bytes:
		text, _ := json.Marshal(theirs)
		if want := strings.Trim(string(text), `"`); ours != want && !(ours == nil && len(theirs.([]byte)) == 0) {
			return fmt.Errorf("%v, not %v", ours, want)
		}
		return nil
	case schema.Fixed:
		for i, b := range ours.([]any) {
			if fmt.Sprint(b) != fmt.Sprint(theirs.([]byte)[i]) {
				return fmt.Errorf("%v, not %v", ours, theirs)
			}
		}
		return nil
	case schema.Float, schema.Double:
		f, _ := ours.(json.Number).Float64()
		want, single := theirs.(float64)
		if !single {
			want, f = float64(theirs.(float32)), float64(float32(f))
		}
		if f != want {
			return fmt.Errorf("%v, not %v", ours, theirs)
		}
		return nil
	}
	if fmt.Sprint(ours) != fmt.Sprint(theirs) {
		return fmt.Errorf("%v, not %v", ours, theirs)
	}
	return nil
}

func sameUnion(t *schema.Type, ours, theirs any) error {
	if theirs == nil {
		if ours != nil {
			return fmt.Errorf("%v, not null", ours)
		}
		return nil
	}
	tagged := theirs.(map[string]any)
	for _, b := range t.Branches {
		v, ok := tagged[b.BranchName()]
		if !ok {
			continue
		}
		if _, _, nullable := t.Nullable(); !nullable && len(t.Branches) > 1 {
			if m, ok := ours.(map[string]any); ok && len(m) == 1 && m["Value"] != nil {
				ours = m["Value"]
			}
		}
		return same(b, ours, v)
	}
	return fmt.Errorf("no branch for %v", theirs)
}

func sameLogical(t *schema.Type, ours, theirs any) error {
	text := fmt.Sprint(ours)
	want := fmt.Sprint(theirs)
	switch at := theirs.(type) {
	case time.Time:
		layout := time.RFC3339Nano
		switch {
		case strings.HasPrefix(string(t.Logical), "local-"):
			layout = "2006-01-02T15:04:05.999999999"
		case t.Logical == schema.Date:
			layout = time.DateOnly
		}
		want = at.Format(layout)
	case time.Duration:
		want = time.Unix(0, int64(at)).UTC().Format("15:04:05.999999999")
	case oracle.Duration:
		want = fmt.Sprint(map[string]any{"Months": at.Months, "Days": at.Days, "Millis": at.Milliseconds})
	case [16]byte:
		want = avrobin.UUID(at).String()
	case interface{ FloatString(int) string }:
		want = at.FloatString(t.Scale)
		if t.Logical == schema.BigDecimal {
			return nil // a fraction has no scale; the bytes were compared
		}
	}
	if text != want {
		return fmt.Errorf("%s: %s, not %s", t.Logical, text, want)
	}
	return nil
}
