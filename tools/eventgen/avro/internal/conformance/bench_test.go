package conformance

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/hamba/avro/v2"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// hamba is configured for speed, as its documentation recommends: arrays and maps have no sizes in
// bytes, as in the generated code. Its decoders and encoders are cached and the schema is parsed in
// advance.
var hamba = avro.Config{DisableBlockSizeHeader: true}.Freeze()

type benchCase struct {
	name   string
	value  avrobin.Value
	empty  func() avrobin.Value
	theirs func() any
	schema avro.Schema
	data   []byte
	loaded any
}

func benchCases(t testing.TB) []benchCase {
	t.Helper()
	activated := contractbus.ExampleContractActivated()
	cases := []benchCase{
		{name: "small", value: benchPayment(), empty: func() avrobin.Value { return new(order.Payment) }, theirs: func() any { return new(hambaPayment) }},
		{name: "event", value: &activated, empty: func() avrobin.Value { return new(event.ContractActivated) }, theirs: func() any { return new(hambaActivated) }},
		{name: "large", value: benchOrder(), empty: func() avrobin.Value { return new(order.Order) }, theirs: func() any { return new(hambaOrder) }},
	}
	for i := range cases {
		c := &cases[i]
		var err error
		if c.schema, err = avro.Parse(c.value.AvroType().Schema); err != nil {
			t.Fatal(err)
		}
		if c.data, err = avrobin.Encode(c.value); err != nil {
			t.Fatal(err)
		}
		c.loaded = c.theirs()
		if err := hamba.Unmarshal(c.schema, c.data, c.loaded); err != nil {
			t.Fatal(err)
		}
		theirs, err := hamba.Marshal(c.schema, c.loaded)
		if err != nil {
			t.Fatal(err)
		}
		again := c.empty()
		if err := avrobin.Decode(theirs, again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, c.value) {
			t.Fatalf("hamba wrote another value: %+v", again)
		}
	}
	return cases
}

// runs returns what is measured: our code beside that of hamba.
func (c *benchCase) runs() map[string][2]func() error {
	return map[string][2]func() error{
		"encode": {
			func() error { _, err := avrobin.Encode(c.value); return err },
			func() error { _, err := hamba.Marshal(c.schema, c.loaded); return err },
		},
		"decode": {
			func() error { return avrobin.Decode(c.data, c.empty()) },
			func() error { return hamba.Unmarshal(c.schema, c.data, c.theirs()) },
		},
	}
}

var sides = [2]string{"eventgen", "hamba"}

func BenchmarkCodec(b *testing.B) {
	for _, c := range benchCases(b) {
		for _, name := range []string{"encode", "decode"} {
			for side, run := range c.runs()[name] {
				b.Run(c.name+"/"+name+"/"+sides[side], func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := run(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// best returns the times of the fastest of many short alternating rounds, which other work on the
// machine and the garbage collector disturb least. A round is so short that it ends before a
// collection begins.
func best(t *testing.T, runs [2]func() error, size int) (best [2]time.Duration) {
	t.Helper()
	calls := time.Duration(20 + 12_000/size)
	for range 100 {
		for side, run := range runs {
			start := time.Now()
			for range calls {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}
			if d := time.Since(start) / calls; best[side] == 0 || d < best[side] {
				best[side] = d
			}
		}
	}
	return best
}

// ratios fills into with measured ratios of the speeds, sorted, and returns the best time of each
// side.
func ratios(t *testing.T, runs [2]func() error, size int, into []float64) (fastest [2]time.Duration) {
	t.Helper()
	for i := range into {
		b := best(t, runs, size)
		into[i] = float64(b[1]) / float64(b[0])
		for side := range b {
			if fastest[side] == 0 || b[side] < fastest[side] {
				fastest[side] = b[side]
			}
		}
	}
	slices.Sort(into)
	return fastest
}

// TestCodecRatio logs how much faster the generated code is than hamba's reflection in the same
// run. With RATIO=1 it fails below 2.5.
func TestCodecRatio(t *testing.T) {
	if raced {
		t.Skip("it measures time and allocations")
	}
	cases := benchCases(t)
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "record\tbytes\t\teventgen\tallocs\thamba\tallocs\tratio\tmin\tmax\t")
	for i := range cases {
		c := &cases[i]
		for _, name := range []string{"encode", "decode"} {
			runs := c.runs()[name]
			ratio := make([]float64, fulltest.Choose(1, 11))
			fastest := ratios(t, runs, len(c.data), ratio)
			var allocs [2]float64
			for side, run := range runs {
				allocs[side] = testing.AllocsPerRun(100, func() { _ = run() })
			}
			median := ratio[len(ratio)/2]
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.0f\t%s\t%.0f\t%.2f\t%.2f\t%.2f\t\n", c.name, len(c.data), name, fastest[0], allocs[0], fastest[1], allocs[1], median, ratio[0], ratio[len(ratio)-1])
			if name == "encode" && allocs[0] > 1 {
				t.Errorf("%s: encoding allocates %v times, want at most once", c.name, allocs[0])
			}
			if median < 2.5 && os.Getenv("RATIO") != "" {
				t.Errorf("%s %s: only %.2f times as fast as hamba", c.name, name, median)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the median of %d measurements, each the best of 100 rounds in turns:\n%s", fulltest.Choose(1, 11), &out)
}
