package flow

import (
	"testing"

	"github.com/deferpay/deferpay/tools/observer"
)

func TestMatch(t *testing.T) {
	rec := func(topic, kind string, offset int64) observer.Record {
		return observer.Record{Topic: topic, Type: kind, Offset: offset, Envelope: &observer.Envelope{Applied: true}}
	}
	void := rec("log", "A", 3)
	void.Envelope.Applied = false
	records := []observer.Record{rec("log", "A", 1), rec("events", "B", 1), rec("log", "A", 2), void}
	for name, c := range map[string]struct {
		want                 []Want
		taken, left, missing int
	}{
		"all":           {append(On("log", "A", "A"), On("events", "B")...), 4, 0, 0},
		"one too many":  {append(On("log", "A"), On("events", "B")...), 3, 1, 0},
		"one missing":   {append(On("log", "A", "A", "A"), On("events", "B")...), 4, 0, 1},
		"another topic": {On("events", "A"), 1, 3, 1},
		"particular":    {[]Want{{"log", "A", func(r observer.Record) bool { return r.Offset == 2 }}}, 2, 2, 0},
		"nothing":       {nil, 1, 3, 0},
	} {
		taken, left, missing := match(records, c.want, observer.Record.Void)
		if len(taken) != c.taken || len(left) != c.left || len(missing) != c.missing {
			t.Errorf("%s: took %d, left %d, missing %d; want %d, %d, %d", name, len(taken), len(left), len(missing), c.taken, c.left, c.missing)
		}
	}
}
