package jsonvalue

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func accept(c *Check, v Value) bool { return c.Any(v) }

// TestWrittenText reads what was written: it is JSON with the same values.
func TestWrittenText(t *testing.T) {
	texts := []string{"", "plain", "é漢🙂", "\"quoted\" \\ \n\r\t\x00\x1f", "é\"漢\\", "</script>", strings.Repeat("long ", 100)}
	numbers := []float64{0, math.Copysign(0, -1), -1.5, 3, -7, 1 << 53, 1<<53 - 1, -1 << 60, 1e21, 1e-7, 123456789.25, math.MaxFloat64, math.SmallestNonzeroFloat64}
	write := func(w *Writer, _ struct{}) {
		w.Open()
		for _, s := range texts {
			w.EscapedMember("of " + s)
			WriteList(w, []string{s, s}, (*Writer).String)
		}
		w.Member("numbers")
		WriteList(w, numbers, (*Writer).Float64)
		w.Member("integers")
		WriteList(w, []int64{0, math.MinInt64, math.MaxInt64}, (*Writer).Int64)
		w.Member("any")
		WriteList(w, []Any{{}, MustAny(`{"a":[1,{"b":null}],"c":"\u00e9"}`), MustAny(`3`)}, (*Writer).Any)
		w.Member("maps")
		WriteList(w, []map[string]map[string]bool{{}, {"x": {"y": true}}, {"b": {}, "a": {"d": true, "c": false}}}, func(w *Writer, m map[string]map[string]bool) {
			WriteMap(w, m, func(w *Writer, m map[string]bool) { WriteMap(w, m, (*Writer).Bool) })
		})
		w.Close()
	}
	text, err := Append([]byte("before"), struct{}{}, write, accept)
	if err != nil {
		t.Fatal(err)
	}
	text = text[len("before"):]
	if _, err := ParseAny(text); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		if got := back["of "+s]; !reflect.DeepEqual(got, []any{s, s}) {
			t.Errorf("%q was written as %v", s, got)
		}
	}
	theirs, err := json.Marshal(numbers)
	if err != nil || !strings.Contains(string(text), `"numbers":`+string(theirs)) {
		t.Errorf("encoding/json writes %s: %v\n%s", theirs, err, text)
	}
	for _, want := range []string{`"integers":[0,-9223372036854775808,9223372036854775807]`, `"any":[null,{"a":[1,{"b":null}],"c":"\u00e9"},3]`, `"maps":[{},{"x":{"y":true}},{"a":{"c":false,"d":true},"b":{}}]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}

// TestUncertainText writes what cannot be known to be JSON that a reader accepts. The check of the
// text refuses it, although its schema accepts any value.
func TestUncertainText(t *testing.T) {
	deep := MustAny(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth))
	for want, write := range map[string]func(*Writer, struct{}){
		`the member "a" is given twice`: func(w *Writer, _ struct{}) {
			w.Open()
			w.Member("a")
			w.Bool(true)
			WriteMembers(w, map[string]bool{"a": false}, (*Writer).Bool)
			w.Close()
		},
		"the text is not UTF-8": func(w *Writer, _ struct{}) { w.String("a\xff") },
		"nested deeper than":    func(w *Writer, _ struct{}) { WriteList(w, []Any{deep}, (*Writer).Any) },
		"larger than":           func(w *Writer, _ struct{}) { w.String(strings.Repeat("a", MaxSize)) },
	} {
		if text, err := Encode(struct{}{}, write, accept); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s was written: %v", text, err)
		}
	}
}

// TestCertainScalars compares what is known of a written value with the check of its text.
func TestCertainScalars(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -23*3600-59*60), time.FixedZone("", 24*3600), time.FixedZone("", -100*3600), time.FixedZone("", 61)}
	for _, year := range []int{-1, 0, 1, 999, 2026, 9999, 10000, 123456} {
		for _, zone := range zones {
			at := time.Date(year, 2, 28, 12, 30, 15, 123, zone)
			certainly(t, at.String(), at, (*Writer).Time, DateTime)
		}
		for month := range time.Month(14) {
			for day := -1; day < 33; day++ {
				d := Date{year, month, day}
				certainly(t, d.String(), d, (*Writer).Date, FullDate)
			}
		}
	}
	id := uuid.MustParse("123e4567-e89b-12d3-a456-426614174000")
	if text, err := Encode(id, (*Writer).UUID, accept); err != nil || string(text) != strconv.Quote(id.String()) {
		t.Errorf("%s, %v", text, err)
	}
}

// certainly fails the test if a value is written without a check although its format refuses it.
func certainly[T any](t *testing.T, what string, v T, write func(*Writer, T), f Format) {
	t.Helper()
	var w Writer
	write(&w, v)
	text, err := strconv.Unquote(string(w.b))
	if w.err == nil && (err != nil || !w.doubt && !f.valid(text)) {
		t.Errorf("%s was written as %s", what, w.b)
	}
}

// TestExpectations compares the conditions on Go values with the keywords of which they are
// conditions: what they accept, the check of the text accepts.
func TestExpectations(t *testing.T) {
	for _, s := range []string{"", "a", "ab", "abc", "é", "éé", "🙂", "🙂🙂", "a🙂é"} {
		for n := range 5 {
			accepted(t, LongEnough(s, n), s, (*Writer).String, func(c *Check, v Value) bool { return c.MinLength(v, n) })
			accepted(t, ShortEnough(s, n), s, (*Writer).String, func(c *Check, v Value) bool { return c.MaxLength(v, n) })
		}
	}
	for _, of := range []string{"0.01", "0.05", "0.1", "0.25", "1", "2", "2.5", "100", "0.000001", "1e3", "0.30000000000000004", "0"} {
		n, scale, ok := Scaled(of)
		if !ok {
			continue
		}
		sure := 0
		for i := range 3000 {
			for _, f := range []float64{float64(i) / 100, float64(i) * 0.01, -float64(i) / 1000, float64(i) * 1e15, 0.1 * float64(i), float64(i) * 1e-7} {
				if ok := Multiple(f, float64(n), float64(scale)); ok {
					sure++
					accepted(t, true, f, (*Writer).Float64, func(c *Check, v Value) bool { return c.MultipleOf(v, of) })
				}
			}
		}
		if sure < 5 {
			t.Errorf("only %d multiples of %s", sure, of)
		}
	}
	for n := range 40 {
		list := make([]int64, n)
		for i := range list {
			list[i] = int64(i)
		}
		if !Distinct(list) || n > 1 && Distinct(append(list[:n-1:n-1], 0)) {
			t.Errorf("the items of %v are not compared", list)
		}
	}
}

// accepted fails the test if a value is certain to conform and the check refuses it.
func accepted[T any](t *testing.T, certain bool, v T, write func(*Writer, T), f Func) {
	t.Helper()
	checked := func(w *Writer, v T) {
		write(w, v)
		w.Recheck()
	}
	if _, err := Encode(v, checked, f); certain && err != nil {
		t.Errorf("%v was taken for certain: %v", v, err)
	}
}
