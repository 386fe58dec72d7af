package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/statehash"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Outcome is what became of a record.
type Outcome string

// The outcomes of a record.
const (
	Applied      Outcome = "applied"
	Void         Outcome = "void"          // something came in between, so it has no effect
	DeclaredVoid Outcome = "declared-void" // an operator declared it void
	Barrier      Outcome = "barrier"       // it marks a point of the log
	Operator     Outcome = "operator"      // of a kind that the journal itself defines
	Impossible   Outcome = "impossible"    // the fold refused it, and its stream was parked
	// Unreadable records stop every instance. What comes after them is shown as it will be once
	// they are declared void.
	Unreadable Outcome = "unreadable"
)

// Reading is a record, and what became of it.
type Reading struct {
	Offset      int64         `json:"offset"`
	Outcome     Outcome       `json:"outcome"`
	Why         string        `json:"why,omitempty"` // of an outcome that is a fault
	Appended    time.Time     `json:"appended"`
	Kind        string        `json:"kind,omitempty"`
	Attempt     string        `json:"attempt,omitempty"`
	Expects     []Expectation `json:"expects,omitempty"`
	DecidedAt   *time.Time    `json:"decidedAt,omitempty"`
	Writer      string        `json:"writer,omitempty"`
	Traceparent string        `json:"traceparent,omitempty"`
	Body        any           `json:"body,omitempty"`
	SealedBy    string        `json:"sealedBy,omitempty"` // id of the key of its personal data
	Value       []byte        `json:"value,omitempty"`    // of a record that cannot be decoded

	value []byte
	err   error
}

// Expectation is a stream that a record builds on, and the record last applied to it; "" for none.
type Expectation struct {
	Stream  journal.Stream `json:"stream"`
	Attempt string         `json:"attempt,omitempty"`
}

// Summary is what a log leads to.
type Summary struct {
	Records  int64             `json:"records"`
	Outcomes map[Outcome]int64 `json:"outcomes"`
	Writers  map[string]int64  `json:"writers"` // records of each
	Streams  int               `json:"streams"`
	Parked   []Parked          `json:"parked,omitempty"`
	// Unreadable are the offsets of the records that stop every instance, the first hundred.
	Unreadable []int64 `json:"unreadable,omitempty"`
	// Hash is of the states, in hexadecimal. Two logs that lead to the same states have the same
	// hash, as computed by one version of the program; barriers and void records do not count.
	Hash string `json:"hash"`
}

// Parked is a stream that an impossible record has parked.
type Parked struct {
	Stream journal.Stream `json:"stream"`
	Offset int64          `json:"offset"` // of the record
	Why    string         `json:"why"`

	attempt record.Attempt
}

// Read calls each with all records, in order, and returns what they lead to. It reads them twice,
// because a record may be declared void by one that is far behind it. A record that cannot be
// decoded is counted and passed over.
func (l *Log) Read(ctx context.Context, records Records, each func(Reading) error) (Summary, error) {
	f := l.newFold()
	if err := records(ctx, func(read Record) error {
		r := read.undecoded()
		if r.Decode(); r.Kind != record.Void {
			return nil
		}
		if v, err := r.Voiding(); err == nil && v.Offset < r.Offset {
			f.declare(v)
		}
		return nil
	}); err != nil {
		return Summary{}, err
	}
	s := Summary{Outcomes: map[Outcome]int64{}, Writers: map[string]int64{}}
	parkedAt := map[string]int64{}
	err := records(ctx, func(read Record) error {
		r, err := f.read(read.undecoded())
		if err != nil {
			return err
		}
		s.Records++
		s.Outcomes[r.Outcome]++
		if r.Attempt != "" {
			s.Writers[r.Writer]++
		}
		switch {
		case r.Outcome == Unreadable && len(s.Unreadable) < 100:
			s.Unreadable = append(s.Unreadable, r.Offset)
		case r.Outcome == Impossible:
			parkedAt[r.Attempt] = r.Offset
		}
		return each(r)
	})
	if err != nil {
		return s, err
	}
	for stream, p := range f.parked() {
		s.Parked = append(s.Parked, Parked{stream, parkedAt[p.attempt.String()], p.err.Error(), p.attempt})
	}
	slices.SortFunc(s.Parked, func(a, b Parked) int { return cmp.Compare(a.Stream, b.Stream) })
	s.Streams, s.Hash, err = f.hash()
	return s, err
}

// undecoded returns the record as a reader of the log has it. A control record changes nothing, as
// a barrier.
func (r Record) undecoded() record.Record {
	out := record.Record{Offset: r.Offset, Appended: r.Appended, Value: r.Value}
	if r.Control {
		out.Kind = record.Barrier
	}
	return out
}

// folder is a fold over the records of a log, of any domain.
type folder interface {
	declare(record.Voiding)
	read(record.Record) (Reading, error)
	parked() map[journal.Stream]parking
	hash() (streams int, sum string, err error)
}

type parking struct {
	err     error
	attempt record.Attempt
}

type fold[S, B any] struct {
	states  *states.States[S, B]
	verdict *states.Verdict[S, B]
	show    func(kind string, body []byte) (any, error)
	voids   map[int64]bool
}

func (f *fold[S, B]) declare(v record.Voiding) {
	if f.voids == nil {
		f.voids = map[int64]bool{}
	}
	f.voids[v.Offset] = true
	f.states.Declare(v)
}

func (f *fold[S, B]) read(r record.Record) (Reading, error) {
	res, err := f.states.Apply(&r, f.verdict)
	out := f.describe(&r)
	var unreadable *states.UnreadableError
	if errors.As(err, &unreadable) {
		out.Outcome, out.Why, out.err = Unreadable, unreadable.Error(), err
		f.states.Declare(record.Voiding{Offset: r.Offset, Digest: record.DigestOf(r.Value)})
		_, err = f.states.Apply(&r, f.verdict)
		return out, err
	}
	if err != nil {
		return out, err
	}
	switch res.Outcome {
	case states.Applied:
		out.Outcome = Applied
	case states.Barrier:
		out.Outcome = Barrier
	case states.Operators:
		out.Outcome = Operator
	case states.Impossible:
		out.Outcome, out.Why = Impossible, res.Err.Error()
	case states.Void:
		out.Outcome = Void
		if f.voids[r.Offset] {
			out.Outcome = DeclaredVoid
		}
	}
	return out, nil
}

// describe returns what a record says, without its outcome.
func (f *fold[S, B]) describe(r *record.Record) Reading {
	out := Reading{Offset: r.Offset, Appended: r.Appended, value: r.Value}
	if r.Fault != nil {
		out.Value = r.Value
		return out
	}
	decided := record.Time(r.DecidedAt)
	out.Kind, out.Attempt, out.DecidedAt, out.Writer, out.Traceparent = r.Kind, r.Attempt.String(), &decided, r.Writer, r.Traceparent
	for _, x := range r.Expects {
		e := Expectation{Stream: x.Stream}
		if !x.Attempt.IsZero() {
			e.Attempt = x.Attempt.String()
		}
		out.Expects = append(out.Expects, e)
	}
	if r.Sealed != nil {
		out.SealedBy = r.Sealed.KeyID
	}
	var err error
	if out.Body, err = f.body(r); err != nil {
		out.Body, out.Value = nil, r.Value
	}
	return out
}

// body returns the body of a record as people and programs are shown it.
func (f *fold[S, B]) body(r *record.Record) (any, error) {
	switch r.Kind {
	case record.Barrier:
		return nil, nil
	case record.Void:
		v, err := r.Voiding()
		return map[string]any{"offset": v.Offset, "digest": hexOf(v.Digest[:]), "reason": v.Reason}, err
	case record.Forget:
		f, err := r.Forgetting()
		return map[string]any{"prefix": f.Prefix, "before": record.Time(f.Before)}, err
	case record.Release:
		rel, err := r.Releasing()
		return map[string]any{"stream": rel.Stream, "attempt": rel.Attempt.String(), "reason": rel.Reason}, err
	}
	return f.show(r.Kind, r.Body)
}

func (f *fold[S, B]) parked() map[journal.Stream]parking {
	all := map[journal.Stream]parking{}
	for s, err := range f.states.AllParked() {
		all[s] = parking{err, f.states.ParkedBy(s)}
	}
	return all
}

// hash returns the number of streams, and the hash of their states and of what is parked.
func (f *fold[S, B]) hash() (streams int, sum string, err error) {
	type of struct {
		stream journal.Stream
		cell   any
	}
	h := sha256.New()
	var sums []string
	add := func(v any) error {
		one, err := statehash.Of(v)
		sums = append(sums, string(one[:]))
		return err
	}
	for s, cell := range f.states.Cells() {
		if err := add(of{s, *cell}); err != nil {
			return 0, "", err
		}
		streams++
	}
	for s, p := range f.parked() {
		if err := add(of{s, p.attempt}); err != nil {
			return 0, "", err
		}
	}
	slices.Sort(sums)
	h.Write(strconv.AppendInt(nil, int64(len(sums)), 10))
	for _, one := range sums {
		h.Write([]byte(one))
	}
	return streams, hexOf(h.Sum(nil)), nil
}
