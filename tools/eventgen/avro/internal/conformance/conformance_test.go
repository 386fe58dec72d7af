package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

var rounds = flag.Int("rounds", 300, "generated values for each golden payload")

// values draws values of a schema straight in binary, independently of the generated codecs.
type values struct {
	*rand.Rand
	depth int
}

func newValues(seed uint64) *values { return &values{Rand: rand.New(rand.NewPCG(seed, 7))} }

func (g *values) long() int64 {
	switch g.IntN(4) {
	case 0:
		return int64(g.IntN(128)) - 64
	case 1:
		return int64(g.Int32())
	case 2:
		return []int64{0, -1, 1, math.MaxInt64, math.MinInt64, 63, 64, -64, -65}[g.IntN(9)]
	}
	return int64(g.Uint64())
}

func (g *values) text() string {
	n := g.IntN(12)
	if g.IntN(20) == 0 {
		n = 200 + g.IntN(600)
	}
	var b strings.Builder
	for range n {
		b.WriteRune([]rune("abcXYZ09 éß漢🙂\x00\"")[g.IntN(15)])
	}
	return b.String()
}

func (g *values) raw(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// micros is a time that every unit can say.
func (g *values) instant(t *schema.Type) int64 {
	year := func(y int) int64 { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Unix() }
	sec := year(1700) + g.Int64N(year(2250)-year(1700))
	unit := units[t.Logical]
	return sec*int64(time.Second/unit) + g.Int64N(int64(time.Second/unit))
}

func (g *values) append(dst []byte, t *schema.Type) []byte {
	g.depth++
	defer func() { g.depth-- }()
	if t.Logical != "" {
		return g.logical(dst, t)
	}
	switch t.Kind {
	case schema.Null:
		return dst
	case schema.Boolean:
		return append(dst, byte(g.IntN(2)))
	case schema.Int:
		return avrobin.AppendLong(dst, int64(int32(g.long())))
	case schema.Long:
		return avrobin.AppendLong(dst, g.long())
	case schema.Float:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(g.NormFloat64())))
	case schema.Double:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(g.NormFloat64()*1e9))
	case schema.Bytes:
		return avrobin.AppendBytes(dst, g.raw(g.IntN(20)))
	case schema.String:
		return avrobin.AppendString(dst, g.text())
	case schema.Fixed:
		return append(dst, g.raw(t.Size)...)
	case schema.Enum:
		return avrobin.AppendLong(dst, int64(g.IntN(len(t.Symbols))))
	case schema.Union:
		i := g.IntN(len(t.Branches))
		if null := t.HasNull(); null >= 0 && g.depth > 8 {
			i = null
		}
		return g.append(avrobin.AppendLong(dst, int64(i)), t.Branches[i])
	case schema.Array, schema.Map:
		return g.items(dst, t)
	}
	for _, f := range t.Fields {
		dst = g.append(dst, f.Type)
	}
	return dst
}

func (g *values) items(dst []byte, t *schema.Type) []byte {
	n := g.IntN(5)
	if g.depth > 8 {
		n = 0
	}
	if n > 0 {
		dst = avrobin.AppendLong(dst, int64(n))
	}
	for i := range n {
		if t.Kind == schema.Map {
			dst = avrobin.AppendString(dst, fmt.Sprintf("%c%d", 'a'+i, g.IntN(10))) // in order, as the generated code writes them
		}
		dst = g.append(dst, t.Items)
	}
	return append(dst, 0)
}

func (g *values) logical(dst []byte, t *schema.Type) []byte {
	var unscaled int64
	for range min(t.Precision, 18) {
		unscaled = unscaled*10 + int64(g.IntN(10))
	}
	if g.IntN(2) == 0 {
		unscaled = -unscaled
	}
	var w avrobin.Writer
	switch t.Logical {
	case schema.Decimal:
		if t.Kind == schema.Fixed {
			dst = w.DecimalFixed(dst, avrobin.NewDecimal(unscaled, t.Scale), t.Size, t.Precision, t.Scale)
		} else {
			dst = w.Decimal(dst, avrobin.NewDecimal(unscaled, t.Scale), t.Precision, t.Scale)
		}
	case schema.BigDecimal:
		// The independent codec reads it as a fraction and so loses zeros at the end.
		dst = w.BigDecimal(dst, avrobin.NewDecimal(g.long()/100*10+1, g.IntN(30)))
	case schema.UUID:
		u := avrobin.UUID(g.raw(16))
		if t.Kind == schema.Fixed {
			dst = w.UUIDFixed(dst, u)
		} else {
			dst = w.UUID(dst, u)
		}
	case schema.Date:
		dst = w.Long(dst, int64(g.IntN(80000))-40000)
	case schema.TimeMillis, schema.TimeMicros:
		dst = w.Long(dst, g.Int64N(int64(24*time.Hour/units[t.Logical])))
	case schema.Duration:
		dst = w.Fixed(dst, g.raw(12))
	default:
		dst = w.Long(dst, g.instant(t))
	}
	if err := w.Err(); err != nil {
		panic(err)
	}
	return dst
}

// units are how much one of an encoded number is.
var units = map[schema.Logical]time.Duration{
	schema.TimeMillis: time.Millisecond, schema.TimeMicros: time.Microsecond,
	schema.TimestampMillis: time.Millisecond, schema.TimestampMicros: time.Microsecond, schema.TimestampNanos: 1,
	schema.LocalTimestampMillis: time.Millisecond, schema.LocalTimestampMicros: time.Microsecond, schema.LocalTimestampNanos: 1,
}

// eachGolden runs f for every golden payload.
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

// TestConformance: a value drawn in binary is read and written again to the same bytes by the generated code, and an
// independent codec that reads what was written agrees about every field.
func TestConformance(t *testing.T) {
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type, independent *oracle.Schema) {
		for seed := range uint64(*rounds) {
			data := newValues(seed).append(nil, own)
			v := value()
			if err := avrobin.Decode(data, v); err != nil {
				t.Fatalf("seed %d: %v\n% x", seed, err, data)
			}
			again, err := avrobin.Encode(v)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if !bytes.Equal(again, data) {
				t.Fatalf("seed %d: read and written again\n got % x\nwant % x", seed, again, data)
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
				t.Fatalf("seed %d: what the independent codec wrote: %v", seed, err)
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

// same compares a generated value, seen through its JSON, with what the independent codec read.
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
			return nil // as a fraction it has lost its scale; the bytes were compared
		}
	}
	if text != want {
		return fmt.Errorf("%s: %s, not %s", t.Logical, text, want)
	}
	return nil
}

// mutate damages data a little.
func (g *values) mutate(data []byte) []byte {
	data = slices.Clone(data)
	for range 1 + g.IntN(3) {
		switch at := g.IntN(len(data) + 1); g.IntN(4) {
		case 0:
			data = data[:at]
		case 1:
			if at < len(data) {
				data[at] = byte(g.Uint32())
			}
		case 2:
			data = slices.Insert(data, at, avrobin.AppendLong(nil, g.long())...)
		case 3:
			if at < len(data) {
				data[at] |= 0x80
			}
		}
	}
	return data
}
