package conformance

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	judge "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/drawtest"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden/doubts"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/golden/families"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var rounds = flag.Int("rounds", fulltest.Choose(50, 500), "random documents for each golden payload")

var names = slices.Sorted(maps.Keys(golden.Values))

func validate(t testing.TB, s *judge.Schema, text []byte) error {
	v, err := judge.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	return s.Validate(v)
}

// TestAgainstValidator decodes random documents. The generated code accepts a document if and only
// if the judge, an independent validator, accepts it. What it encodes is what it decoded, as far as
// the type can hold it, and the judge accepts that too.
func TestAgainstValidator(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().JSONType().Schema
			s := drawtest.Compile(t, text)
			d := drawtest.New(t, text)
			accepted, refused := 0, 0
			for seed := range uint64(*rounds) {
				if try(t, golden.Values[name], s, d.Document(seed)) {
					accepted++
				} else {
					refused++
				}
			}
			if accepted == 0 || refused == 0 && !slices.Contains([]string{"rules.Something", "rules.Whatever"}, name) {
				t.Errorf("%d documents were accepted and %d refused: one side was not tested", accepted, refused)
			}
		})
	}
}

// try reports whether both accept a document, and fails the test if they disagree.
func try(t *testing.T, empty func() jsonvalue.Payload, s *judge.Schema, doc []byte) bool {
	t.Helper()
	verdict := validate(t, s, doc)
	v := empty()
	err := v.DecodeJSON(doc)
	if (err == nil) != (verdict == nil) {
		t.Fatalf("%s\ndecoding: %v\nthe judge: %v", doc, err, verdict)
	}
	if err != nil {
		return false
	}
	again := written(t, v)
	if err := validate(t, s, again); err != nil {
		t.Fatalf("%s was encoded as %s, which the judge refuses: %v", doc, again, err)
	}
	w := empty()
	if err := w.DecodeJSON(again); err != nil {
		t.Fatalf("%s was encoded and cannot be decoded: %v", again, err)
	}
	if third := written(t, w); !bytes.Equal(third, again) {
		t.Fatalf("%s, then %s", again, third)
	}
	return true
}

// TestChangedValues changes decoded values so that most of them no longer conform to their schema.
// What is written of them, the judge accepts: a value that is written without a check of its text
// certainly conforms.
func TestChangedValues(t *testing.T) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().JSONType().Schema
			s, d := drawtest.Compile(t, text), drawtest.New(t, text)
			wrote, refused := 0, 0
			for seed := range uint64(3 * *rounds) {
				v := golden.Values[name]()
				if v.DecodeJSON(d.Document(seed/3)) != nil {
					continue
				}
				r := rand.New(rand.NewPCG(seed, 2))
				for range 1 + r.IntN(3) {
					drawtest.Change(r, v)
				}
				out, err := v.AppendJSON(nil)
				if err != nil {
					refused++
					continue
				}
				wrote++
				if err := validate(t, s, out); err != nil {
					t.Fatalf("%#v\nwas written as %s, which the judge refuses: %v", v, out, err)
				}
				if err := golden.Values[name]().DecodeJSON(out); err != nil {
					t.Fatalf("%#v\nwas written as %s, which cannot be read: %v", v, out, err)
				}
			}
			if unlimited := []string{"rules.Something", "rules.Whatever", "rules.Nothing", "rules.Lists", "order.Scores", "unions.MixedPayload"}; (wrote == 0 || refused == 0) && !slices.Contains(unlimited, name) {
				t.Errorf("%d values were written and %d refused: one side was not tested", wrote, refused)
			}
		})
	}
}

// TestExamples compares each example in Go with the example as text.
func TestExamples(t *testing.T) {
	if len(golden.Examples) < 10 {
		t.Fatal("there are too few examples")
	}
	for _, e := range golden.Examples {
		read := golden.Values[e.Name]()
		if err := read.DecodeJSON([]byte(e.Text)); err != nil {
			t.Errorf("%s: %v", e.Text, err)
			continue
		}
		if want, got := written(t, read), written(t, e.Value()); !bytes.Equal(want, got) {
			t.Errorf("%s in Go is %s, decoded it is %s", e.Name, got, want)
		}
	}
}

func written(t testing.TB, v interface{ AppendJSON([]byte) ([]byte, error) }) []byte {
	const before = "before"
	out, err := v.AppendJSON([]byte(before))
	if err != nil {
		t.Fatalf("a decoded value cannot be encoded: %v", err)
	}
	return bytes.TrimPrefix(out, []byte(before))
}

// TestAnyOfKeepsAll reads values that conform to several objects of an anyOf. They are of the type
// that names the most of their members, and no member is lost.
func TestAnyOfKeepsAll(t *testing.T) {
	for _, c := range []struct {
		text string
		want families.Changed
	}{
		{`{"name":"a"}`, &families.First{}},
		{`{"size":3}`, &families.Second{}},
		{`{"name":"a","size":3}`, &families.First{}},
		{`{"size":3,"other":{"x":[1]}}`, &families.Second{}},
		{`{}`, &families.First{}},
	} {
		var v families.ChangedPayload
		if err := v.DecodeJSON([]byte(c.text)); err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if fmt.Sprintf("%T", v.Value) != fmt.Sprintf("%T", c.want) {
			t.Errorf("%s is read as %T, not %T", c.text, v.Value, c.want)
		}
		if got := string(written(t, &v)); !sameJSON(t, got, c.text) {
			t.Errorf("%s is written again as %s", c.text, got)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Fatalf("%s or %s is not JSON", a, b)
	}
	return reflect.DeepEqual(x, y)
}

// TestForeignTag writes values with the discriminator of another type, which is refused.
func TestForeignTag(t *testing.T) {
	for want, zoo := range map[string]families.Zoo{
		"": {Animal: &families.Hound{Kind: "Hound"}},
		`animal: has "Feline" for "kind", but its type has "Hound"`:       {Animal: &families.Hound{Kind: "Feline"}},
		`animal: has "" for "kind", but its type has "Feline"`:            {Animal: &families.Feline{}},
		`vehicles[0]: has "BIG_TRUCK" for "type", but its type has "CAR"`: {Animal: &families.Hound{Kind: "Hound"}, Vehicles: []families.Vehicle{&families.Car{Type: families.CarTypeBigTruck}}},
	} {
		err := zoo.Validate()
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("got %v, not %q", err, want)
		}
	}
	var v families.Zoo
	if err := v.DecodeJSON([]byte(`{"animal":{"kind":"Nothing"}}`)); err == nil {
		t.Error("a kind that no subtype has was read")
	}
}

// TestForeignTagElsewhere writes discriminators that are nullable, optional, of a type of their own
// or in a map. That of another type is refused, although its schema accepts the value.
func TestForeignTagElsewhere(t *testing.T) {
	text := jsonvalue.Ptr[string]
	for _, c := range []struct {
		value jsonvalue.Payload
		want  string
	}{
		{&doubts.Owner{Pets: []doubts.Pet{&doubts.Cat{Kind: text("Cat")}}}, ""},
		{&doubts.Owner{Pets: []doubts.Pet{&doubts.Cat{Kind: text("Dog")}}}, `pets[0]: has "Dog" for "kind", but its type has "Cat"`},
		{&doubts.Owner{Pets: []doubts.Pet{&doubts.Cat{}}}, `pets[0]: has no text "kind", which selects its form`},
		{&doubts.Owner{Spots: []doubts.Spot{&doubts.Dab{Kind: text("Splash")}}}, `spots[0]: has "Splash" for "kind", but its type has "Dab"`},
		{&doubts.Owner{Spots: []doubts.Spot{&doubts.Dab{}}}, `spots[0]: has no text "kind", which selects its form`},
		{&doubts.Owner{Keys: []doubts.Key{&doubts.Main{ID: uuid.MustParse("6d2f1a4e-7d0c-4c1c-9a53-0d1b3a5c7e91")}}}, ""},
		{&doubts.Owner{Keys: []doubts.Key{&doubts.Main{ID: uuid.MustParse("0f8fad5b-d9cb-469f-a165-70867728950e")}}}, `keys[0]: has "0f8fad5b-d9cb-469f-a165-70867728950e" for "id", but its type has "6d2f1a4e-7d0c-4c1c-9a53-0d1b3a5c7e91"`},
		{&doubts.Owner{Days: []doubts.Day{&doubts.Eve{On: jsonvalue.Date{Year: 2026, Month: 12, Day: 24}}}}, ""},
		{&doubts.Owner{Days: []doubts.Day{&doubts.Eve{On: jsonvalue.Date{Year: 2026, Month: 12, Day: 25}}}}, `days[0]: has "2026-12-25" for "on", but its type has "2026-12-24"`},
		{&doubts.Owner{Sizes: []doubts.Sized{&doubts.Little{Size: "M"}, &doubts.Big{Size: doubts.BigSizeXl}}}, ""},
		{&doubts.Owner{Sizes: []doubts.Sized{&doubts.Little{Size: "L"}}}, `sizes[0]: has "L" for "size", but its type has "S" or "M"`},
		{&doubts.Owner{Times: []doubts.Moment{&doubts.Short{At: "PT2M"}}}, `times[0]: has "PT2M" for "at", but its type has "PT1M"`},
		{&doubts.Drawn{Mark: &doubts.Loose{Extra: map[string]jsonvalue.Any{"kind": jsonvalue.MustAny(`"Dot"`)}}}, `mark: has "Dot" for "kind", but its type has "Loose"`},
		{&doubts.Drawn{Mark: &doubts.Typed{Extra: map[string]*string{"kind": text("Few")}}}, `mark: has "Few" for "kind", but its type has "Typed"`},
		{&doubts.Drawn{Mark: &doubts.Typed{Extra: map[string]*string{"kind": nil}}}, `mark: has no text "kind", which selects its form`},
		{&doubts.Drawn{Mark: &doubts.Matched{K: map[string]string{"kind": "Dot"}}}, `mark: has "Dot" for "kind", but its type has "Matched"`},
		{&doubts.Drawn{Mark: (*doubts.Loose)(nil)}, "mark: is not set"},
		{&doubts.Drawn{Mark: (*doubts.Dot)(nil)}, "mark: is not set"},
	} {
		_, err := c.value.AppendJSON(nil)
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("got %v, not %q", err, c.want)
		}
	}
}

// TestTagOfTwins reads and writes alternatives that are one Go type without the discriminator. Each
// keeps its own.
func TestTagOfTwins(t *testing.T) {
	for _, text := range []string{`{"pets":[],"twins":[{"n":1,"kind":"Left"},{"n":1,"kind":"Right"},{"kind":"single"}]}`, `{"pets":[],"sizes":[{"size":"M"},{"size":"S"},{"size":"XL"}]}`} {
		var v doubts.Owner
		if err := v.DecodeJSON([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := v.AppendJSON(nil); string(got) != text || err != nil {
			t.Errorf("%s was written as %s (%v)", text, got, err)
		}
	}
}

// TestTagOfUnionAlone writes structs whose schema does not name the discriminator: as one of a
// union with the discriminator, and on their own as they are.
func TestTagOfUnionAlone(t *testing.T) {
	few := &doubts.Few{Size: jsonvalue.Ptr[int64](1)}
	for _, c := range []struct {
		value doubts.Drawn
		want  string // "" if it is refused
	}{
		{doubts.Drawn{Mark: &doubts.Dot{Size: 3}, Dot: &doubts.Dot{Size: 3}}, `{"mark":{"size":3,"kind":"Dot"},"dot":{"size":3}}`},
		{doubts.Drawn{Mark: &doubts.Loose{}}, `{"mark":{"kind":"Loose"}}`},
		{doubts.Drawn{Mark: &doubts.Typed{}, Typed: &doubts.Typed{}}, `{"mark":{"kind":"Typed"},"typed":{}}`},
		{doubts.Drawn{Mark: &doubts.Few{}, Few: few}, `{"mark":{"kind":"Few"},"few":{"size":1}}`},
		{doubts.Drawn{Mark: few}, ""},
		{doubts.Drawn{Mark: &doubts.Matched{}}, `{"mark":{"kind":"Matched"}}`},
	} {
		got, err := c.value.AppendJSON(nil)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("got %s (%v), not %s", got, err, c.want)
		}
	}
	for _, doc := range []string{`{"dot":{"size":3,"kind":"x"}}`, `{"loose":{"kind":"x"}}`, `{"typed":{"kind":"x"}}`, `{"mark":{"kind":"Loose","more":[1]}}`, `{"mark":{"kind":"Typed","more":null}}`, `{"mark":{"kind":"Matched","x-a":"b"}}`} {
		var v doubts.Drawn
		if err := v.DecodeJSON([]byte(doc)); err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		want := doc
		if v.Dot != nil { // it does not hold what its schema does not name
			want = `{"dot":{"size":3}}`
		}
		if got := string(written(t, &v)); !sameJSON(t, got, want) {
			t.Errorf("%s is written again as %s", doc, got)
		}
	}
}
