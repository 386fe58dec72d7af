package states_test

import (
	"errors"
	"testing"

	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

func voiding(t *testing.T, offset int64, value []byte) []byte {
	t.Helper()
	e, err := record.Voiding{Offset: offset, Digest: record.DigestOf(value), Reason: "garbage"}.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, e)
}

func releasing(t *testing.T, stream record.Stream, a record.Attempt) []byte {
	t.Helper()
	e, err := record.Releasing{Stream: stream, Attempt: a, Reason: "mended"}.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	return envelope(t, e)
}

// applyAll applies values from the start of a log, again whenever they have to be read again. It
// returns how often they were read.
func applyAll(t *testing.T, l *states.States[state, body], values ...[]byte) (*states.States[state, body], int) {
	t.Helper()
	for times := 1; ; times++ {
		var again *states.VoidedError
		for _, value := range values {
			if _, err := apply(l, value); err != nil && !errors.As(err, &again) {
				t.Fatal(err)
			}
			if again != nil {
				break
			}
		}
		if again == nil {
			return l, times
		}
		l = l.Empty()
	}
}

// A record that is declared void is passed over, and so is one that could be decoded.
func TestDeclaredVoid(t *testing.T) {
	open := encode(t, "opened", body{Kind: "opened", Account: "1", Key: "k0", Amount: 100}, attempt(1), builds(record.Attempt{}, "k0"))
	buy := encode(t, "bought", body{Kind: "bought", Account: "1", Key: "k1", Amount: 10}, attempt(2), builds(attempt(1), "k1"))
	garbage := []byte("garbage")
	later := envelope(t, record.Envelope{Kind: "journal.tomorrow", Attempt: attempt(9)})
	unreadable := envelope(t, record.Envelope{Kind: record.Void, Attempt: attempt(9), Body: []byte("x")})
	for _, test := range []struct {
		name   string
		log    [][]byte
		times  int
		spent  int64
		before *record.Voiding // found further on
	}{
		{"garbage, found further on", [][]byte{open, garbage, buy, voiding(t, 1, garbage)}, 1, 10,
			&record.Voiding{Offset: 1, Digest: record.DigestOf(garbage)}},
		{"a kind of the journal that this reader does not know", [][]byte{open, later, buy, voiding(t, 1, later)}, 1, 10,
			&record.Voiding{Offset: 1, Digest: record.DigestOf(later)}},
		{"a declaration that cannot be read", [][]byte{open, unreadable, buy, voiding(t, 1, unreadable)}, 1, 10,
			&record.Voiding{Offset: 1, Digest: record.DigestOf(unreadable)}},
		{"a record that was applied", [][]byte{open, buy, voiding(t, 1, buy)}, 2, 0, nil},
		{"declared twice", [][]byte{open, buy, voiding(t, 1, buy), voiding(t, 1, buy)}, 2, 0, nil},
		{"another value", [][]byte{open, buy, voiding(t, 1, garbage)}, 2, 10, nil},
		{"a later record", [][]byte{open, voiding(t, 2, buy), buy}, 1, 10, nil},
		{"itself", [][]byte{open, voiding(t, 1, buy), buy}, 1, 10, nil},
		{"a declaration", [][]byte{open, buy, voiding(t, 1, buy), voiding(t, 2, voiding(t, 1, buy))}, 3, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newStates()
			if test.before != nil {
				l.Declare(*test.before)
			}
			l, times := applyAll(t, l, test.log...)
			account, _ := l.State(journaltest.Account("1"))
			if times != test.times || account.Spent != test.spent || l.Next() != int64(len(test.log)) {
				t.Errorf("read %d times, spent %d, next %d; want %d times, %d", times, account.Spent, l.Next(), test.times, test.spent)
			}
		})
	}
}

// What an operator has declared and every reader can read stays in effect, whoever declares it
// void.
func TestOperatorsRecordIsNotVoid(t *testing.T) {
	open := encode(t, "opened", body{Kind: "opened", Account: "1", Key: "k0", Amount: 100}, attempt(1), builds(record.Attempt{}, "k0"))
	forget := forgetting(t, "key/", 1<<40)
	l, _ := applyAll(t, passing(), open, forget, voiding(t, 1, forget))
	if l.Cell(journaltest.Key("k0")) != nil || l.Cell(journaltest.Account("1")) == nil {
		t.Error("a key that was forgotten is there, or its account is not")
	}
}

// A release names the stream and the record that parks it. The stream goes on from the state before
// that record.
func TestRelease(t *testing.T) {
	account := journaltest.Account("1")
	l := newStates()
	step := func(value []byte) states.Outcome {
		t.Helper()
		res, err := apply(l, value)
		if err != nil {
			t.Fatal(err)
		}
		return res.Outcome
	}
	step(encode(t, "opened", body{Kind: "opened", Account: "1", Key: "k0", Amount: 100}, attempt(1), builds(record.Attempt{}, "k0")))
	step(encode(t, "cursed", body{Kind: "cursed", Account: "1", Key: "k1"}, attempt(2), builds(attempt(1), "k1")))
	if l.ParkedBy(account) != attempt(2) {
		t.Fatalf("parked by %s", l.ParkedBy(account))
	}
	for name, value := range map[string][]byte{"another record": releasing(t, account, attempt(1)), "another stream": releasing(t, "s", attempt(2))} {
		if out := step(value); out != states.Operators || l.Parked(account) == nil {
			t.Errorf("a release that names %s: outcome %d, parked for %v", name, out, l.Parked(account))
		}
	}
	if out := step(releasing(t, account, attempt(2))); out != states.Operators || l.Parked(account) != nil || l.ParkedStreams() != 0 {
		t.Errorf("released: outcome %d, parked for %v", out, l.Parked(account))
	}
	buy := body{Kind: "bought", Account: "1", Key: "k2", Amount: 10}
	if out := step(encode(t, "bought", buy, attempt(3), builds(attempt(2), "k2"))); out != states.Applied {
		t.Errorf("a record built on the impossible one after the release: outcome %d", out)
	}
	if st, _ := l.State(account); st.Spent != 10 || st.Ceiling != 100 {
		t.Errorf("state %+v", st)
	}
}

// To a reader that does not know the kind, a record of an operator holds and cannot be decoded, so
// that the reader stops. This one stops at kinds that will be added.
func TestOlderReadersStop(t *testing.T) {
	v, err := record.Voiding{Offset: 1}.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	rel, err := record.Releasing{Stream: "s", Attempt: attempt(2)}.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []record.Envelope{v, rel} {
		e.Kind = "tomorrow" // as an older reader sees it
		var unreadable *states.UnreadableError
		if _, err := apply(newStates(), envelope(t, e)); !errors.As(err, &unreadable) || !errors.Is(err, states.ErrUnknownKind) {
			t.Errorf("%v: %v", e.Expects, err)
		}
	}
	for _, e := range []record.Envelope{{Kind: "journal.tomorrow"}, {Kind: record.Void, Body: []byte("x")}, {Kind: record.Release, Body: []byte("x")}} {
		var unreadable *states.UnreadableError
		if _, err := apply(newStates(), envelope(t, e)); !errors.As(err, &unreadable) {
			t.Errorf("kind %s: %v", e.Kind, err)
		}
	}
	l := states.New(states.Config[state, body]{Log: "test.log.v1", Fold: journaltest.Fold, Codec: reservedCodec{}})
	if _, _, _, err := l.Encode(body{}); err == nil {
		t.Error("a domain may take a kind of the journal")
	}
}

// reservedCodec takes a kind of the journal.
type reservedCodec struct{ journaltest.Codec }

func (reservedCodec) Encode(body) (string, []byte, error) { return record.Void, nil, nil }
