package core_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// The simulation scrambles what a real log scrambles: several instances decide at once and
// pipeline; their records reach the log in any interleaving; produces fail with an unknown outcome,
// and some arrive much later or twice; readers lag; instances die and come back; callers give up
// and ask again elsewhere. Every decision, every speculation and every application is the journal's
// own code.

var seeds = flag.Int("seeds", fulltest.Choose(500, 2000), "how many interleavings to simulate")

// applied is an entry and the account it concerns right after it.
type applied struct {
	entry
	after state
}

type instance struct {
	core    node
	sending []core.Append // in order; not yet in the log
	applied []applied
	calls   map[*call]*request
}

type request struct {
	journaltest.Command
	id      int
	arrived int64 // highest offset that had been acknowledged to any caller when it arrived
	gone    chan struct{}
}

type world struct {
	rng      *rand.Rand
	now      time.Time
	log      [][]byte
	late     [][]byte
	nodes    []*instance
	requests int
	asked    []journaltest.Command
	acked    int64 // highest offset acknowledged
	verdicts map[int64]verdict
	byCount  bool
	boots    int
	err      error

	tally tally
}

// tally counts what the runs have met.
type tally struct {
	Verdicts, Already, Refused, Unknown, Negative, Void, Late, Restarts, Failures, Drops atomic.Int64
}

func newWorld(seed uint64, byCount bool) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_700_000_000, 0).UTC(),
		acked: -1, verdicts: map[int64]verdict{}, byCount: byCount}
	for range 2 + w.rng.IntN(3) {
		n := &instance{}
		w.nodes = append(w.nodes, n)
		w.boot(n)
	}
	return w
}

func (w *world) boot(n *instance) {
	skew := time.Duration(w.rng.IntN(2000)-1000) * time.Millisecond
	*n = instance{calls: map[*call]*request{}}
	n.core = w.newCore(func(e entry, after *view) {
		s, _ := after.State(journaltest.Account(e.Body.Account))
		n.applied = append(n.applied, applied{e, s})
	}, skew)
	w.step(n)
}

func (w *world) newCore(project func(entry, *view), skew time.Duration) node {
	w.boots++
	s := surroundings{
		packAfter: []int64{1, 1 << 40, 10}[w.boots%3], // changes nothing
		clock:     func() time.Time { return w.now.Add(skew) },
		mono:      func() time.Time { return w.now },
		project:   project,
		newAttempt: func() (a record.Attempt) {
			for i := 0; i < 16; i += 8 {
				x := w.rng.Uint64()
				for b := range 8 {
					a[i+b] = byte(x >> (8 * b))
				}
			}
			return a
		},
	}
	if w.byCount {
		s.token = count
	}
	return newNode(s)
}

// count breaks the rule: an expectation is how many records were applied to the stream, and not
// which was the last.
func count(c *states.Cell[state]) (a record.Attempt) {
	n := c.Version()
	a[0], a[1], a[2] = byte(n), byte(n>>8), byte(n>>16)
	return a
}

// step carries out what a core asks for and checks its answers.
func (w *world) step(n *instance) {
	appends, done := n.core.take()
	n.sending = append(n.sending, appends...)
	for _, cl := range done {
		w.answered(n, cl)
	}
	w.check(n.core.Check())
}

func (w *world) check(err error) {
	if err != nil && w.err == nil {
		w.err = err
	}
}

func (w *world) answered(n *instance, cl *call) {
	r := n.calls[cl]
	delete(n.calls, cl)
	v, err := cl.Result()
	switch {
	case err == nil:
		w.tally.Verdicts.Add(1)
		if v.Body.Kind == "refused" {
			w.tally.Refused.Add(1)
		}
		if v.Body.Key != r.Key || v.Body.Account != r.Account {
			w.check(fmt.Errorf("request %v was answered with %v", r.Command, v.Body))
		}
		w.verdicts[v.Offset] = *v
		w.acked = max(w.acked, v.Offset)
	case errors.Is(err, core.ErrUnknownOutcome):
		w.tally.Unknown.Add(1)
	case errors.Is(err, errDeadline), errors.Is(err, core.ErrNotReady):
	case errors.Is(err, core.ErrParked), errors.Is(err, core.ErrImpossible):
		if !w.byCount {
			w.check(fmt.Errorf("request %v: %w", r.Command, err))
		}
	default:
		// Nothing was appended: the applied state must agree with the answer. Unless the answer
		// rests on a record, the instance must have read everything that was acknowledged to any
		// caller before the request arrived.
		w.tally.Negative.Add(1)
		if n.core.Next() <= r.arrived && !errors.Is(err, core.ErrAlready) {
			w.check(fmt.Errorf("request %v answered %q at %d, %d had been acknowledged before", r.Command, err, n.core.Next(), r.arrived))
		}
		_, used := n.core.State(journaltest.Key(r.Key))
		account, open := n.core.State(journaltest.Account(r.Account))
		var wrong bool
		switch {
		case errors.Is(err, core.ErrAlready):
			w.tally.Already.Add(1)
			wrong = !used
		case errors.Is(err, journaltest.ErrNoAccount):
			wrong = open
		case errors.Is(err, journaltest.ErrOpen):
			wrong = !open
		case errors.Is(err, journaltest.ErrNothing):
			wrong = account.Spent >= r.Amount
		default:
			wrong = !errors.Is(err, journaltest.ErrReused)
		}
		if wrong {
			w.check(fmt.Errorf("request %v answered %q against the applied state", r.Command, err))
		}
	}
}

func (w *world) submit(n *instance, c journaltest.Command) {
	w.requests++
	r := &request{Command: c, id: w.requests, arrived: w.acked, gone: make(chan struct{})}
	cl := newCall(c, r.gone)
	n.calls[cl] = r
	n.core.Submit(cl)
	w.step(n)
}

func (w *world) newCommand() journaltest.Command {
	if len(w.asked) > 0 && w.rng.IntN(5) == 0 {
		return w.asked[w.rng.IntN(len(w.asked))] // a retry, here or elsewhere
	}
	c := journaltest.Command{Account: strconv.Itoa(w.rng.IntN(2)), Key: strconv.Itoa(len(w.asked)), Numbered: w.rng.IntN(3) == 0}
	switch w.rng.IntN(8) {
	case 0:
		c.Kind, c.Amount = "open", 100
	case 1:
		c.Kind, c.Amount = "repay", 1+w.rng.Int64N(40)
	default:
		c.Kind, c.Amount = "buy", 1+w.rng.Int64N(40)
	}
	w.asked = append(w.asked, c)
	return c
}

func (w *world) land(n *instance, k int) {
	for ; k > 0 && len(n.sending) > 0; k-- {
		w.log = append(w.log, n.sending[0].Value)
		n.sending = n.sending[1:]
	}
}

func (w *world) read(n *instance, k int) {
	for ; k > 0 && int(n.core.Next()) < len(w.log); k-- {
		at := n.core.Next()
		if err := n.core.readBytes(at, w.log[at]); err != nil {
			w.check(err)
			return
		}
		w.step(n)
	}
}

// lose fails everything that an instance has in flight; each record is in the log all the same, or
// nowhere, or comes later.
func (w *world) lose(n *instance, tell bool) {
	sending := n.sending
	n.sending = nil
	for _, s := range sending {
		switch w.rng.IntN(4) {
		case 0:
			w.log = append(w.log, s.Value)
		case 1, 2:
			w.late = append(w.late, s.Value)
		}
	}
	if tell {
		for _, s := range sending {
			n.core.Failed(s.Attempt)
		}
		w.step(n)
	}
}

func (w *world) fault(n *instance) {
	switch w.rng.IntN(6) {
	case 0, 1:
		w.tally.Failures.Add(1)
		w.lose(n, true)
	case 2:
		w.tally.Restarts.Add(1)
		w.lose(n, false)
		w.boot(n)
	case 3:
		if len(w.log) > 0 { // a duplicate, to come at any time
			w.late = append(w.late, w.log[w.rng.IntN(len(w.log))])
		}
	default:
		if len(w.late) > 0 {
			w.tally.Late.Add(1)
			i := w.rng.IntN(len(w.late))
			w.log = append(w.log, w.late[i])
			w.late = slices.Delete(w.late, i, i+1)
		}
	}
}

func (w *world) tick() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(80_000)) * time.Microsecond)
	for _, n := range w.nodes {
		if at := n.core.WakeAt(); !at.IsZero() && !w.now.Before(at) {
			n.core.Tick()
			w.step(n)
		}
	}
}

var errDeadline = errors.New("deadline")

func (w *world) giveUp(n *instance) {
	var oldest *call // not the first of the map, whose order does not depend on the seed
	for cl, r := range n.calls {
		if oldest == nil || r.id < n.calls[oldest].id {
			oldest = cl
		}
	}
	if oldest == nil {
		return
	}
	close(n.calls[oldest].gone)
	n.core.Abandon(oldest, errDeadline)
	w.step(n)
}

// run plays one interleaving and returns the first violation.
func (w *world) run(steps int) error {
	for _, a := range []string{"0", "1"} {
		if w.rng.IntN(3) > 0 {
			w.submit(w.nodes[0], journaltest.Command{Kind: "open", Account: a, Key: "open" + a, Amount: 100})
		}
	}
	for range steps {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		switch x := w.rng.IntN(100); {
		case x < 35:
			w.submit(n, w.newCommand())
		case x < 60:
			w.land(n, 1+w.rng.IntN(4))
		case x < 88:
			w.read(n, 1+w.rng.IntN(6))
		case x < 93:
			w.fault(n)
		case x < 94:
			w.giveUp(n)
		default:
			w.tick()
		}
		if w.err != nil {
			return w.err
		}
	}
	return w.settle()
}

// settle lets everything end: after the faults stop, every request is answered, and all readers
// agree.
func (w *world) settle() error {
	for w.rng.IntN(2) == 0 && len(w.late) > 0 {
		w.log = append(w.log, w.late[0])
		w.late = w.late[1:]
	}
	for round := 0; ; round++ {
		busy := false
		for _, n := range w.nodes {
			w.land(n, len(n.sending))
		}
		for _, n := range w.nodes {
			w.read(n, len(w.log))
			busy = busy || len(n.calls) > 0 || len(n.sending) > 0 || !n.core.Ready()
		}
		if w.err != nil {
			return w.err
		}
		if !busy {
			break
		}
		if round > 2000 {
			return errors.New("requests are left without an answer")
		}
		w.now = w.now.Add(100 * time.Millisecond)
		w.tick()
	}
	return w.verify()
}

func (w *world) verify() error {
	fresh := &instance{calls: map[*call]*request{}}
	fresh.core = w.newCore(func(e entry, after *view) {
		s, _ := after.State(journaltest.Account(e.Body.Account))
		fresh.applied = append(fresh.applied, applied{e, s})
	}, 0)
	w.read(fresh, len(w.log))
	states := fresh.core.states()
	for i, n := range w.nodes {
		w.read(n, len(w.log))
		w.tally.Void.Add(n.core.Stats().OwnVoid)
		w.tally.Drops.Add(n.core.Stats().Drops)
		if !maps.Equal(states, n.core.states()) {
			return fmt.Errorf("instance %d has another state than a fresh reader", i)
		}
		if len(n.applied) != len(fresh.applied) {
			return fmt.Errorf("instance %d applied %d entries, a fresh reader %d", i, len(n.applied), len(fresh.applied))
		}
	}
	if w.err != nil {
		return w.err
	}
	return w.judge(fresh.applied)
}

// judge checks the history by the rules of the domain.
func (w *world) judge(history []applied) error {
	keys := map[string]bool{}
	last := map[record.Stream]time.Time{}
	at := map[int64]entry{}
	var number int64
	for _, a := range history {
		b := a.Body
		at[a.Offset] = a.entry
		if b.Kind == "bought" && a.after.Spent > a.after.Ceiling {
			return fmt.Errorf("ceiling exceeded at %d: %d of %d", a.Offset, a.after.Spent, a.after.Ceiling)
		}
		if keys[b.Key] {
			return fmt.Errorf("key %s has two effects", b.Key)
		}
		keys[b.Key] = true
		if b.Number > 0 {
			if b.Number != number+1 {
				return fmt.Errorf("number %d follows %d", b.Number, number)
			}
			number = b.Number
		}
		for _, s := range a.Streams {
			if a.DecidedAt.Before(last[s]) {
				return fmt.Errorf("time runs backwards on %s at %d", s, a.Offset)
			}
			last[s] = a.DecidedAt
		}
	}
	for offset, v := range w.verdicts {
		if e, ok := at[offset]; !ok || e.Attempt != v.Attempt || e.Body != v.Body {
			return fmt.Errorf("verdict %v at %d is not in the log", v.Body, offset)
		}
	}
	return nil
}

// simulate plays n interleavings side by side and returns the failures by seed.
func simulate(n int, byCount bool, total *tally) map[uint64]error {
	var (
		next     atomic.Uint64
		mu       sync.Mutex
		failures = map[uint64]error{}
		workers  sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1)
				if seed > uint64(n) {
					return
				}
				w := newWorld(seed, byCount)
				if err := w.run(40 + w.rng.IntN(160)); err != nil {
					mu.Lock()
					failures[seed] = err
					mu.Unlock()
				}
				total.add(&w.tally)
			}
		})
	}
	workers.Wait()
	return failures
}

func (t *tally) list() []*atomic.Int64 {
	return []*atomic.Int64{&t.Verdicts, &t.Already, &t.Refused, &t.Unknown, &t.Negative, &t.Void, &t.Late, &t.Restarts, &t.Failures, &t.Drops}
}

func (t *tally) add(o *tally) {
	for i, c := range o.list() {
		t.list()[i].Add(c.Load())
	}
}

func (t *tally) String() string {
	s := ""
	for i, name := range []string{"verdicts", "already", "refused", "unknown", "negative", "void", "late", "restarts", "failures", "drops"} {
		s += fmt.Sprintf(" %s %d", name, t.list()[i].Load())
	}
	return s
}

func TestInterleavings(t *testing.T) {
	n := *seeds
	if testing.Short() || raceDetector {
		n = min(n, 300) // each world is one goroutine, so there is little to race
	}
	var total tally
	failures := simulate(n, false, &total)
	for _, seed := range slices.Sorted(maps.Keys(failures)) {
		t.Errorf("seed %d: %v", seed, failures[seed])
	}
	t.Logf("%d seeds:%s", n, &total)
	for i, c := range total.list() {
		if c.Load() == 0 {
			t.Errorf("the simulation never met case %d of%s", i, &total)
		}
	}
}

// Identity is what makes the rule sound. With counts, the same simulation must exceed the ceiling,
// or it would prove nothing.
func TestInterleavingsCatchCounts(t *testing.T) {
	var total tally
	const seeds = 1000
	failures := simulate(seeds, true, &total)
	ceiling := 0
	for _, err := range failures {
		if len(err.Error()) > 7 && err.Error()[:7] == "ceiling" {
			ceiling++
		}
	}
	t.Logf("%d of %d seeds fail, %d of them exceed the ceiling", len(failures), seeds, ceiling)
	if ceiling == 0 {
		t.Error("expectations by count were not caught")
	}
}
