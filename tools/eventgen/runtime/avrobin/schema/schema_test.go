package schema

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestFingerprintVectors checks the fingerprints of Avro's own test data
// (share/test/data/schema-tests.txt).
func TestFingerprintVectors(t *testing.T) {
	for text, want := range map[string]int64{
		`"null"`:            7195948357588979594,
		`{"type":"null"}`:   7195948357588979594,
		`"boolean"`:         -6970731678124411036,
		`"int"`:             8247732601305521295,
		`"long"`:            -3434872931120570953,
		`"float"`:           5583340709985441680,
		`"double"`:          -8181574048448539266,
		`"bytes"`:           5746618253357095269,
		`"string"`:          -8142146995180207161,
		`[]`:                -1241056759729112623,
		`["int"]`:           -5232228896498058493,
		`["int","boolean"]`: 5392556393470105090,
		`{"fields":[],"type":"record","name":"foo"}`:                                        -4824392279771201922,
		`{"fields":[],"type":"record","name":"foo","namespace":"x.y"}`:                      5916914534497305771,
		`{"fields":[],"type":"record","name":"a.b.foo","namespace":"x.y"}`:                  -4616218487480524110,
		`{"fields":[],"type":"record","name":"foo","doc":"Useful info"}`:                    -4824392279771201922,
		`{"fields":[],"type":"record","name":"foo","aliases":["foo","bar"]}`:                -4824392279771201922,
		`{"fields":[{"type":{"type":"boolean"},"name":"f1"}],"type":"record","name":"foo"}`: 7843277075252814651,
		`{"type":"enum","name":"foo","symbols":["A1"]}`:                                     -6342190197741309591,
		`{"type":"fixed","name":"foo","size":15}`:                                           1756455273707447556,
		`{"items":{"type":"null"},"type":"array"}`:                                          -589620603366471059,
		`{"values":"string","type":"map"}`:                                                  -8732877298790414990,
	} {
		s, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := int64(s.Fingerprint()); got != want {
			t.Errorf("%s: %d, want %d (%s)", text, got, want, s.Canonical())
		}
	}
}

// TestText checks that the text has everything of the schema, with resolved names.
func TestText(t *testing.T) {
	const text = `{"type":"record","name":"A","namespace":"n.m","doc":"d","aliases":["n.m.Old"],"fields":[` +
		`{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"],"default":"Y"},"doc":"\"quoted\" <b>","default":"X","order":"ignore","aliases":["f"]},` +
		`{"name":"again","type":["null","E"],"default":null},` +
		`{"name":"o","type":{"type":"fixed","name":"F","namespace":"other","size":3,"x-note":{"a":[1,2.50,true,null]}}},` +
		`{"name":"p","type":{"type":"record","name":"P","namespace":"","fields":[{"name":"a","type":["null","n.m.A"]}]}},` +
		`{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}},` +
		`{"name":"s","type":{"type":"string","avro.java.string":"String"}},` +
		`{"name":"m","type":{"type":"map","values":{"type":"array","items":"other.F"}}}]}`
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Text(); got != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

func TestHostileText(t *testing.T) {
	for name, text := range map[string]string{
		"deep":            strings.Repeat("[", 100000),
		"deep arrays":     strings.Repeat(`{"type":"array","items":`, 5000) + `"int"` + strings.Repeat("}", 5000),
		"empty":           "",
		"cut off":         `{"type":"record"`,
		"two":             `"int" "int"`,
		"not JSON":        "int",
		"name that is it": `{"type":"record","name":"A","fields":[{"name":"x","type":"A2"}]}`,
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// Defaults that contain each other have no end, and such records have no least size.
	for _, text := range []string{
		`{"type":"record","name":"R","fields":[{"name":"f","type":["R","null"],"default":{}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":"R","default":{}}]}`,
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := AppendJSON(nil, s, &Node{Kind: JSONObject}); err == nil {
			t.Errorf("%s: its default is accepted", text)
		}
		s.MinBytes()
	}
}

// TestDefaultsThatMultiply holds that a default is refused if those of other fields make it large:
// sixteen records are enough for 65,535 values.
func TestDefaultsThatMultiply(t *testing.T) {
	text := `{"type":"record","name":"R0","fields":[{"name":"a","type":"int","default":0}]}`
	for i := range 15 {
		text = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s,"default":{}},{"name":"b","type":"R%d","default":{}}]}`, i+1, text, i)
	}
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AppendJSON(nil, s, &Node{Kind: JSONObject}); err == nil {
		t.Error("the default is accepted")
	}
}

// TestDefaultsInCircles holds that a default that leads back to itself in many ways is refused
// soon: trying each of them takes longer than anybody waits.
func TestDefaultsInCircles(t *testing.T) {
	s, err := Parse(`{"type":"record","name":"R","fields":[{"name":"s","type":["null",` +
		`{"type":"record","name":"S","fields":[{"name":"f","type":["R","S","null"],"default":{}}]}],"default":null},{"name":"f","type":["R","S","null"],"default":{}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := AppendJSON(nil, s, &Node{Kind: JSONObject}); err == nil {
		t.Error("the default is accepted")
	}
}

// TestNoFiniteValue draws graphs of records and compares the records without a finite value with
// those that a search by depth finds.
func TestNoFiniteValue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	none := 0
	for range 2000 {
		types := make([]*Type, 1+random.IntN(6))
		for i := range types {
			types[i] = &Type{Kind: Record, Name: fmt.Sprint("R", i)}
		}
		for _, r := range types {
			for range random.IntN(3) {
				branches := make([]*Type, 1+random.IntN(3))
				for i := range branches {
					if branches[i] = types[random.IntN(len(types))]; random.IntN(5) == 0 {
						branches[i] = &Type{Kind: Array, Items: branches[i]}
					}
				}
				field := &Field{Type: branches[0]}
				if len(branches) > 1 {
					field.Type = &Type{Kind: Union, Branches: branches}
				}
				r.Fields = append(r.Fields, field)
			}
		}
		known := finite(types)
		circles := known.circles(types)
		all := true
		for _, r := range types {
			want := fits(r, 2*len(types))
			if known.has(r) != want {
				t.Fatalf("%s of %d: has a finite value: %v, want %v", r.Name, len(types), !want, want)
			}
			all = all && want
		}
		if all != (len(circles) == 0) {
			t.Fatalf("%d circles, all are finite: %v", len(circles), all)
		}
		none += len(circles)
	}
	if none < 100 {
		t.Errorf("only %d circles were drawn", none)
	}
}

// fits reports whether a type has a value that nests at most so deep.
func fits(t *Type, depth int) bool {
	if t.Kind == Union {
		return slices.ContainsFunc(t.Branches, func(b *Type) bool { return fits(b, depth) })
	}
	return depth > 0 && !slices.ContainsFunc(t.Fields, func(f *Field) bool { return !fits(f.Type, depth-1) })
}
