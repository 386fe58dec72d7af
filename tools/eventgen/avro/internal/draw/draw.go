// Package draw generates random values of a schema in binary, damaged bytes, and later versions of
// a schema. The results depend on the seed alone. Tests of generated Avro codecs import it, and
// nothing else does.
package draw

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Values generates values of a schema in binary, independently of the generated codecs.
type Values struct {
	*rand.Rand
	depth int
}

// New returns Values with a seed.
func New(seed uint64) *Values { return &Values{Rand: rand.New(rand.NewPCG(seed, 7))} }

func (g *Values) long() int64 {
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

func (g *Values) text() string {
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

func (g *Values) raw(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// instant returns a time that can be encoded in every unit.
func (g *Values) instant(t *schema.Type) int64 {
	if g.IntN(10) == 0 {
		return g.Int64N(3) - 1 // near the epoch, which takes one byte
	}
	year := func(y int) int64 { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).Unix() }
	sec := year(1700) + g.Int64N(year(2250)-year(1700))
	unit := units[t.Logical]
	return sec*int64(time.Second/unit) + g.Int64N(int64(time.Second/unit))
}

// Append appends a random value of a schema.
func (g *Values) Append(dst []byte, t *schema.Type) []byte {
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
		return g.Append(avrobin.AppendLong(dst, int64(i)), t.Branches[i])
	case schema.Array, schema.Map:
		return g.items(dst, t)
	}
	for _, f := range t.Fields {
		dst = g.Append(dst, f.Type)
	}
	return dst
}

func (g *Values) items(dst []byte, t *schema.Type) []byte {
	n := g.IntN(5)
	if g.depth > 8 {
		n = 0
	}
	if n > 0 {
		dst = avrobin.AppendLong(dst, int64(n))
	}
	for i := range n {
		if t.Kind == schema.Map {
			// sorted, as in the generated code
			dst = avrobin.AppendString(dst, fmt.Sprintf("%c%d", 'a'+i, g.IntN(10)))
		}
		dst = g.Append(dst, t.Items)
	}
	return append(dst, 0)
}

func (g *Values) logical(dst []byte, t *schema.Type) []byte {
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
		// The independent codec decodes a fraction, which has no zeros at the end.
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

// units are the units of encoded numbers.
var units = map[schema.Logical]time.Duration{
	schema.TimeMillis: time.Millisecond, schema.TimeMicros: time.Microsecond,
	schema.TimestampMillis: time.Millisecond, schema.TimestampMicros: time.Microsecond, schema.TimestampNanos: 1,
	schema.LocalTimestampMillis: time.Millisecond, schema.LocalTimestampMicros: time.Microsecond, schema.LocalTimestampNanos: 1,
}

// Mutate returns data with some damage.
func (g *Values) Mutate(data []byte) []byte {
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

// evolve changes a schema as its authors might: it adds, removes and reorders fields and symbols,
// and widens types.
func (g *Values) evolve(n any) any {
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

func (g *Values) evolveObject(v map[string]any) any {
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
			continue // it does not define a name that others could use
		}
		delete(f, "default") // it may not be a value of the new type
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

// Evolved returns a later version of a schema. In it a name can be used before its definition,
// which some parsers refuse.
func Evolved(text string, seed uint64) (string, error) {
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return "", err
	}
	evolved, err := json.Marshal(New(seed).evolve(tree))
	return string(evolved), err
}
