package jsonvalue

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestWrittenIndex compares the index that a writer makes with that of a reader.
func TestWrittenIndex(t *testing.T) {
	texts := []string{"", "plain", "é漢🙂", "\"quoted\" \\ \n\r\t\x00\x1f", "</script>", strings.Repeat("long ", 100)}
	write := func(w *Writer, _ struct{}) {
		w.Open()
		w.Member("empty")
		WriteList(w, nil, (*Writer).String)
		w.Done()
		for _, s := range texts {
			w.Member("of " + s)
			WriteList(w, []string{s, s}, (*Writer).String)
			w.Done()
		}
		w.Member("numbers")
		WriteList(w, []float64{0, -1.5, 1e21, 1e-7, 123456789.25, math.MaxFloat64, math.SmallestNonzeroFloat64}, (*Writer).Float64)
		w.Done()
		w.Member("integers")
		WriteList(w, []int64{0, math.MinInt64, math.MaxInt64}, (*Writer).Int64)
		w.Done()
		w.Member("any")
		WriteList(w, []Any{{}, MustAny(`{"a":[1,{"b":null}],"c":"\u00e9"}`), MustAny(`3`)}, (*Writer).Any)
		w.Done()
		w.Member("maps")
		WriteList(w, []map[string]bool{{}, {"x": true}, {"b": false, "a": true}}, func(w *Writer, m map[string]bool) { WriteMap(w, m, (*Writer).Bool) })
		w.Done()
		w.Close()
	}
	compared := false
	text, err := Append([]byte("before"), struct{}{}, write, func(_ *Check, v Value) bool {
		var read index
		if err := read.read(v.x.text); err != nil {
			t.Fatalf("%v: %s", err, v.x.text)
		}
		if !reflect.DeepEqual(read.nodes, v.x.nodes) {
			t.Errorf("the writer made %v, the reader %v of %s", v.x.nodes, read.nodes, v.x.text)
		}
		compared = true
		return true
	})
	if err != nil || !compared || !json.Valid(text[len("before"):]) {
		t.Errorf("%v: %s", err, text)
	}
	var back map[string]any
	if err := json.Unmarshal(text[len("before"):], &back); err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		if got := back["of "+s]; !reflect.DeepEqual(got, []any{s, s}) {
			t.Errorf("%q was written as %v", s, got)
		}
	}
}

// TestExtraRepeatsMember writes what the index of a reader refuses: a member that a map repeats,
// and text that is not UTF-8.
func TestExtraRepeatsMember(t *testing.T) {
	anything := func(c *Check, v Value) bool { return c.Any(v) }
	for want, write := range map[string]func(*Writer, struct{}){
		`the member "a" is given twice`: func(w *Writer, _ struct{}) {
			w.Open()
			w.Member("a")
			w.Bool(true)
			w.Done()
			WriteMembers(w, map[string]bool{"a": false}, (*Writer).Bool)
			w.Close()
		},
		"the text is not UTF-8": func(w *Writer, _ struct{}) { w.String("a\xff") },
	} {
		if text, err := Encode(struct{}{}, write, anything); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s was written: %v", text, err)
		}
	}
}
