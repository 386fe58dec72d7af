package shape

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

type fault struct{ Why string }

func (f *fault) Error() string { return f.Why }

type hidden struct {
	n     int32
	small uint8
}

type node struct {
	Name string
	Next *node
}

type everything struct {
	hidden
	Yes    bool
	Count  int64
	Big    uint64
	Ratio  float64
	At     time.Time
	Hash   [4]byte
	Raw    []byte
	Names  []string
	Nested []hidden
	Places map[string]*hidden
	Err    error
	Any    any
	List   *node
}

func codec(t *testing.T) *Codec[everything] {
	t.Helper()
	c, err := Of[everything](&fault{}, "", hidden{}, int64(0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func full() everything {
	return everything{
		hidden: hidden{-7, 200}, Yes: true, Count: -1 << 62, Big: 1 << 63, Ratio: 0.25, At: time.Date(2026, 3, 1, 2, 3, 4, 5, time.UTC),
		Hash: [4]byte{1, 2, 3, 4}, Raw: []byte{9, 8}, Names: []string{"a", "", "ü"}, Nested: []hidden{{1, 2}, {3, 4}},
		Places: map[string]*hidden{"x": {5, 6}, "none": nil}, Err: &fault{"broken"}, Any: hidden{8, 9}, List: &node{"1", &node{"2", nil}},
	}
}

func TestRoundTrip(t *testing.T) {
	c := codec(t)
	for name, v := range map[string]everything{
		"zero": {}, "full": full(), "empty, not nil": {Raw: []byte{}, Names: []string{}, Places: map[string]*hidden{}},
		"interfaces": {Any: "text", Err: nil}, "a number": {Any: int64(7)},
	} {
		data, err := c.Append([]byte("before"), v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := c.Decode(data[len("before"):])
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: got %+v, want %+v (%v)", name, got, v, err)
		}
	}
}

// decodes reports whether data is decoded, and requires that Check agrees.
func decodes(t *testing.T, c *Codec[everything], data []byte) bool {
	t.Helper()
	_, err := c.Decode(data)
	if checked := c.Check(data); fmt.Sprint(checked) != fmt.Sprint(err) {
		t.Fatalf("%q is checked as %v, and decoded as %v", data, checked, err)
	}
	return err == nil
}

// A value that is cut short is an error wherever it ends, and one that was changed is at worst
// another value. Check agrees with Decode on each.
func TestDamagedValues(t *testing.T) {
	c := codec(t)
	data, err := c.Append(nil, full())
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if decodes(t, c, data[:n]) {
			t.Errorf("the first %d bytes of %d are decoded", n, len(data))
		}
	}
	if !decodes(t, c, data) || decodes(t, c, append(data, 0)) {
		t.Error("a byte too many is decoded, or the value is not")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		changed := append([]byte(nil), data...)
		for range 1 + rng.IntN(3) {
			changed[rng.IntN(len(changed))] = byte(rng.Uint32())
		}
		decodes(t, c, changed)
	}
}

func TestRefusedTypes(t *testing.T) {
	_, f := Of[struct{ Do func() }]()
	_, ch := Of[map[string]chan int]()
	_, held := Of[any](struct{ C chan int }{})
	_, none := Of[any](nil)
	for name, err := range map[string]error{"a function": f, "a channel": ch, "a channel in an interface": held, "nil": none} {
		if err == nil {
			t.Errorf("%s is encoded", name)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	c := codec(t)
	for name, v := range map[string]everything{
		"holds a":      {Any: 3.5},
		"not in UTC":   {At: time.Unix(0, 0).In(time.FixedZone("", 3600))},
		"is not among": {Err: errors.New("of a type that the codec does not know")},
	} {
		if _, err := c.Append(nil, v); err == nil || name != "holds a" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShapeNamesEveryField(t *testing.T) {
	type one struct{ A, B int64 }
	type moved struct{ B, A int64 }
	type deep struct{ Of []one }
	type deepMoved struct{ Of []moved }
	shapes := map[string]string{}
	add := func(name, shape string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for other, s := range shapes {
			// the types' own names do not count here
			plain := strings.NewReplacer("deepMoved", "deep", "moved", "one")
			if plain.Replace(s) == plain.Replace(shape) {
				t.Errorf("%s and %s have one shape", name, other)
			}
		}
		shapes[name] = shape
	}
	a, err := Of[one]()
	add("one", a.Shape(), err)
	b, err := Of[moved]()
	add("moved", b.Shape(), err)
	c, err := Of[deep]()
	add("deep", c.Shape(), err)
	d, err := Of[deepMoved]()
	add("deepMoved", d.Shape(), err)
	e, err := Of[any](one{})
	add("any of one", e.Shape(), err)
	f, err := Of[any](one{}, "")
	add("any of one and texts", f.Shape(), err)
}
