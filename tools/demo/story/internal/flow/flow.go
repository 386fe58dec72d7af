// Package flow compares the records that appear on the topics with those that a step of the story
// expects. Package story imports it.
package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/observer"
)

// Want is a record that is expected.
type Want struct {
	Topic, Kind string
	Is          func(observer.Record) bool // which record of that kind; nil for any
}

// On returns one Want for each kind on a topic.
func On(topic string, kinds ...string) []Want {
	var out []Want
	for _, k := range kinds {
		out = append(out, Want{Topic: topic, Kind: k})
	}
	return out
}

// Flow is the records of an observer in their order. Each of them is taken once.
type Flow struct {
	seen    *observer.Observer
	mark    int               // number of records that were read from seen
	waiting []observer.Record // those of them that have not been taken
	ids     map[string]bool   // CloudEvents ids by topic
	again   map[place]bool    // records that repeat the id of an earlier one
	// Foreign, if not nil, reports whether a record is of somebody else who uses the system at the
	// same time. Such records are passed over.
	Foreign func(observer.Record) bool
}

type place struct {
	topic  string
	offset int64
}

// New returns the flow of the records that an observer reads from now on. Those that it has read
// before count as taken.
func New(seen *observer.Observer) *Flow {
	f := &Flow{seen: seen, ids: map[string]bool{}, again: map[place]bool{}}
	f.Waiting()
	f.waiting = nil
	return f
}

// Waiting returns the records that have not been taken. Barriers are left out: they belong to the
// journal.
func (f *Flow) Waiting() []observer.Record {
	fresh := f.seen.Since(f.mark)
	f.mark += len(fresh)
	for _, rec := range fresh {
		if id := rec.Headers["ce_id"]; id != "" {
			if f.ids[rec.Topic+id] {
				f.again[place{rec.Topic, rec.Offset}] = true
			}
			f.ids[rec.Topic+id] = true
		}
		if rec.Type != "barrier" {
			f.waiting = append(f.waiting, rec)
		}
	}
	return f.waiting
}

// own returns the records that have not been taken, without those of others.
func (f *Flow) own() []observer.Record {
	f.Waiting()
	if f.Foreign != nil {
		f.waiting = slices.DeleteFunc(f.waiting, f.Foreign)
	}
	return f.waiting
}

// Again reports whether a record repeats an earlier message: it was delivered twice.
func (f *Flow) Again(rec observer.Record) bool { return f.again[place{rec.Topic, rec.Offset}] }

// NoEffect reports whether a record changes nothing. It is void in its log, or it was published
// again by an instance that took over or was restarted.
func (f *Flow) NoEffect(rec observer.Record) bool { return rec.Void() || f.Again(rec) }

// Take waits until every expected record has been read, and takes them together with the records
// that have no effect. The error names the records that are missing.
func (f *Flow) Take(ctx context.Context, want []Want) (taken []observer.Record, err error) {
	var left []observer.Record
	var missing []Want
	err = f.seen.Wait(ctx, 0, func([]observer.Record) bool {
		taken, left, missing = match(f.own(), want, f.NoEffect)
		return len(missing) == 0
	})
	if err != nil {
		var names []string
		for _, m := range missing {
			names = append(names, m.Kind+" on "+m.Topic)
		}
		return nil, fmt.Errorf("not written: %s (%w)", strings.Join(names, ", "), err)
	}
	f.waiting = left
	return taken, nil
}

// Rest reads the topics to their ends and takes the records that have no effect. It returns them,
// and those that are left.
func (f *Flow) Rest(ctx context.Context) (taken, left []observer.Record, err error) {
	if err := f.seen.Sync(ctx); err != nil {
		return nil, nil, err
	}
	taken, f.waiting, _ = match(f.own(), nil, f.NoEffect)
	return taken, f.waiting, nil
}

// match pairs records with what is expected, in the order of the records. Records without effect
// are taken too.
func match(records []observer.Record, want []Want, noEffect func(observer.Record) bool) (taken, left []observer.Record, missing []Want) {
	missing = slices.Clone(want)
	for _, rec := range records {
		i := slices.IndexFunc(missing, func(w Want) bool {
			return w.Topic == rec.Topic && w.Kind == rec.Type && (w.Is == nil || w.Is(rec))
		})
		switch {
		case noEffect(rec):
			taken = append(taken, rec)
		case i >= 0:
			taken, missing = append(taken, rec), slices.Delete(missing, i, i+1)
		default:
			left = append(left, rec)
		}
	}
	return taken, left, missing
}

// All returns every record that has been read, taken or not.
func (f *Flow) All() []observer.Record { return f.seen.Since(0) }

// Derived returns an error if a public message was not derived from an applied record of a log. The
// CloudEvents id of a message begins with the attempt of its record.
func (f *Flow) Derived(messages []observer.Record) error {
	applied := map[string]bool{}
	for _, rec := range f.All() {
		if rec.Envelope != nil && rec.Envelope.Applied {
			applied[rec.Envelope.Attempt] = true
		}
	}
	for _, rec := range messages {
		if rec.Envelope != nil {
			continue
		}
		id := rec.Headers["ce_id"]
		if !applied[id[:max(0, strings.LastIndexByte(id, '-'))]] {
			return fmt.Errorf("%s @%d has the id %q: no applied record of a log has that attempt", rec.Topic, rec.Offset, id)
		}
	}
	return nil
}

// Position returns the Log-Position of the last record of a log that has been read. An answer of
// any instance to a request with that header is at least that fresh.
func (f *Flow) Position(log string) string {
	last := int64(-1)
	for _, rec := range f.All() {
		if rec.Topic == log {
			last = rec.Offset
		}
	}
	if last < 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", log, last)
}
