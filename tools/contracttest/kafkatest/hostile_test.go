package kafkatest

import (
	"strings"
	"testing"
)

func TestOriginalOfDeadLetter(t *testing.T) {
	sent := func(key, value []byte, letters int) Outcome {
		return Outcome{Record: Record{Key: key, Value: value}, letters: letters}
	}
	k, v, empty := []byte("k"), []byte("v"), []byte{}
	for name, tt := range map[string]struct {
		all        []Outcome
		key, value []byte
		want       int
		fault      string
	}{
		"null beside an empty value":     {[]Outcome{sent(k, empty, 0), sent(k, nil, 0)}, k, nil, 1, ""},
		"an empty value beside null":     {[]Outcome{sent(k, nil, 0), sent(k, empty, 0)}, k, empty, 1, ""},
		"null for an empty value":        {[]Outcome{sent(k, empty, 0)}, k, nil, 0, "another value: null instead of 0 bytes"},
		"an empty key for none":          {[]Outcome{sent(nil, v, 0)}, empty, v, 0, `the key "" instead of ""`},
		"the second of equal messages":   {[]Outcome{sent(k, v, 1), sent(k, v, 0)}, k, v, 1, ""},
		"once more for equal messages":   {[]Outcome{sent(k, v, 1), sent(k, v, 1)}, k, v, 0, ""},
		"once more, before a near match": {[]Outcome{sent(k, v, 1), sent(k, empty, 0)}, k, v, 0, ""},
		"of nothing":                     {[]Outcome{sent(k, v, 0)}, []byte("l"), empty, -1, "neither"},
	} {
		i, faults := original(tt.all, Record{Key: tt.key, Value: tt.value})
		text := strings.Join(faults, "\n")
		if i != tt.want || !strings.Contains(text, tt.fault) || (text == "") != (tt.fault == "") {
			t.Errorf("%s: %d %q, want %d %q", name, i, text, tt.want, tt.fault)
		}
	}
}

func TestFreshSamples(t *testing.T) {
	broker, registry := places(t)
	s := session(t, broker, registry)
	keys, ids := map[string]bool{}, map[string]bool{}
	for n := range 12 {
		for _, name := range []string{"OrderPlaced", "OrderCancelled"} {
			orders := s.contract.Channel("shop.orders.v1")
			r, err := s.Record(t.Context(), orders, orders.Message(name), s.Fresh(orders.Message(name), n))
			if err != nil {
				t.Fatal(err)
			}
			if v := s.Judge.Judge(t.Context(), r); len(v.Violations) > 0 {
				t.Errorf("violations: %q", v.Violations)
			}
			keys[string(r.Key)], ids[r.Header("ce_id")] = true, true
		}
	}
	if len(keys) != 24 || len(ids) != 24 {
		t.Errorf("%d keys and %d ids of 24 samples", len(keys), len(ids))
	}
}

func TestFreshKeysFitSchema(t *testing.T) {
	c := contract(t, "testdata/shop/asyncapi.yaml")
	s := &Session{Judge: NewJudge(c, nil, Rules{}), run: 1795961000000}
	m := c.Channel("shop.orders.v1").Message("OrderPlaced")
	key := *m.key
	for schema, want := range map[string]string{`{"pattern":"^O-[0-9]{1,3}$"}`: "O-1", `{"pattern":"^O-1$"}`: "O-1", `{"const":"O"}`: ""} {
		compiled, err := c.schemas.compiler.Compile(inline(t, c, schema))
		if err != nil {
			t.Fatal(err)
		}
		key.json, m.key, s.injected = compiled, &key, 1
		if _, got := s.freshField(m); want == "" && got != nil || want != "" && got != want {
			t.Errorf("%s: %v, want %q", schema, got, want)
		}
	}
}

// inline adds a schema to those of a contract, and returns its address.
func inline(t *testing.T, c *Contract, schema string) string {
	t.Helper()
	at := "mem:///" + schema
	if err := c.schemas.compiler.AddResource(at, Value(schema)); err != nil {
		t.Fatal(err)
	}
	return at
}
