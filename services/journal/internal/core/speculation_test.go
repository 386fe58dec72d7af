package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// hand is an instance whose records a test puts in the log one by one. The simulation shows that no
// order of events breaks the rules of the log; these tests show that speculation keeps its own
// rules, which save records.
type hand struct {
	t    *testing.T
	core node
	read int64
}

func newHand(t *testing.T, name byte, log ...[]byte) *hand {
	return newHandOf(t, journaltest.Codec{}, name, log...)
}

func newHandOf(t *testing.T, codec states.Codec[body], name byte, log ...[]byte) *hand {
	attempts := byte(0)
	h := &hand{t: t}
	now := time.Unix(1_700_000_000, 0).UTC()
	h.core = newNode(surroundings{codec: codec,
		clock:      func() time.Time { return now },
		mono:       func() time.Time { now = now.Add(time.Second); return now },
		newAttempt: func() record.Attempt { attempts++; return record.Attempt{name, attempts} },
	})
	h.sees(log...)
	h.sees(h.sends(1)...) // its first barrier: ready
	return h
}

// sends returns the records that the instance appends, which must be n.
func (h *hand) sends(n int) (values [][]byte) {
	h.t.Helper()
	appends, _ := h.core.take()
	if len(appends) != n {
		h.t.Fatalf("%d records appended, want %d", len(appends), n)
	}
	for i := range appends {
		values = append(values, appends[i].Value)
	}
	return values
}

func (h *hand) sees(log ...[]byte) {
	h.t.Helper()
	for _, value := range log {
		if err := h.core.readBytes(h.read, value); err != nil {
			h.t.Fatal(err)
		}
		h.read++
	}
}

func (h *hand) asks(c journaltest.Command) *call {
	cl := newCall(c, make(chan struct{}))
	h.core.Submit(cl)
	return cl
}

func (h *hand) buys(account, key string) *call {
	return h.asks(journaltest.Command{Kind: "buy", Account: account, Key: key, Amount: 1})
}

// opened is a log with the accounts A and B.
func opened(t *testing.T) [][]byte {
	h := newHand(t, 'o')
	h.asks(journaltest.Command{Kind: "open", Account: "A", Key: "a", Amount: 100})
	h.asks(journaltest.Command{Kind: "open", Account: "B", Key: "b", Amount: 100})
	return h.sends(2)
}

// foreign is the record of another instance that buys on A.
func foreign(t *testing.T, log [][]byte) []byte {
	h := newHand(t, 'f', log...)
	h.buys("A", "foreign")
	return h.sends(1)[0]
}

// A stream that another instance decided on waits until none of its own records is in flight, and
// then starts again with one record.
func TestOvertakenStreamRestartsWithOne(t *testing.T) {
	log := opened(t)
	h := newHand(t, 'h', log...)
	var calls []*call
	for i := range 3 {
		calls = append(calls, h.buys("A", fmt.Sprint("k", i)))
	}
	flying := h.sends(3)
	h.sees(foreign(t, log))
	calls = append(calls, h.buys("A", "late"))
	h.sends(0)
	h.sees(flying[:2]...)
	h.sends(0) // one of ours is still in flight
	h.sees(flying[2])
	h.sees(h.sends(1)...)
	h.sees(h.sends(2)...)
	h.sees(h.sends(1)...)
	for i, c := range calls {
		if _, err := c.Result(); !c.Finished() || err != nil {
			t.Errorf("purchase %d: finished %t, %v", i, c.Finished(), err)
		}
	}
}

// A record that will be void takes the speculation on all of its streams with it.
func TestNothingIsBuiltOnADoomedRecord(t *testing.T) {
	log := opened(t)
	h := newHand(t, 'h', log...)
	h.asks(journaltest.Command{Kind: "buy", Account: "A", Key: "k1", Amount: 1, Numbered: true})
	flying := h.sends(1)
	h.sees(foreign(t, log))
	h.asks(journaltest.Command{Kind: "buy", Account: "B", Key: "k2", Amount: 1, Numbered: true})
	h.sends(0) // the number that it would build on is void
	h.sees(flying...)
	h.sends(1)
}

// A record that failed may still arrive, so its stream waits.
func TestNothingIsBuiltOnAFailedRecord(t *testing.T) {
	h := newHand(t, 'h', opened(t)...)
	h.buys("A", "k1")
	failed := h.buys("A", "k2")
	appends, _ := h.core.take()
	h.core.Failed(appends[1].Attempt)
	barrier := h.sends(1)
	next := h.buys("A", "k3")
	h.sends(0)
	h.sees(appends[0].Value)
	h.sends(0) // the first is applied, and the second may still come
	h.sees(barrier...)
	if _, err := failed.Result(); !errors.Is(err, core.ErrUnknownOutcome) {
		t.Errorf("the failed one: %v", err)
	}
	h.sees(h.sends(1)...)
	if _, err := next.Result(); !next.Finished() || err != nil {
		t.Errorf("the next one: finished %t, %v", next.Finished(), err)
	}
}

// A record that was given up and arrives after all is read like one of another instance.
func TestLateRecordIsRead(t *testing.T) {
	h := newHand(t, 'h', opened(t)...)
	failed := h.buys("A", "k1")
	appends, _ := h.core.take()
	h.core.Failed(appends[0].Attempt)
	barrier := h.sends(1)
	late := h.core.polled(h.read+1, appends[0].Value)
	h.sees(barrier...)
	if _, err := failed.Result(); !errors.Is(err, core.ErrUnknownOutcome) {
		t.Errorf("the request: %v", err)
	}
	if err := h.core.Read(&late); err != nil {
		t.Fatal(err)
	}
	if a, _ := h.core.State(journaltest.Account("A")); a.Spent != 1 {
		t.Errorf("spent %d", a.Spent)
	}
}

// longKinds has kinds that are too long for a record to be recognized by its first bytes.
type longKinds struct{ journaltest.Codec }

var suffix = strings.Repeat("x", 64)

func (c longKinds) Encode(b body) (string, []byte, error) {
	kind, data, err := c.Codec.Encode(b)
	return kind + suffix, data, err
}

func (c longKinds) Decode(kind string, data []byte) (body, error) {
	return c.Codec.Decode(strings.TrimSuffix(kind, suffix), data)
}

// A caller keeps its verdict, and with it the view of the states.
func TestVerdictOutlivesTheNextRecord(t *testing.T) {
	h := newHandOf(t, longKinds{}, 'h')
	first := h.asks(journaltest.Command{Kind: "open", Account: "A", Key: "a", Amount: 100})
	h.asks(journaltest.Command{Kind: "open", Account: "B", Key: "b", Amount: 200})
	h.sees(h.sends(2)...)
	v, err := first.Result()
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := v.After.State(journaltest.Account("A")); v.Body.Account != "A" || a.Ceiling != 100 {
		t.Errorf("the answer became %+v, %+v", v.Body, a)
	}
}

// A command whose caller has given up is not decided again when its record is void.
func TestNothingIsDecidedAfterItsDeadline(t *testing.T) {
	log := opened(t)
	h := newHand(t, 'h', log...)
	c := journaltest.Command{Kind: "buy", Account: "A", Key: "k1", Amount: 1}
	gone := make(chan struct{})
	h.core.Submit(newCall(c, gone))
	flying := h.sends(1)
	h.sees(foreign(t, log))
	close(gone)
	h.sees(flying...)
	h.sends(0)
}
