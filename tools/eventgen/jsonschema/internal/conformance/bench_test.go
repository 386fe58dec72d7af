package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/drawtest"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// The same fields in types without generated methods, for encoding/json.
type (
	plainMoney struct {
		Amount   int64   `json:"amount"`
		Currency *string `json:"currency,omitzero"`
	}
	plainLine struct {
		Sku      string   `json:"sku"`
		Quantity int32    `json:"quantity"`
		Price    *float64 `json:"price,omitzero"`
		Tags     []string `json:"tags,omitzero"`
	}
	plainOrder struct {
		Kind       string            `json:"kind"`
		ID         uuid.UUID         `json:"id"`
		Number     *int64            `json:"number,omitzero"`
		At         time.Time         `json:"at"`
		Note       *string           `json:"note,omitzero"`
		Total      plainMoney        `json:"total"`
		Discount   *plainMoney       `json:"discount,omitzero"`
		Lines      []plainLine       `json:"lines"`
		Status     *string           `json:"status,omitzero"`
		Priority   *int64            `json:"priority,omitzero"`
		Attributes map[string]string `json:"attributes,omitzero"`
		Flag       *bool             `json:"flag,omitzero"`
		Contact    *string           `json:"contact,omitzero"`
	}
)

func benchOrder(lines int) *order.OrderPlaced {
	o := &order.OrderPlaced{ID: uuid.MustParse("123e4567-e89b-12d3-a456-426614174000"), Number: jsonvalue.Ptr(int64(17)), At: time.Date(2026, 2, 28, 12, 30, 15, 123456000, time.UTC),
		Note: jsonvalue.Some(jsonvalue.Ptr("Ring twice, please")), Total: order.Money{Amount: 1250000, Currency: jsonvalue.Ptr("EUR")}, Discount: &order.Money{Amount: 500, Currency: jsonvalue.Ptr("EUR")},
		Status: jsonvalue.Ptr(order.OrderPlacedStatusPaid), Priority: jsonvalue.Ptr(order.OrderPlacedPriority2), Attributes: map[string]string{"channel": "web"}, Flag: jsonvalue.Ptr(true),
		Contact: jsonvalue.Ptr("buyer@example.com")}
	for i := range lines {
		o.Lines = append(o.Lines, order.OrderPlacedLinesItem{Sku: fmt.Sprintf("SK%05d", i*37), Quantity: int32(1 + i), Price: jsonvalue.Ptr(float64(50*(i+1)) / 100), Tags: []string{"gift", "été 2026"}})
	}
	return o
}

// benchText returns the JSON of an order, and the same order for encoding/json. It checks that each
// side reads what the other one writes.
func benchText(t testing.TB, o *order.OrderPlaced) ([]byte, *plainOrder) {
	t.Helper()
	text, err := o.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs := new(plainOrder)
	if err := json.Unmarshal(text, theirs); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	var back order.OrderPlaced
	if err := back.DecodeJSON(again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, o) {
		t.Fatalf("encoding/json wrote another value: %s\n%s", again, text)
	}
	return text, theirs
}

var sides = [3]string{"eventgen, checked", "encoding/json, unchecked", "encoding/json and a validator"}

// runs returns the ways to encode and to decode: the generated code, which checks the schema,
// encoding/json alone, and encoding/json with the validator of the tests.
func runs(t testing.TB, o *order.OrderPlaced) (size int, out map[string][3]func() error) {
	text, theirs := benchText(t, o)
	schema := drawtest.Compile(t, o.JSONType().Schema)
	checked := func(text []byte) error {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		return schema.Validate(v)
	}
	buf := make([]byte, 0, 2*len(text))
	return len(text), map[string][3]func() error{
		"encode": {
			func() error { _, err := o.AppendJSON(buf[:0]); return err },
			func() error { _, err := json.Marshal(theirs); return err },
			func() error {
				text, err := json.Marshal(theirs)
				if err == nil {
					err = checked(text)
				}
				return err
			},
		},
		"decode": {
			func() error { return new(order.OrderPlaced).DecodeJSON(text) },
			func() error { return json.Unmarshal(text, new(plainOrder)) },
			func() error {
				if err := checked(text); err != nil {
					return err
				}
				return json.Unmarshal(text, new(plainOrder))
			},
		},
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, lines := range map[string]int{"small": 1, "large": 40} {
		_, all := runs(b, benchOrder(lines))
		for _, what := range []string{"encode", "decode"} {
			for side, run := range all[what] {
				b.Run(name+"/"+what+"/"+sides[side], func(b *testing.B) {
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

// TestCodecRatio logs how long the generated code and encoding/json take in the same run: the best
// of many short alternating rounds, which other work on the machine disturbs least. No figure makes
// it fail.
func TestCodecRatio(t *testing.T) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "document\tbytes\t\teventgen\tallocs\tencoding/json\tallocs\tratio\twith validator\tratio\t")
	for _, c := range []struct {
		name  string
		lines int
	}{{"small", 1}, {"large", 40}} {
		size, all := runs(t, benchOrder(c.lines))
		for _, what := range []string{"encode", "decode"} {
			best := fastest(t, all[what])
			var allocs [3]float64
			for side, run := range all[what] {
				allocs[side] = testing.AllocsPerRun(20, func() { _ = run() })
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.0f\t%s\t%.0f\t%.2f\t%s\t%.1f\t\n", c.name, size, what, best[0], allocs[0], best[1], allocs[1], float64(best[1])/float64(best[0]), best[2], float64(best[2])/float64(best[0]))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the best of %d rounds in turns:\n%s", fulltest.Choose(10, 100), &out)
}

func fastest(t *testing.T, runs [3]func() error) (best [3]time.Duration) {
	t.Helper()
	const calls = 20
	for range fulltest.Choose(10, 100) {
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
