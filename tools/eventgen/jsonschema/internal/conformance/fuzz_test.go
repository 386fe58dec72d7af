package conformance

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	judge "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/drawtest"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden"
)

// beyond are parts of the errors for values that JSON Schema accepts, but that have no Go value or
// cannot be encoded again as they are.
var beyond = []string{"is not an integer of", "is out of range for a number of", "twice", "nested deeper", "an exponent beyond", "a number of more than", "UTF-8", "surrogate", "escape", "is the zero time", "too much work"}

func onPurpose(err error) bool {
	for _, b := range beyond {
		if err != nil && strings.Contains(err.Error(), b) {
			return true
		}
	}
	return false
}

// FuzzDecode decodes any bytes. Decoding terminates and agrees with the judge, and a decoded value
// can be encoded and decoded again.
func FuzzDecode(f *testing.F) {
	judges := make([]*judge.Schema, len(names))
	for i, name := range names {
		text := golden.Values[name]().JSONType().Schema
		judges[i] = drawtest.Compile(f, text)
		d := drawtest.New(f, text)
		for seed := range uint64(6) {
			f.Add(byte(i), d.Document(seed))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		i := int(which) % len(names)
		err := golden.Values[names[i]]().DecodeJSON(data)
		if onPurpose(err) || strings.Contains(string(data), `:60`) || !json.Valid(data) && err != nil {
			return
		}
		try(t, golden.Values[names[i]], judges[i], data)
	})
}

// TestHostileTextMemory limits the memory of decoding. It takes memory for the value and for an
// index, which is kept for the next message.
func TestHostileTextMemory(t *testing.T) {
	open, closed := strings.Repeat("[", 199), strings.Repeat("]", 199)
	for _, text := range []string{
		open + strings.Repeat("0,", 100_000) + "0" + closed,
		`{"` + strings.Repeat("a", 1<<20) + `":1}`,
		`"` + strings.Repeat(`\u0000`, 100_000) + `"`,
		strings.Repeat("[{},", 150) + "0" + strings.Repeat("]", 150),
		`{"x":` + strings.Repeat("1", 300) + strings.Repeat(`,"y":1`, 100_000) + `}`,
	} {
		for _, name := range names {
			v := golden.Values[name]()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := v.DecodeJSON([]byte(text))
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > uint64(80*len(text)+1<<20) {
				t.Errorf("%s: %d bytes were allocated for %d: %v", name, used, len(text), err)
			}
		}
	}
}
