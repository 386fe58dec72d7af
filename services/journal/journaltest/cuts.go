package journaltest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/statehash"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Cuts plays a log, given by the values of its records, and takes a cut of it at every step-th
// record, which it hands out while it plays on, or begins anew. The test fails unless each cut
// leads to the states and the read model that there were at its record, and together with the rest
// of the log to those at its end, whether streams are packed after one record or never. content
// returns what the read model holds, for comparison. Cuts returns a hash of the states and the read
// model at the end.
func Cuts[S, B any](t testing.TB, cfg journal.Config[S, B], log [][]byte, step int, content func() any) string {
	t.Helper()
	const never = 1 << 40
	sum := cuts(t, cfg, log, step, content, never)
	if cuts(t, cfg, log, step, content, 1) != sum {
		t.Fatal("the log leads to other states if streams are packed")
	}
	return sum
}

func cuts[S, B any](t testing.TB, cfg journal.Config[S, B], log [][]byte, step int, content func() any, packAfter int64) string {
	t.Helper()
	p := &player[S, B]{tb: t, cfg: cfg, content: content, rng: rand.New(rand.NewPCG(1, uint64(len(log)))), after: packAfter}
	p.restart()
	sums := []string{p.sum()}
	for n := range log {
		p.play(log[n : n+1])
		sum := ""
		if (n+1)%step == 0 || n+1 == len(log) {
			sum = p.sum()
		}
		sums = append(sums, sum)
	}
	for at := 0; at < len(log); at += step {
		p.restart()
		p.play(log[:at])
		items := p.cut(log, at)
		p.load(items, int64(at)-1)
		if p.sum() != sums[at] {
			t.Fatalf("a cut of the first %d records of %d does not lead to what they do", at, len(log))
		}
		p.play(log[at:])
		if p.sum() != sums[len(log)] {
			t.Fatalf("a cut of the first %d records and the other %d do not lead to what the log does", at, len(log)-at)
		}
	}
	return sums[len(log)]
}

// player plays a log without a broker.
type player[S, B any] struct {
	tb      testing.TB
	cfg     journal.Config[S, B]
	content func() any
	rng     *rand.Rand
	after   int64 // records, then streams are packed
	states  *states.States[S, B]
}

func (p *player[S, B]) blank() *states.States[S, B] {
	return states.New(states.Config[S, B]{Log: p.cfg.Topic, Fold: p.cfg.Fold, Codec: p.cfg.Codec, Subject: p.cfg.Subject, Passing: p.cfg.Passing, States: p.cfg.States, PackAfter: p.after})
}

func (p *player[S, B]) restart() {
	p.states = p.blank()
	p.cfg.Reset()
}

func (p *player[S, B]) play(values [][]byte) {
	p.tb.Helper()
	for _, value := range values {
		res, err := p.states.Apply(&record.Record{Offset: p.states.Next(), Value: value}, states.NewVerdict[S, B]())
		if err != nil {
			p.tb.Fatal(err)
		}
		if res.Outcome == states.Applied {
			p.cfg.Project(res.Verdict.Entry, res.Verdict.After)
		}
	}
}

// cut takes a cut of the first records, as many as at says, and plays on while it is handed out, or
// begins anew, as a session does. It returns the items of the states and those of the read model.
func (p *player[S, B]) cut(log [][]byte, at int) (items [2][][]byte) {
	p.tb.Helper()
	c, model := p.states.Cut(), p.cfg.Snapshots.Model.Cut()
	defer model.End()
	defer p.states.EndCut(c)
	next := []func() ([]byte, bool, error){
		func() ([]byte, bool, error) { return c.Next(nil) },
		func() ([]byte, bool, error) { return model.Next(nil) },
	}
	rest := log[at:]
	for kind := range next {
		for {
			switch n := p.rng.IntN(32); {
			case n == 0:
				p.restart()
				rest = log
			case n <= 8 && len(rest) > 0:
				p.play(rest[:1])
				rest = rest[1:]
			}
			item, more, err := next[kind]()
			if err != nil {
				p.tb.Fatal(err)
			}
			if !more {
				break
			}
			items[kind] = append(items[kind], item)
		}
	}
	return items
}

// load makes the items of a cut the states and the read model.
func (p *player[S, B]) load(items [2][][]byte, offset int64) {
	p.tb.Helper()
	loading, model := p.blank().Load(), p.cfg.Snapshots.Model.Load()
	for _, item := range items[0] {
		if err := errors.Join(p.blank().CheckItem(item), loading.Add(item)); err != nil {
			p.tb.Fatal(err)
		}
	}
	for _, item := range items[1] {
		if err := errors.Join(p.cfg.Snapshots.Model.Check(item), model.Add(item)); err != nil {
			p.tb.Fatal(err)
		}
	}
	var err error
	if p.states, err = loading.End(offset); err == nil {
		err = model.End()
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	model.Use()
}

// sum returns a hash of the states and the read model.
func (p *player[S, B]) sum() string {
	p.tb.Helper()
	cells := map[journal.Stream]any{}
	for s, c := range p.states.Cells() {
		cells[s] = *c
	}
	hash, err := statehash.Of([]any{cells, p.states.Next(), p.states.Horizon(), p.content()})
	if err != nil {
		p.tb.Fatal(err)
	}
	return fmt.Sprintf("%x", hash)
}
