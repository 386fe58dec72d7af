package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// asker is an instance whose records are in the log as soon as they are appended, and a clock that
// the test moves.
type asker struct {
	t      *testing.T
	core   node
	now    time.Time
	offset int64
	bytes  int
}

// batch is what a broker keeps around the only record of a batch, rounded up.
const batch = 100

func newAsker(t *testing.T) *asker {
	a := &asker{t: t, now: time.Unix(1_700_000_000, 0).UTC()}
	var attempts uint32
	clock := func() time.Time { return a.now }
	a.core = newNode(surroundings{clock: clock, mono: clock, newAttempt: func() record.Attempt {
		attempts++
		return record.Attempt{byte(attempts), byte(attempts >> 8), byte(attempts >> 16), 1}
	}})
	a.settle()
	return a
}

// settle reads what was appended until nothing more is.
func (a *asker) settle() {
	for {
		appends, _ := a.core.take()
		if len(appends) == 0 {
			return
		}
		for _, x := range appends {
			if err := a.core.readBytes(a.offset, x.Value); err != nil {
				a.t.Fatal(err)
			}
			a.offset++
			a.bytes += len(x.Value) + batch
		}
	}
}

// pass moves the clock.
func (a *asker) pass(d time.Duration) {
	a.now = a.now.Add(d)
	if at := a.core.WakeAt(); !at.IsZero() && !a.now.Before(at) {
		a.core.Tick()
		a.settle()
	}
}

func (a *asker) ask(c journaltest.Command) *call {
	cl := newCall(c, nil)
	a.core.Submit(cl)
	return cl
}

// TestQuestionsWriteLittle asks for an hour, or for five minutes in the short form, what appends
// nothing.
func TestQuestionsWriteLittle(t *testing.T) {
	a := newAsker(t)
	open, buy := journaltest.Open("1", "open", 100), journaltest.Buy("1", "buy", 60)
	a.ask(open)
	a.ask(buy)
	a.settle()
	const step = 10 * time.Millisecond
	span := fulltest.Choose(5*time.Minute, time.Hour)
	var waiting []*call
	for at := time.Duration(0); at < span; at += step {
		before := a.offset
		for _, c := range []journaltest.Command{buy, journaltest.Buy("1", "buy", 61)} {
			cl := a.ask(c)
			a.settle()
			if _, err := cl.Result(); !cl.Finished() || !errors.Is(err, core.ErrAlready) || a.offset != before {
				t.Fatalf("%v: finished %t with %v, %d records appended", c, cl.Finished(), err, a.offset-before)
			}
		}
		for _, c := range []journaltest.Command{journaltest.Repay("1", "more", 61), journaltest.Buy("2", "nobody", 1), journaltest.Open("1", "twice", 1)} {
			waiting = append(waiting, a.ask(c))
		}
		a.settle()
		a.pass(step)
		if late := len(waiting) - 3*int(100*time.Millisecond/step); late > 0 {
			for _, cl := range waiting[:late] {
				if _, err := cl.Result(); !cl.Finished() || err == nil {
					t.Fatalf("after 100 ms: finished %t with %v", cl.Finished(), err)
				}
			}
			waiting = waiting[late:]
		}
	}
	if limit := int(10_000_000 * span.Hours()); a.bytes > limit {
		t.Errorf("%v of questions left %d bytes in %d records, the limit is %d", span, a.bytes, a.offset, limit)
	}
	if limit := int64(10*span/time.Second + 4); a.offset > limit {
		t.Errorf("%v of questions left %d records, the limit is %d", span, a.offset, limit)
	}
}
