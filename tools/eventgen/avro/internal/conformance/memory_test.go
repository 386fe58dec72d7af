package conformance

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Decoding may allocate what it returns, and in addition at most this much.
const (
	// bytes for each byte of the message, for lengths that are longer than their content
	wastePerByte = 8
	// times what it returns, for slices that were outgrown and sizes that were rounded up
	wasteGrown   = 2
	wasteAtLeast = 2 << 10 // the error and the first slices
)

// mostPerByte limits the total for each byte of the message, in addition to wasteAtLeast. The value
// can be larger than the message: a time or an empty array has one byte in the message and 24 in
// memory, and an array that grows item by item is allocated four times.
const mostPerByte = 4 * 24

// allocated returns the number of bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// held returns the number of bytes that are reachable from v, without v itself.
func held(v reflect.Value) uint64 {
	if v.Type() == reflect.TypeFor[avrobin.Decimal]() {
		return uint64(reflect.TypeFor[big.Int]().Size()) + uint64(len(v.Interface().(avrobin.Decimal).Unscaled().Bytes()))
	}
	var n uint64
	switch v.Kind() {
	case reflect.String:
		n = uint64(v.Len())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Type().String() != "*time.Location" {
			n = uint64(v.Elem().Type().Size()) + held(v.Elem())
		}
	case reflect.Slice:
		n = uint64(v.Cap()) * uint64(v.Type().Elem().Size())
		for i := range v.Len() {
			n += held(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			n += 2*uint64(v.Type().Key().Size()+v.Type().Elem().Size()+1) + held(it.Key()) + held(it.Value())
		}
	case reflect.Struct:
		if v.Type().PkgPath() != "time" {
			for i := range v.NumField() {
				n += held(v.Field(i))
			}
		}
	}
	return n
}

// measure decodes data and returns the bytes that were allocated and the limit. What the runtime
// and other goroutines allocate meanwhile is counted too, so a result above the limit is measured
// again: the least is closest to what decoding allocates.
func measure(data []byte, value func() avrobin.Value) (v avrobin.Value, cost, limit uint64, err error) {
	cost = math.MaxUint64
	for range 3 {
		v = value()
		cost = min(cost, allocated(func() { err = avrobin.Decode(data, v) }))
		limit = wastePerByte*uint64(len(data)) + (1+wasteGrown)*held(reflect.ValueOf(v).Elem()) + wasteAtLeast
		limit = min(limit, mostPerByte*uint64(len(data))+wasteAtLeast)
		if cost <= limit {
			break
		}
	}
	return v, cost, limit, err
}

// hostile returns messages that are to cost their reader more than their sender: counts and lengths
// far beyond what follows, at the beginning and inside, once and repeatedly.
func hostile(g *draw.Values, data []byte) [][]byte {
	var out [][]byte
	for _, n := range []int64{math.MaxInt64, math.MinInt64, math.MinInt64 + 1, math.MaxInt32, -math.MaxInt32, 1 << 20, -(1 << 20), 65536, 1000, -1} {
		bomb := avrobin.AppendLong(nil, n)
		at := g.IntN(len(data) + 1)
		out = append(out, slices.Concat(data[:at], bomb, data[at:]), slices.Concat(data[:at], bomb, avrobin.AppendLong(nil, int64(len(data))), data), bytes.Repeat(bomb, 200))
		if at < len(data) {
			out = append(out, slices.Concat(data[:at], bomb, data[at+1:], make([]byte, 4096)))
		}
	}
	// Many small values.
	for _, b := range []byte{0, 1, 2, 4, 0x7e, 0xff} {
		out = append(out, bytes.Repeat([]byte{b}, 4000), append(avrobin.AppendLong(nil, 3900), bytes.Repeat([]byte{b}, 4000)...), append(bytes.Clone(data), bytes.Repeat([]byte{b}, 4000)...))
	}
	// Counts as large as the remaining bytes allow, nested where the type is recursive.
	for _, n := range []int64{1, 20, 1000} {
		lie := avrobin.AppendLong(nil, n)
		out = append(out, bytes.Repeat(lie, 6000), bytes.Repeat(append([]byte{0}, lie...), 4000), bytes.Repeat(append([]byte{2, 'x'}, lie...), 4000))
	}
	return out
}

// TestMutated decodes damaged and hostile bytes. The result is an error or a value, never a panic,
// and takes no more memory than the value and a small multiple of the message.
func TestMutated(t *testing.T) {
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type, _ *oracle.Schema) {
		var worst float64
		var worstData []byte
		tried := 0
		check := func(data []byte) {
			v, cost, limit, err := measure(data, value)
			tried++
			if cost > limit {
				t.Fatalf("%d bytes were allocated for %d bytes with a value of %d, more than %d: % .200x", cost, len(data), held(reflect.ValueOf(v).Elem()), limit, data)
			}
			if per := float64(cost) / float64(len(data)); len(data) >= 1024 && per > worst {
				worst, worstData = per, data
			}
			if err != nil {
				return
			}
			if _, err := avrobin.Encode(v); err != nil {
				t.Fatalf("a decoded value cannot be encoded: %v\n% x", err, data)
			}
		}
		for seed := range uint64(*rounds) {
			g := draw.New(seed)
			check(g.Mutate(g.Append(nil, own)))
		}
		for seed := range uint64(*rounds / 20) {
			g := &draw.Values{Rand: rand.New(rand.NewPCG(seed, 8))}
			for _, data := range hostile(g, g.Append(nil, own)) {
				check(data)
			}
		}
		t.Logf("%d messages; those of a kilobyte and more took at most %.1f bytes per byte: % x", tried, worst, worstData[:min(len(worstData), 12)])
	})
}
