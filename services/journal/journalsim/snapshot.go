package journalsim

import (
	"github.com/deferpay/deferpay/services/journal/states"
)

// snapshot is a cut that was handed out whole.
type snapshot struct {
	offset int64
	items  [][]byte
}

// cut is one that is being handed out, in so many steps.
type cut[S any] struct {
	*states.Cut[S]
	items [][]byte
	steps int
}

// handOut begins a cut, or hands out more of it. How many items a step hands out does not depend on
// how many there are, so that a seed stays one interleaving.
func (w *world[S, B]) handOut(n *instance[S, B]) {
	if w.codec == nil {
		return
	}
	if n.cut == nil {
		n.cut = &cut[S]{Cut: n.core.Cut(), steps: 1 + w.rng.IntN(4)}
	}
	n.cut.steps--
	for i := 0; i < 10 || n.cut.steps == 0; i++ {
		item, more, err := n.cut.Next(nil)
		if err != nil {
			w.fail(err)
			return
		}
		if !more {
			break
		}
		n.cut.items = append(n.cut.items, item)
	}
	if n.cut.steps == 0 {
		w.stats.Snapshots++
		w.snapshots = append(w.snapshots, snapshot{n.cut.Offset(), n.cut.items})
		n.core.EndCut(n.cut.Cut)
		n.cut = nil
	}
}

// load lets an instance that starts begin with one of the snapshots, every other time.
func (w *world[S, B]) load(n *instance[S, B]) {
	if len(w.snapshots) == 0 || w.rng.IntN(2) == 0 {
		return
	}
	s := w.snapshots[w.rng.IntN(len(w.snapshots))]
	loading := n.states.Load()
	for _, item := range s.items {
		w.fail(loading.Add(item))
	}
	_, err := loading.End(s.offset)
	w.fail(err)
	w.stats.FromSnapshots++
}
