package journal

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the tests outside the package drive: the very core that Journal drives.

type (
	Core[S, B any]      = core[S, B]
	Call[S, B any]      = command[S, B]
	Sent                = outgoing
	CoreRules[S, B any] struct {
		Writer     string
		Clock      func() time.Time
		Mono       func() time.Time
		NewAttempt func() Attempt
		Project    func(Entry[B], *View[S])
	}
)

func NewTestCore[S, B any](fold Fold[S, B], codec Codec[B], r CoreRules[S, B]) *Core[S, B] {
	c := newCore(newLedger(fold, codec, nil), rules[S, B]{writer: r.Writer, maxRecord: 1 << 20,
		key:   func(e *Entry[B]) string { return string(e.Streams[0]) },
		clock: r.Clock, mono: r.Mono, newAttempt: r.NewAttempt, project: r.Project})
	c.start()
	return c
}

// ExpectCounts breaks the rule: an expectation is how many records were applied
// to the stream, and not which was the last.
func (c *core[S, B]) ExpectCounts() {
	c.ledger.token = func(cl *cell[S]) (a Attempt) {
		a[0], a[1], a[2] = byte(cl.version), byte(cl.version>>8), byte(cl.version>>16)
		return a
	}
}

// NewCall is a command to submit.
func NewCall[S, B any](streams []Stream, decide func(*View[S]) (B, error), gone <-chan struct{}) *Call[S, B] {
	return &command[S, B]{streams: streams, decide: decide, gone: gone}
}

// Hold keeps whoever answers the command waiting until it is called off.
func (c *command[S, B]) Hold() (release func()) {
	c.signal = make(chan struct{})
	return func() { <-c.signal }
}

func (c *command[S, B]) Finished() bool                  { return c.finished }
func (c *core[S, B]) Ready() bool                        { return c.ready }
func (c *core[S, B]) Submit(cmd *Call[S, B])             { c.submit(cmd) }
func (c *core[S, B]) Failed(a Attempt)                   { c.failed(a) }
func (c *core[S, B]) Abandon(cmd *Call[S, B], err error) { c.abandon(cmd, err) }
func (c *core[S, B]) Tick()                              { c.tick() }
func (c *core[S, B]) WakeAt() time.Time                  { return c.wakeAt }
func (c *core[S, B]) Next() int64                        { return c.ledger.next }
func (c *core[S, B]) Counters() Stats                    { return c.stats }
func (c *core[S, B]) State(s Stream) (S, bool)           { return c.ledger.state(s) }
func (o *outgoing) ID() Attempt                          { return o.attempt }
func (o *outgoing) Value() []byte                        { return o.value }

func (c *command[S, B]) Result() (v Verdict[S, B], err error) {
	if c.verdict != nil {
		v = *c.verdict
	}
	return v, c.err
}

// Take gives the records to append and the commands that are done.
func (c *core[S, B]) Take() (appends []Sent, done []*Call[S, B]) {
	appends, done = c.appends, c.done
	c.appends, c.done = nil, nil
	return appends, done
}

func (c *core[S, B]) ReadBytes(offset int64, value []byte) error {
	r := c.polled(offset, value)
	return c.read(&r)
}

// Polled is a record that has come, to be read later.
func (c *core[S, B]) Polled(offset int64, value []byte) (read func() error) {
	r := c.polled(offset, value)
	return func() error { return c.read(&r) }
}

func (c *core[S, B]) polled(offset int64, value []byte) record {
	r := record{offset: offset, value: value}
	if c.recall(&r); !r.own {
		r.decode()
	}
	return r
}

// States is everything that was applied.
func (c *core[S, B]) States() map[Stream]string {
	m := make(map[Stream]string, len(c.ledger.cells))
	for s, cl := range c.ledger.cells {
		m[s] = fmt.Sprintf("%v", *cl)
	}
	return m
}

// Check gives the first internal contradiction.
func (c *core[S, B]) Check() error {
	waiting := 0
	for s, sp := range c.specs {
		waiting += len(sp.waiting)
		switch {
		case sp.stream != s:
			return fmt.Errorf("%s: filed under %s", sp.stream, s)
		case len(sp.flights) == 0 && len(sp.waiting) > 0:
			return fmt.Errorf("%s: %d commands wait for nothing", s, len(sp.waiting))
		case len(sp.flights) == 0 && sp.on:
			return fmt.Errorf("%s: speculation on nothing", s)
		}
		for i, f := range sp.flights {
			if c.flights[f.attempt] != f {
				return fmt.Errorf("%s: a flight that is over", s)
			}
			if i > 0 && sp.flights[i-1].seq >= f.seq {
				return fmt.Errorf("%s: flights out of order", s)
			}
		}
	}
	if waiting != c.waiting {
		return fmt.Errorf("%d commands wait, %d were counted", waiting, c.waiting)
	}
	return nil
}

// NewRawClient is the client a journal produces with.
var NewRawClient = newClient

// Sending is how many records are under way to the broker, and how many wait for them.
func (j *Journal[S, B]) Sending() (sent, waiting int) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.sender.sent, len(j.sender.outbox)
}

// Ahead is how many records were applied and not read yet.
func (j *Journal[S, B]) Ahead() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.ahead)
}

// ReadBehind reads a record where another one was applied when it was acknowledged.
func (j *Journal[S, B]) ReadBehind(applied, read []byte) error {
	j.core.ledger.next = 1
	j.ahead = []early{{offset: 0, value: applied}}
	return j.applyRead(&record{offset: 0, value: read}, time.Now())
}

// ReadBefore decides a command whose record is acknowledged at offset 1, and then reads another one
// at offset 0.
func (j *Journal[S, B]) ReadBefore(cmd *Call[S, B], foreign []byte) error {
	if cmd.signal == nil {
		cmd.signal = make(chan struct{}, 1)
	}
	j.core.ready = true
	j.core.submit(cmd)
	appends, _ := j.core.Take()
	j.sender = &sender{acked: []*kgo.Record{{Offset: 1, Value: appends[0].value}}}
	j.applyAhead(j.sender) // too early
	return j.applySome([]record{{offset: 0, value: foreign}})
}
