package statehash

import (
	"testing"
	"time"
)

type inner struct {
	at    time.Time
	names []string
}

type outer struct {
	count int64
	by    map[string]*inner
	any   any
}

func sample() outer {
	at := time.Date(2026, 3, 14, 1, 2, 3, 4, time.UTC)
	return outer{count: 1, any: inner{}, by: map[string]*inner{"a": {at: at, names: []string{"x", "y"}}, "b": {}, "c": nil}}
}

func of(t *testing.T, v any) [Size]byte {
	t.Helper()
	sum, err := Of(v)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestEqualContents(t *testing.T) {
	other := sample()
	other.by["a"].at = other.by["a"].at.In(time.FixedZone("", 3600))
	other.by["b"].names = []string{}
	for range 20 { // maps are iterated in another order each time
		if of(t, sample()) != of(t, other) {
			t.Fatal("equal contents have two hashes")
		}
	}
}

func TestEveryChangeIsSeen(t *testing.T) {
	was := of(t, sample())
	for name, change := range map[string]func(*outer){
		"a number":          func(o *outer) { o.count++ },
		"a time":            func(o *outer) { o.by["a"].at = o.by["a"].at.Add(1) },
		"an element":        func(o *outer) { o.by["a"].names[1] = "z" },
		"where texts end":   func(o *outer) { o.by["a"].names = []string{"xy", ""} },
		"a key":             func(o *outer) { o.by["d"] = o.by["b"]; delete(o.by, "b") },
		"nil or not":        func(o *outer) { o.by["c"] = new(inner) },
		"a type":            func(o *outer) { o.any = struct{}{} },
		"a pointer instead": func(o *outer) { o.any = &inner{} },
	} {
		o := sample()
		if change(&o); of(t, o) == was {
			t.Errorf("%s changed, and the hash did not", name)
		}
	}
}

func TestNoHash(t *testing.T) {
	type loop struct{ next *loop }
	l := &loop{}
	l.next = l
	for _, v := range []any{func() {}, make(chan int), l} {
		if _, err := Of(v); err == nil {
			t.Errorf("%T has a hash", v)
		}
	}
}
