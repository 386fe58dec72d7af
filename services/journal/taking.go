package journal

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/snapshots"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

const (
	recordsBetween = 50_000
	// shareBetween: of a log of n records, at most n/shareBetween are read after a snapshot, or
	// writing snapshots would be most of the work.
	shareBetween   = 8
	lookEvery      = time.Second      // whether a snapshot is due
	retrySnapshot  = 30 * time.Second // after a failure, or while another instance takes one
	abandonedAfter = time.Hour        // a snapshot that is not complete
	foreignKept    = 7 * 24 * time.Hour
	copyAtOnce     = 16 << 10 // bytes, under the lock
)

// taking is how far the taking of snapshots has come.
type taking struct {
	cutting       sync.Mutex // held while a cut is handed out: there is one at a time
	last          int64      // offset of the last record in the newest snapshot that can be used
	taken, failed int64
	ignored       map[Attempt]bool // that could not be used
}

// Snapshot takes a snapshot now, whether one is due or not, and returns the offset of the last
// record in it. The error wraps ErrNotReady if the journal is not ready.
func (j *Journal[S, B]) Snapshot(ctx context.Context) (offset int64, err error) {
	if j.cfg.Snapshots == nil {
		return 0, errors.New("journal: no snapshots are configured")
	}
	j.mu.RLock()
	err = j.readiness()
	j.mu.RUnlock()
	if err != nil {
		return 0, err
	}
	topicID, _, err := j.log(ctx)
	if err != nil {
		return 0, err
	}
	m, err := j.write(ctx, j.topicOfSnapshots(), j.manifest(topicID))
	return m.Offset, err
}

// log asks the broker for the id of the topic of the log, and for its end.
func (j *Journal[S, B]) log(ctx context.Context) (topicID [16]byte, end int64, err error) {
	client, err := topic.NewProducer(1, j.cfg.ClientOptions)
	if err != nil {
		return topicID, 0, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if topicID, err = topic.ID(ctx, client, j.cfg.Topic); err != nil {
		return topicID, 0, err
	}
	end, err = topic.End(ctx, client, j.cfg.Topic)
	return topicID, end, err
}

// manifest returns the manifest of a new snapshot, as far as it is known before.
func (j *Journal[S, B]) manifest(topicID [16]byte) record.Manifest {
	return record.Manifest{
		Snapshot: newSnapshot(), FoldVersion: j.cfg.Snapshots.Version, Shape: j.cfg.shape(), TopicID: topicID,
		Writer: j.cfg.Writer, TakenAt: j.now().UnixMicro(),
	}
}

// takeSnapshots takes a snapshot whenever one is due, until ctx is done.
func (j *Journal[S, B]) takeSnapshots(ctx context.Context) {
	for wait := lookEvery; sleep(ctx, wait); {
		wait = lookEvery
		if !j.due() {
			continue
		}
		taken, err := j.takeSnapshot(ctx)
		if err != nil && ctx.Err() == nil {
			j.mu.Lock()
			j.snapshots.failed++
			j.mu.Unlock()
			j.cfg.Logger.Warn("no snapshot was taken, trying again", "topic", j.cfg.Topic, "error", err.Error())
		}
		if !taken || err != nil {
			wait = retrySnapshot
		}
	}
}

// due reports whether enough records were read since the last snapshot.
func (j *Journal[S, B]) due() bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	next := j.core.Next()
	return j.readiness() == nil && next-1-j.snapshots.last >= max(cmp.Or(j.cfg.Snapshots.Every, recordsBetween), next/shareBetween)
}

// takeSnapshot takes a snapshot, unless another instance has taken one that can be used, or is at
// it. It then removes those that are of no use any more.
func (j *Journal[S, B]) takeSnapshot(ctx context.Context) (taken bool, err error) {
	t := j.topicOfSnapshots()
	topicID, end, err := j.log(ctx)
	if err != nil {
		return false, err
	}
	list, err := t.List(ctx, func(string, error) {})
	if err != nil {
		return false, err
	}
	own := j.manifest(topicID)
	for _, m := range list {
		switch {
		case !sameKind(m, own):
		case m.Complete && j.ignores(ctx, m, topicID, end):
		case m.Complete:
			j.mu.Lock()
			j.snapshots.last = max(j.snapshots.last, m.Offset)
			j.mu.Unlock()
		case m.Writer != own.Writer && j.age(m) < 2*retrySnapshot:
			return false, nil // another instance is at it
		}
	}
	if !j.due() {
		return true, nil
	}
	m, err := j.write(ctx, t, own)
	if err != nil {
		return false, err
	}
	if err := j.removeOld(ctx, t, append(list, m), own); err != nil && ctx.Err() == nil {
		j.cfg.Logger.Warn("old snapshots were not removed", "topic", j.cfg.Topic, "error", err.Error())
	}
	return true, nil
}

// ignores reports whether a snapshot could not be used, or does not belong to the log.
func (j *Journal[S, B]) ignores(ctx context.Context, m record.Manifest, topicID [16]byte, end int64) bool {
	j.mu.RLock()
	ignored := j.snapshots.ignored[m.Snapshot]
	j.mu.RUnlock()
	if ignored {
		return true
	}
	why := j.mismatch(ctx, m, topicID, end)
	if why != nil {
		j.ignore(m, why)
	}
	return why != nil
}

func newSnapshot() (a Attempt) {
	rand.Read(a[:])
	a[6] = a[6]&0x0f | 0x40
	a[8] = a[8]&0x3f | 0x80
	return a
}

// sameKind reports whether two snapshots are of one log, by one kind of program.
func sameKind(a, b record.Manifest) bool {
	return a.FoldVersion == b.FoldVersion && a.Shape == b.Shape && a.TopicID == b.TopicID
}

func (j *Journal[S, B]) age(m record.Manifest) time.Duration {
	return j.now().Sub(record.Time(m.TakenAt))
}

// write takes a cut, and writes it while the journal goes on.
func (j *Journal[S, B]) write(ctx context.Context, t snapshots.Topic, m record.Manifest) (record.Manifest, error) {
	j.snapshots.cutting.Lock()
	defer j.snapshots.cutting.Unlock()
	began := j.now()
	cut, ok := j.cut()
	if !ok {
		return m, ErrNotReady
	}
	defer cut.end()
	m.Offset = cut.states.Offset()
	w, err := t.Begin(ctx, m)
	if err != nil {
		return m, err
	}
	defer w.Close()
	for more := true; more; {
		var some []byte
		if some, more, err = cut.next(); err != nil {
			return m, err
		}
		if err := j.check(some); err != nil {
			return m, errors.Join(fmt.Errorf("a snapshot would not be usable: %w", err), w.Abandon(ctx))
		}
		if err := w.Write(ctx, some); err != nil {
			return m, err
		}
		runtime.Gosched() // decisions go first
	}
	if m, err = w.Complete(ctx, record.DigestOf(cut.tail)); err != nil {
		return m, err
	}
	j.mu.Lock()
	j.snapshots.last = max(j.snapshots.last, m.Offset)
	j.snapshots.taken++
	j.mu.Unlock()
	j.cfg.Logger.Info("a snapshot was taken", "topic", j.cfg.Topic, "offset", m.Offset, "chunks", m.Chunks, "bytes", w.Bytes(), "took", j.now().Sub(began))
	return m, nil
}

// check returns an error if one of the items cannot be read. It needs no lock.
func (j *Journal[S, B]) check(some []byte) error {
	_, err := snapshots.Items(some, func(item []byte) error {
		if item[0] == itemModel {
			return j.cfg.Snapshots.Model.Check(item[1:])
		}
		return j.blank.CheckItem(item)
	})
	return err
}

// cut is the states and the read model as they were at one record.
type cut[S, B any] struct {
	journal *Journal[S, B]
	states  *states.Cut[S]
	model   ModelCut // nil if there is no read model
	tail    []byte   // the last record
	item    []byte
	some    []byte

	turn                bool // of the states
	handed, modelHanded bool // nothing is left of the states, of the read model
}

// cut begins a cut. It reports false if the journal is not ready.
func (j *Journal[S, B]) cut() (*cut[S, B], bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.readiness() != nil || j.sender == nil {
		return nil, false
	}
	c := &cut[S, B]{journal: j, states: j.core.Cut(), tail: j.tail, modelHanded: true}
	if m := j.cfg.Snapshots.Model; m != nil {
		c.model, c.modelHanded = m.Cut(), false
	}
	return c, true
}

func (c *cut[S, B]) end() {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	c.journal.core.EndCut(c.states)
	if c.model != nil {
		c.model.End()
	}
}

// next returns some of the items, and reports whether there may be more. It takes the lock for a
// moment, shared with other readers.
func (c *cut[S, B]) next() (some []byte, more bool, err error) {
	c.some = c.some[:0]
	c.journal.mu.RLock()
	defer c.journal.mu.RUnlock()
	for len(c.some) < copyAtOnce {
		if more, err = c.nextItem(); err != nil || !more {
			return c.some, false, err
		}
		c.some = snapshots.AppendItem(c.some, c.item)
	}
	return c.some, true, nil
}

// nextItem makes item the next one, and reports whether there was one. Items of the states and of
// the read model take turns, so that both can be loaded at the same time.
func (c *cut[S, B]) nextItem() (more bool, err error) {
	for !c.handed || !c.modelHanded {
		c.turn = !c.turn
		switch {
		case c.turn && !c.handed:
			c.item, more, err = c.states.Next(c.item[:0])
			c.handed = !more
		case !c.turn && !c.modelHanded:
			c.item, more, err = c.model.Next(append(c.item[:0], itemModel))
			c.modelHanded = !more
		}
		if more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// removeOld removes the snapshots that are of no use any more.
func (j *Journal[S, B]) removeOld(ctx context.Context, t snapshots.Topic, list []record.Manifest, own record.Manifest) error {
	j.mu.RLock()
	positions, ignored := slices.Clone(j.positions), maps.Clone(j.snapshots.ignored)
	j.mu.RUnlock()
	var needed []int64 // where subscribers go on
	for _, p := range positions {
		asking, cancel := context.WithTimeout(ctx, answerLimit)
		at, err := p.Load(asking, j.cfg.ClientOptions, func(int64, error) {})
		cancel()
		if err != nil {
			return err
		}
		needed = append(needed, at.Offset)
	}
	return t.Remove(ctx, useless(list, own, ignored, needed, j.now())...)
}

// useless returns the snapshots that are of no use any more. Of own's kind, without those that
// could not be used, the last two stay, and for each offset that a subscriber goes on from, the
// last one before it. Those of other programs and logs stay for a week: another version of the
// program may run beside this one, or again.
func useless(list []record.Manifest, own record.Manifest, ignored map[Attempt]bool, needed []int64, now time.Time) (out []record.Manifest) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b record.Manifest) int { return cmp.Compare(b.Offset, a.Offset) })
	kept := 0
	needed = slices.Clone(needed)
	for _, m := range list {
		age := now.Sub(record.Time(m.TakenAt))
		switch {
		case !m.Complete:
			if age > abandonedAfter {
				out = append(out, m)
			}
			continue
		case !sameKind(m, own):
			if age > foreignKept {
				out = append(out, m)
			}
			continue
		case ignored[m.Snapshot]:
			out = append(out, m)
			continue
		}
		before := len(needed)
		needed = slices.DeleteFunc(needed, func(at int64) bool { return m.Offset < at })
		if kept++; kept > 2 && len(needed) == before {
			out = append(out, m)
		}
	}
	return out
}
