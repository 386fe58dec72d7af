// Package journalsim decides the commands of a domain on a simulated log, which scrambles what a
// real one scrambles. It needs no broker and no time, and one seed is always one interleaving.
// Tests of what is built on the journal import it.
//
// Several instances decide at once and pipeline. Their records reach the log in any order; some
// never do, some do much later or twice, and an instance then learns nothing of its record. Readers
// lag. Instances die and come back with nothing, or with a snapshot that one of them has taken
// while it went on. Every decision and every application is the journal's own code.
package journalsim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/internal/statehash"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/shape"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Command is a request to decide; see journal.Journal.Decide.
type Command[S, B any] struct {
	Streams []journal.Stream
	Decide  func(*journal.View[S]) (B, error)
}

// Domain is what is simulated. Codec, Fold and Next are required.
type Domain[S, B any] struct {
	Codec   journal.Codec[B]
	Fold    journal.Fold[S, B]
	Subject func(*journal.Entry[B]) journal.Stream
	// Next returns the next command, and only depends on what r returns. A client that asks again
	// is the same command a second time.
	Next func(r *rand.Rand) Command[S, B]
	// Check looks at the states of an instance after each entry that it has applied, and returns an
	// error if they may not be.
	Check func(state func(journal.Stream) (S, bool), e journal.Entry[B]) error
}

// ErrGaveUp is why a caller did not wait for its answer any longer.
var ErrGaveUp = errors.New("the caller gave up")

// Stats counts what an interleaving has met.
type Stats struct {
	Verdicts int // commands that were answered by a record
	Refused  int // commands whose decide function returned an error
	Unknown  int // commands whose outcome is unknown
	Void     int // records that had no effect
	Faults   int

	Snapshots     int // that were taken
	FromSnapshots int // starts from one
}

// Run plays so many steps of the interleaving that a seed stands for. Then every instance reads the
// log to its end. An error is returned if Check returned one, if the fold refused a record that was
// in the log, if a caller was answered by a record that is not applied, or if two instances have
// different states.
func (d Domain[S, B]) Run(seed uint64, steps int) (Stats, error) {
	w := &world[S, B]{domain: d, rng: rand.New(rand.NewPCG(seed, 11)), now: time.Unix(1_800_000_000, 0).UTC(), answered: map[int64]journal.Attempt{}}
	if codec, err := shape.Of[S](); err == nil {
		w.codec = codec
	}
	for range 2 + w.rng.IntN(2) {
		n := &instance[S, B]{number: len(w.instances)}
		w.instances = append(w.instances, n)
		w.boot(n)
	}
	for i := 0; i < steps && w.err == nil; i++ {
		w.play(w.instances[w.rng.IntN(len(w.instances))])
	}
	if err := w.end(); err != nil {
		return w.stats, fmt.Errorf("seed %d: %w", seed, err)
	}
	return w.stats, nil
}

type instance[S, B any] struct {
	number  int
	core    *core.Core[S, B]
	states  *states.States[S, B]
	sending []core.Append // in order; not in the log yet
	calls   []*core.Command[S, B]
	cut     *cut[S] // that is being handed out; nil if none is
}

type world[S, B any] struct {
	domain    Domain[S, B]
	rng       *rand.Rand
	now       time.Time
	log       [][]byte
	late      [][]byte
	instances []*instance[S, B]
	answered  map[int64]journal.Attempt // the records that callers were answered by
	snapshots []snapshot
	codec     states.StateCodec[S] // nil if states cannot be kept
	stats     Stats
	err       error
}

// boot starts an instance that has read nothing, or a snapshot.
func (w *world[S, B]) boot(n *instance[S, B]) {
	*n = instance[S, B]{number: n.number}
	skew := time.Duration(w.rng.IntN(2000)-1000) * time.Millisecond
	cfg := states.Config[S, B]{Log: "simulated", Fold: w.domain.Fold, Codec: w.domain.Codec, Subject: w.domain.Subject}
	if w.codec != nil {
		// one instance packs streams at once, others later or never, and all have the same states
		cfg.States, cfg.PackAfter = w.codec, []int64{1, 1 << 40, 20}[n.number]
	}
	n.states = states.New(cfg)
	w.load(n)
	n.core = core.New(n.states, core.Config[S, B]{
		Writer: "simulated", MaxRecord: 1 << 20, NewAttempt: w.attempt,
		Key:   func(*states.Entry[B]) string { return "" },
		Clock: func() time.Time { return w.now.Add(skew) }, Mono: func() time.Time { return w.now },
		Project: func(e states.Entry[B], _ *states.View[S]) {
			if w.domain.Check != nil {
				w.fail(w.domain.Check(n.states.State, e))
			}
		},
		Park: func(e *states.Entry[B], s record.Stream, why error) {
			w.fail(fmt.Errorf("record @%d is impossible and parks %s: %w", e.Offset, s, why))
		},
	})
	n.core.Start()
	w.act(n)
}

func (w *world[S, B]) attempt() (a record.Attempt) {
	for i := range a {
		a[i] = byte(w.rng.Uint32())
	}
	return a
}

func (w *world[S, B]) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// play lets one thing happen to an instance.
func (w *world[S, B]) play(n *instance[S, B]) {
	switch x := w.rng.IntN(100); {
	case x < 35:
		next := w.domain.Next(w.rng)
		cmd := &core.Command[S, B]{Streams: next.Streams, Decide: next.Decide}
		n.calls = append(n.calls, cmd)
		n.core.Submit(cmd)
	case x < 60:
		w.land(n, 1+w.rng.IntN(4))
	case x < 88:
		w.read(n, 1+w.rng.IntN(6))
	case x < 93:
		w.stats.Faults++
		w.fault(n)
	case x < 94 && len(n.calls) > 0:
		n.core.Abandon(n.calls[w.rng.IntN(len(n.calls))], ErrGaveUp)
	case x < 96:
		w.handOut(n)
	default:
		w.tick()
	}
	w.act(n)
}

// tick lets time go by.
func (w *world[S, B]) tick() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(200)) * time.Millisecond)
	for _, n := range w.instances {
		if at := n.core.WakeAt(); !at.IsZero() && !w.now.Before(at) {
			n.core.Tick()
			w.act(n)
		}
	}
}

// act collects what an instance wants to append, and its answers.
func (w *world[S, B]) act(n *instance[S, B]) {
	appends, done := n.core.Take()
	n.sending = append(n.sending, appends...)
	for _, cmd := range done {
		n.calls = slices.DeleteFunc(n.calls, func(c *core.Command[S, B]) bool { return c == cmd })
		switch v, err := cmd.Result(); {
		case err == nil:
			w.stats.Verdicts++
			w.answered[v.Offset] = v.Attempt
		case errors.Is(err, journal.ErrUnknownOutcome):
			w.stats.Unknown++
		default:
			w.stats.Refused++
		}
	}
}

// land brings the next records of an instance to the log.
func (w *world[S, B]) land(n *instance[S, B], k int) {
	for ; k > 0 && len(n.sending) > 0; k-- {
		w.log = append(w.log, n.sending[0].Value)
		n.sending = n.sending[1:]
	}
}

// read lets an instance read on.
func (w *world[S, B]) read(n *instance[S, B], k int) {
	for ; k > 0 && int(n.core.Next()) < len(w.log) && w.err == nil; k-- {
		r := record.Record{Offset: n.core.Next(), Value: w.log[n.core.Next()]}
		if !n.core.Recall(&r) {
			r.Decode()
		}
		w.fail(n.core.Read(&r))
		w.act(n)
	}
}

// fault loses what an instance has sent, restarts it, or repeats a record.
func (w *world[S, B]) fault(n *instance[S, B]) {
	switch w.rng.IntN(5) {
	case 0, 1:
		for _, s := range w.lose(n) {
			n.core.Failed(s.Attempt)
		}
	case 2:
		w.lose(n)
		w.stats.Void += int(n.core.Stats().Void)
		w.boot(n)
	case 3:
		if len(w.log) > 0 {
			w.late = append(w.late, w.log[w.rng.IntN(len(w.log))])
		}
	default:
		if len(w.late) > 0 {
			i := w.rng.IntN(len(w.late))
			w.log = append(w.log, w.late[i])
			w.late = slices.Delete(w.late, i, i+1)
		}
	}
}

// lose takes the records that an instance has sent: each is in the log all the same, or comes late,
// or never.
func (w *world[S, B]) lose(n *instance[S, B]) (lost []core.Append) {
	lost, n.sending = n.sending, nil
	for _, s := range lost {
		switch w.rng.IntN(4) {
		case 0:
			w.log = append(w.log, s.Value)
		case 1, 2:
			w.late = append(w.late, s.Value)
		}
	}
	return lost
}

// end lets every instance read the log to its end, and compares them and the answers.
func (w *world[S, B]) end() error {
	var first [statehash.Size]byte
	for i, n := range w.instances {
		w.read(n, len(w.log))
		if w.err != nil {
			return w.err
		}
		w.stats.Void += int(n.core.Stats().Void)
		sum, err := w.summary(n)
		if err != nil {
			return err
		}
		if i == 0 {
			first = sum
		}
		if sum != first {
			return fmt.Errorf("instances 0 and %d have read the same log and have different states", i)
		}
	}
	return w.answersHold()
}

func (w *world[S, B]) summary(n *instance[S, B]) ([statehash.Size]byte, error) {
	cells := map[journal.Stream]any{}
	for s, cell := range n.states.Cells() {
		cells[s] = *cell
	}
	return statehash.Of(cells)
}

// answersHold reads the log once more, with nothing in flight: what callers were answered by is
// applied.
func (w *world[S, B]) answersHold() error {
	l := states.New(states.Config[S, B]{Log: "simulated", Fold: w.domain.Fold, Codec: w.domain.Codec, Subject: w.domain.Subject})
	for offset, value := range w.log {
		r := record.Record{Offset: int64(offset), Value: value}
		res, err := l.Apply(&r, states.NewVerdict[S, B]())
		if err != nil {
			return err
		}
		if attempt, answered := w.answered[int64(offset)]; answered && (res.Outcome != states.Applied || r.Attempt != attempt) {
			return fmt.Errorf("a caller was answered by record @%d, which is not applied", offset)
		}
	}
	return nil
}
