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
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden/kinds"
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
	plainTexts struct {
		Name  string   `json:"name"`
		Note  string   `json:"note"`
		Code  string   `json:"code"`
		Lines []string `json:"lines"`
	}
	plainNumbers struct {
		Count  int64     `json:"count"`
		Small  int32     `json:"small"`
		Price  float64   `json:"price"`
		Share  *float64  `json:"share,omitzero"`
		Ratios []float64 `json:"ratios"`
	}
	plainAmount struct {
		Amount int64   `json:"amount"`
		Unit   *string `json:"unit,omitzero"`
	}
	plainMaps struct {
		Labels  map[string]string      `json:"labels"`
		Amounts map[string]plainAmount `json:"amounts"`
	}
	plainFormats struct {
		ID   uuid.UUID `json:"id"`
		At   time.Time `json:"at"`
		Day  string    `json:"day"`
		Mail string    `json:"mail"`
		Wait *string   `json:"wait,omitzero"`
		Site *string   `json:"site,omitzero"`
		Data []byte    `json:"data,omitzero"`
	}
	plainMove struct {
		Kind string `json:"kind"`
		X    int64  `json:"x"`
		Y    int64  `json:"y"`
	}
	plainSay struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
	}
	plainMail struct {
		Mail string `json:"mail"`
	}
	plainPhone struct {
		Phone string `json:"phone"`
	}
	plainA struct {
		A int64 `json:"a"`
	}
	plainB struct {
		B string `json:"b"`
		C *bool  `json:"c,omitzero"`
	}
	plainVariants struct {
		Steps  []any `json:"steps"`
		Either []any `json:"either"`
		Loose  []any `json:"loose"`
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

// speedCase is a value of a generated type, and the same value for encoding/json.
type speedCase struct {
	name   string
	ours   jsonvalue.Payload
	theirs any
}

func speedCases() []speedCase {
	ascii, accents := "A note in plain words, which needs no escapes at all. ", "Café de la Gare, 2e étage, sonnez \"fort\"\n"
	ratios := []float64{0.5, 1.25, 3, 1e-9, 17, 0.1, 2.0 / 3, 1e6, -4, 12345.678}
	cases := []speedCase{
		{"order, 1 line", benchOrder(1), new(plainOrder)},
		{"order, 40 lines", benchOrder(40), new(plainOrder)},
		{"texts, ASCII", benchTexts(ascii), new(plainTexts)},
		{"texts, accents", benchTexts(accents), new(plainTexts)},
		{"numbers", &kinds.Numbers{Count: 1234567, Small: -15, Price: 19.99, Share: jsonvalue.Ptr(0.25), Ratios: ratios}, new(plainNumbers)},
		{"maps", benchMaps(), new(plainMaps)},
		{"formats", &kinds.Formats{ID: uuid.MustParse("123e4567-e89b-12d3-a456-426614174000"), At: time.Date(2026, 2, 28, 12, 30, 15, 0, time.UTC), Day: jsonvalue.Date{Year: 2026, Month: 2, Day: 28},
			Mail: "first.last@mail.example", Wait: jsonvalue.Ptr(jsonvalue.Duration("PT15M")), Site: jsonvalue.Ptr("https://shop.example/orders/17?q=1"), Data: []byte(ascii)}, new(plainFormats)},
	}
	ours, theirs := &kinds.Variants{}, &plainVariants{}
	for i := range int64(10) {
		ours.Steps = append(ours.Steps, &kinds.Move{X: i, Y: -i}, &kinds.Say{Text: "hello"})
		theirs.Steps = append(theirs.Steps, &plainMove{"move", i, -i}, &plainSay{"say", "hello"})
		ours.Either = append(ours.Either, &kinds.Mail{Mail: "a@b.example"}, &kinds.Phone{Phone: "01234"}, kinds.EitherNumber{Value: i + 1})
		theirs.Either = append(theirs.Either, &plainMail{"a@b.example"}, &plainPhone{"01234"}, i+1)
		ours.Loose = append(ours.Loose, &kinds.LooseA{A: i}, &kinds.LooseB{B: "text", C: jsonvalue.Ptr(true)})
		theirs.Loose = append(theirs.Loose, &plainA{i}, &plainB{"text", jsonvalue.Ptr(true)})
	}
	return append(cases, speedCase{"variants", ours, theirs})
}

func benchTexts(text string) *kinds.Texts {
	out := &kinds.Texts{Name: text, Note: strings.Repeat(text, 20), Code: "ABC-123456"}
	for range 20 {
		out.Lines = append(out.Lines, text)
	}
	return out
}

func benchMaps() *kinds.Maps {
	out := &kinds.Maps{Labels: map[string]string{}, Amounts: map[string]kinds.MapsAmountsValue{}}
	for i := range int64(10) {
		out.Labels[fmt.Sprintf("label-%d", i*7)] = "value"
		out.Amounts[fmt.Sprintf("amount-%d", i*3)] = kinds.MapsAmountsValue{Amount: i * 1000, Unit: jsonvalue.Ptr(kinds.MapsAmountsValueUnitEur)}
	}
	return out
}

// text returns the JSON of a case. It checks that each side reads what the other one writes, except
// that encoding/json cannot read alternatives.
func (c *speedCase) text(t testing.TB) []byte {
	t.Helper()
	text, err := c.ours.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.reads() {
		if err := json.Unmarshal(text, c.theirs); err != nil {
			t.Fatal(err)
		}
	}
	again, err := json.Marshal(c.theirs)
	if err != nil {
		t.Fatal(err)
	}
	back := reflect.New(reflect.TypeOf(c.ours).Elem()).Interface().(jsonvalue.Payload)
	if err := back.DecodeJSON(again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, c.ours) {
		t.Fatalf("encoding/json wrote another value: %s\n%s", again, text)
	}
	return text
}

func (c *speedCase) reads() bool { _, variants := c.theirs.(*plainVariants); return !variants }

var sides = [3]string{"eventgen, checked", "encoding/json, unchecked", "encoding/json and a validator"}

// way is a way to encode or to decode: with the generated code, which checks the schema, with
// encoding/json alone, and with encoding/json and the validator of the tests.
type way struct {
	name string
	runs [3]func() error
}

func (c *speedCase) ways(t testing.TB) (size int, out []way) {
	text := c.text(t)
	schema := drawtest.Compile(t, c.ours.JSONType().Schema)
	checked := func(text []byte) error {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		return schema.Validate(v)
	}
	buf := make([]byte, 0, 2*len(text))
	out = []way{{"encode", [3]func() error{
		func() error { _, err := c.ours.AppendJSON(buf[:0]); return err },
		func() error { _, err := json.Marshal(c.theirs); return err },
		func() error {
			text, err := json.Marshal(c.theirs)
			if err == nil {
				err = checked(text)
			}
			return err
		},
	}}}
	if c.reads() {
		ours, theirs := reflect.TypeOf(c.ours).Elem(), reflect.TypeOf(c.theirs).Elem()
		out = append(out, way{"decode", [3]func() error{
			func() error { return reflect.New(ours).Interface().(jsonvalue.Payload).DecodeJSON(text) },
			func() error { return json.Unmarshal(text, reflect.New(theirs).Interface()) },
			func() error {
				if err := checked(text); err != nil {
					return err
				}
				return json.Unmarshal(text, reflect.New(theirs).Interface())
			},
		}})
	}
	return len(text), out
}

func BenchmarkCodec(b *testing.B) {
	for _, c := range speedCases() {
		_, ways := c.ways(b)
		for _, w := range ways {
			for side, run := range w.runs {
				b.Run(c.name+"/"+w.name+"/"+sides[side], func(b *testing.B) {
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
	for _, c := range speedCases() {
		size, ways := c.ways(t)
		for _, at := range ways {
			best := fastest(t, at.runs)
			var allocs [3]float64
			for side, run := range at.runs {
				allocs[side] = testing.AllocsPerRun(20, func() { _ = run() })
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.0f\t%s\t%.0f\t%.2f\t%s\t%.1f\t\n", c.name, size, at.name, best[0], allocs[0], best[1], allocs[1], float64(best[1])/float64(best[0]), best[2], float64(best[2])/float64(best[0]))
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
