package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/services/journal/internal/snapshots"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// itemModel begins the items of the read model; those of the states begin as states.Cut makes them.
const itemModel = 'm'

// start is where a session begins to read the log.
type start[S, B any] struct {
	from   int64
	states *states.States[S, B] // nil at the start of the log
	model  ModelLoading
}

func (j *Journal[S, B]) topicOfSnapshots() snapshots.Topic {
	return snapshots.Topic{Name: j.cfg.Snapshots.Topic, Options: j.cfg.ClientOptions, AllowUnverified: j.cfg.AllowUnverified}
}

// findStart returns the newest snapshot that can be used, or else the start of the log.
func (j *Journal[S, B]) findStart(ctx context.Context) start[S, B] {
	if j.cfg.Snapshots == nil {
		return start[S, B]{}
	}
	began := j.now()
	j.mu.RLock()
	known := j.core.Blank()
	j.mu.RUnlock()
	s, err := j.newest(ctx, known, -1, true)
	switch {
	case err != nil:
		j.cfg.Logger.Warn("no snapshot was found, reading the log from its start", "topic", j.cfg.Topic, "error", err)
	case s.states != nil:
		j.cfg.Logger.Info("starting from a snapshot", "topic", j.cfg.Topic, "offset", s.from-1, "took", j.now().Sub(began))
	}
	return s
}

// adopt makes a snapshot the states and the read model, if there is one. The lock is held.
func (j *Journal[S, B]) adopt(s start[S, B]) {
	j.snapshots.last = s.from - 1
	if s.states == nil {
		return
	}
	j.core.Adopt(s.states)
	if s.model != nil {
		s.model.Use()
	}
}

// before returns states up to an offset that is not beyond upTo, for a subscriber.
func (j *Journal[S, B]) before(ctx context.Context, known *states.States[S, B], upTo int64) *states.States[S, B] {
	if j.cfg.Snapshots != nil {
		if s, err := j.newest(ctx, known, upTo, false); err == nil && s.states != nil {
			return s.states
		}
	}
	return known.Empty()
}

// newest returns the newest snapshot that can be used, up to an offset unless that is negative. It
// has no states if there is none. known are states that know what was declared void.
func (j *Journal[S, B]) newest(ctx context.Context, known *states.States[S, B], upTo int64, model bool) (s start[S, B], err error) {
	topicID, end, err := j.log(ctx)
	if err != nil {
		return s, err
	}
	list, err := j.topicOfSnapshots().List(ctx, func(key string, why error) {
		j.cfg.Logger.Warn("a snapshot is ignored", "topic", j.cfg.Topic, "snapshot", fmt.Sprintf("%.100q", key), "reason", why.Error())
	})
	if err != nil {
		return s, err
	}
	slices.SortStableFunc(list, func(a, b record.Manifest) int { return cmp.Compare(b.Offset, a.Offset) })
	for _, m := range list {
		if upTo >= 0 && m.Offset >= upTo {
			continue
		}
		why := j.mismatch(ctx, m, topicID, end)
		var found start[S, B]
		if why == nil {
			found, why = j.load(ctx, m, known, model)
		}
		if why == nil {
			return found, nil
		}
		j.ignore(m, why)
	}
	return s, nil
}

// ignore says that a snapshot could not be used, and remembers it: another one is taken then.
func (j *Journal[S, B]) ignore(m record.Manifest, why error) {
	j.cfg.Logger.Warn("a snapshot is ignored", "topic", j.cfg.Topic, "snapshot", m.Snapshot.String(), "offset", m.Offset, "writer", m.Writer, "reason", why.Error())
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.snapshots.ignored == nil {
		j.snapshots.ignored = make(map[Attempt]bool)
	}
	j.snapshots.ignored[m.Snapshot] = true
}

// mismatch returns why a snapshot does not belong to the log and the program, nil if it does.
func (j *Journal[S, B]) mismatch(ctx context.Context, m record.Manifest, topicID [16]byte, end int64) error {
	switch own := j.cfg.Snapshots; {
	case m.FoldVersion > own.Version:
		return fmt.Errorf("it was made by version %d of the fold, which is newer than this program's %d", m.FoldVersion, own.Version)
	case m.FoldVersion < own.Version:
		return fmt.Errorf("it was made by version %d of the fold, which is older than this program's %d", m.FoldVersion, own.Version)
	case m.Shape != j.cfg.shape():
		return errors.New("it was made by a program whose states consist of other fields")
	case m.TopicID != topicID:
		return errors.New("it is of another topic of that name")
	case !m.Complete:
		return errors.New("it is not complete")
	case m.Offset >= end:
		return fmt.Errorf("it is beyond the end of the log, %d", end)
	}
	reading, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var last record.Digest
	err := topic.Scan(reading, j.cfg.Topic, m.Offset, m.Offset+1, j.cfg.ClientOptions, func(r *record.Record) (bool, error) {
		last = record.DigestOf(r.Value)
		return true, nil
	})
	if err == nil && last != m.LastRecord {
		err = errors.New("its last record is not the one that the log has there")
	}
	return err
}

// load reads a snapshot.
func (j *Journal[S, B]) load(ctx context.Context, m record.Manifest, known *states.States[S, B], model bool) (start[S, B], error) {
	s, loading := start[S, B]{from: m.Offset + 1}, j.blank.Empty().Load()
	if j.cfg.Snapshots.Model != nil {
		s.model = j.cfg.Snapshots.Model.Load()
	}
	adding := addTo(s.model)
	err := j.topicOfSnapshots().Read(ctx, m, func(item []byte) error {
		switch {
		case len(item) == 0 || item[0] != itemModel:
			return loading.Add(item)
		case s.model == nil:
			return errors.New("it has a read model, and there is none")
		case model:
			return adding.add(item[1:])
		}
		return nil
	})
	if err = cmp.Or(adding.end(), err); err != nil {
		return start[S, B]{}, err
	}
	if s.states, err = loading.End(m.Offset); err != nil {
		return start[S, B]{}, err
	}
	if model && s.model != nil {
		if err := s.model.End(); err != nil {
			return start[S, B]{}, err
		}
	}
	if known.Outdated(s.states) {
		return start[S, B]{}, errors.New("it has read a record that was declared void later")
	}
	known.Inform(s.states)
	return s, nil
}

// adding adds items to a read model while the states are loaded, in a goroutine of its own.
type adding struct {
	items chan []byte
	ended chan struct{}
	err   error // set before ended is closed
}

// modelAhead is how many items may wait to be added.
const modelAhead = 64

func addTo(m ModelLoading) *adding {
	a := &adding{make(chan []byte, modelAhead), make(chan struct{}), nil}
	go func() {
		defer close(a.ended)
		for item := range a.items {
			if a.err = m.Add(item); a.err != nil {
				return
			}
		}
	}()
	return a
}

// add hands a copy of an item over. An error is returned if an earlier one was not added.
func (a *adding) add(item []byte) error {
	select {
	case a.items <- bytes.Clone(item):
		return nil
	case <-a.ended:
		return a.err
	}
}

// end returns once everything is added, or the first error.
func (a *adding) end() error {
	close(a.items)
	<-a.ended
	return a.err
}
