package states_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

type (
	state = journaltest.State
	body  = journaltest.Body
)

func newStates() *states.States[state, body] {
	return states.New(states.Config[state, body]{Log: "test.log.v1", Fold: journaltest.Fold, Codec: journaltest.Codec{}})
}

// attempt returns the n-th identity.
func attempt(n byte) record.Attempt { return record.Attempt{n} }

// builds lists expectations of the streams of account 1 and a key: the account's last attempt, and
// that the key is new.
func builds(last record.Attempt, key string) []record.Expectation {
	return []record.Expectation{{Stream: journaltest.Account("1"), Attempt: last}, {Stream: journaltest.Key(key)}}
}

func encode(t *testing.T, kind string, b body, a record.Attempt, expects []record.Expectation) []byte {
	t.Helper()
	_, data, err := journaltest.Codec{}.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, record.Envelope{Kind: kind, Attempt: a, Expects: expects, DecidedAt: 1, Writer: "w", Body: data})
}

func envelope(t *testing.T, e record.Envelope) []byte {
	t.Helper()
	value, err := new(record.Encoder).Encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func apply(l *states.States[state, body], value []byte) (states.Result[state, body], error) {
	return l.Apply(&record.Record{Offset: l.Next(), Value: value}, states.NewVerdict[state, body]())
}

// Each record is applied or void by what it expects, whatever else it says.
func TestOutcomes(t *testing.T) {
	open := body{Kind: "opened", Account: "1", Key: "k0", Amount: 100}
	buy := func(key string) body { return body{Kind: "bought", Account: "1", Key: key, Amount: 10} }
	curse := body{Kind: "cursed", Account: "1", Key: "k4"}
	other := body{Kind: "opened", Account: "2", Key: "k6", Amount: 100}
	numbered := func(last record.Attempt, expects ...record.Expectation) []record.Expectation {
		return append(expects, record.Expectation{Stream: journaltest.Numbering, Attempt: last})
	}
	beside := []record.Expectation{{Stream: journaltest.Account("2")}, {Stream: journaltest.Key("k6")}}
	l := newStates()
	for _, step := range []struct {
		name  string
		value []byte
		want  states.Outcome
		spent int64
	}{
		{"a barrier", envelope(t, record.Envelope{Kind: record.Barrier, Attempt: attempt(9), DecidedAt: 1, Body: []byte{}}), states.Barrier, 0},
		{"the first of its streams", encode(t, "opened", open, attempt(1), builds(record.Attempt{}, "k0")), states.Applied, 0},
		{"built on the last", encode(t, "bought", buy("k1"), attempt(2), builds(attempt(1), "k1")), states.Applied, 10},
		{"built on one before the last", encode(t, "bought", buy("k2"), attempt(3), builds(attempt(1), "k2")), states.Void, 10},
		{"the same again", encode(t, "bought", buy("k1"), attempt(2), builds(attempt(1), "k1")), states.Void, 10},
		{"built on nothing", encode(t, "bought", buy("k3"), attempt(4), nil), states.Void, 10},
		{"void, and of an unknown kind", encode(t, "tomorrow", buy("k3"), attempt(4), builds(attempt(1), "k3")), states.Void, 10},
		{"refused by the fold", encode(t, "cursed", curse, attempt(5), numbered(record.Attempt{}, builds(attempt(2), "k4")...)), states.Impossible, 10},
		{"built on the impossible one", encode(t, "bought", buy("k5"), attempt(6), builds(attempt(5), "k5")), states.Void, 10},
		{"beside it, built on one before it", encode(t, "opened", other, attempt(7), numbered(record.Attempt{}, beside...)), states.Void, 10},
		{"beside it, after it", encode(t, "opened", other, attempt(8), numbered(attempt(5), beside...)), states.Applied, 10},
	} {
		at := l.Next()
		res, err := apply(l, step.value)
		account, _ := l.State(journaltest.Account("1"))
		if err != nil || res.Outcome != step.want || account.Spent != step.spent || l.Next() != at+1 {
			t.Errorf("%s: outcome %d, spent %d, next %d (%v), want outcome %d, spent %d, next %d",
				step.name, res.Outcome, account.Spent, l.Next(), err, step.want, step.spent, at+1)
		}
	}
	if err := l.Parked(journaltest.Account("1")); err == nil || l.ParkedStreams() != 1 {
		t.Errorf("%d streams are parked, account 1 for %v", l.ParkedStreams(), err)
	}
	if empty := l.Empty(); empty.Next() != 0 || empty.ParkedStreams() != 0 || empty.Cell(journaltest.Account("1")) != nil {
		t.Error("Empty kept something")
	}
}

// A record that cannot be decoded changes nothing, and its error says what to do.
func TestUnreadable(t *testing.T) {
	open := body{Kind: "opened", Account: "1", Key: "k0", Amount: 100}
	good := encode(t, "opened", open, attempt(1), builds(record.Attempt{}, "k0"))
	for _, test := range []struct {
		name    string
		value   []byte
		newer   bool // a newer version may read it
		message string
	}{
		{"an unknown kind", encode(t, "tomorrow", open, attempt(1), builds(record.Attempt{}, "k0")), true,
			`record @0 of test.log.v1 has the kind "tomorrow", which this version cannot read; run a newer version: unknown kind "tomorrow"`},
		{"a body cut short", envelope(t, record.Envelope{Kind: "opened", Attempt: attempt(1), Expects: builds(record.Attempt{}, "k0"), Body: []byte{1}}), false,
			`record @0 of test.log.v1 has the kind "opened", and its body cannot be decoded: body cut short`},
		{"an envelope cut short", good[:len(good)/2], false, "record @0 of test.log.v1 is not a record of a journal: "},
		{"garbage", []byte("garbage"), false, "record @0 of test.log.v1 is not a record of a journal: "},
		{"nothing", nil, false, "record @0 of test.log.v1 is not a record of a journal: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newStates()
			_, err := apply(l, test.value)
			var unreadable *states.UnreadableError
			if !errors.As(err, &unreadable) || !strings.HasPrefix(err.Error(), test.message) || unreadable.Offset != 0 {
				t.Errorf("got  %v\nwant %s", err, test.message)
			}
			if got := errors.Is(err, states.ErrUnknownKind); got != test.newer {
				t.Errorf("wraps ErrUnknownKind: %v, want %v", got, test.newer)
			}
			if res, err := apply(l, good); err != nil || res.Outcome != states.Applied || l.Next() != 1 {
				t.Errorf("afterwards, a good record: %+v (%v), next %d", res, err, l.Next())
			}
		})
	}
}
