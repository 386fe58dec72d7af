package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
)

// Domain is what a service supplies: E is its events, S what publication and the read model see
// after an event, A what the answer to a request is made of. All fields but Order and Snapshots
// are required.
type Domain[E, S, A any] struct {
	Codec journal.Codec[Body[E]]
	// Streams lists the streams that an event concerns: its fold reads and sets these alone. The
	// first is held back if the record turns out to be impossible.
	Streams func(E) []journal.Stream
	// Key is the Kafka key of an event's record.
	Key func(E) string
	// Order is the key that orders publication: records of one are published in order. Nil: Key.
	Order func(Applied[E, S]) string
	// Fold brings an event into the states of its streams; see journal.Fold.
	Fold func(v *View, e E, at time.Time) error
	// After returns what is kept right after an event. It may refer to the view.
	After func(v *View, e E) S
	// Answer returns what the answer to the request that led to an event is made of. It is kept as
	// long as the key is, so it may not refer to a view.
	Answer func(e E, after S) A
	// Project brings an applied record into the read model, and Reset empties it; see
	// journal.Config.
	Project func(Applied[E, S])
	Reset   func()
	// Snapshots keeps the states and the read model; nil if they are not kept.
	Snapshots *Snapshots
	// NoEffect is the error of a decision that has nothing to record, which is not a failure.
	NoEffect error
}

// Config says where the log is, and who writes it.
type Config struct {
	Writer          string    // name of this instance
	ClientOptions   []kgo.Opt // how to reach the broker
	Now             func() time.Time
	AllowUnverified bool
	SnapshotEvery   int64 // records between two snapshots; 0: none are taken, nor used
	Logger          *slog.Logger
	Tracer          *trace.Tracer // nil: no spans are recorded
}

// Log is a log that is read and waited for, whatever it holds. A store embeds it.
type Log interface {
	// Run reads the log until ctx is done. It returns an error if the topic is not configured as a
	// log must be.
	Run(ctx context.Context) error
	// Ready returns nil, or why nothing is served now.
	Ready() error
	// Topic returns the name of the log.
	Topic() string
	// Position returns the offset of the last record read.
	Position() int64
	// WaitFor returns when the record at offset is read.
	WaitFor(ctx context.Context, offset int64) error
	// Barrier returns when everything is read that was in the log when it was called.
	Barrier(ctx context.Context) error
	// Stats returns the journal's counters.
	Stats() journal.Stats
}

// Ledger decides on a log, and remembers what was decided. All methods may be called at the same
// time.
type Ledger[E, S, A any] struct {
	Log
	journal *journal.Journal[State, Body[E]]
	domain  Domain[E, S, A]
	config  journal.Config[State, Body[E]]
	admin   *admin.Log
	now     func() time.Time
	logger  *slog.Logger
	tracer  *trace.Tracer
}

// Admin returns the log for the people who operate it.
func (l *Ledger[E, S, A]) Admin() *admin.Log { return l.admin }

// check returns an error that names the required fields that are not set.
func (d Domain[E, S, A]) check() error {
	var unset []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"Codec", d.Codec != nil}, {"Streams", d.Streams != nil}, {"Key", d.Key != nil}, {"Fold", d.Fold != nil},
		{"After", d.After != nil}, {"Answer", d.Answer != nil}, {"Project", d.Project != nil}, {"Reset", d.Reset != nil},
		{"NoEffect", d.NoEffect != nil},
	} {
		if !f.set {
			unset = append(unset, f.name)
		}
	}
	if len(unset) > 0 {
		return fmt.Errorf("the domain has no %s", strings.Join(unset, ", "))
	}
	return nil
}

// New returns the ledger on a log without touching the network; Run makes it live. It returns an
// error that names the required fields of the domain that are not set.
func New[E, S, A any](topic string, domain Domain[E, S, A], cfg Config) (*Ledger[E, S, A], error) {
	if err := domain.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	l := &Ledger[E, S, A]{domain: domain, now: cfg.Now, logger: cfg.Logger, tracer: cfg.Tracer}
	order := func(e *journal.Entry[Body[E]], after *View) string {
		if t := e.Body.Taken; t != nil {
			return string(t.stream())
		}
		return domain.Order(Applied[E, S]{*e, domain.After(after, e.Body.Event)})
	}
	if domain.Order == nil {
		order = nil
	}
	config := journal.Config[State, Body[E]]{
		Topic: topic, Writer: cfg.Writer, ClientOptions: cfg.ClientOptions,
		Codec: domain.Codec, Fold: l.fold,
		Project: func(e journal.Entry[Body[E]], after *View) {
			if e.Body.Taken != nil {
				return
			}
			domain.Project(Applied[E, S]{e, domain.After(after, e.Body.Event)})
		},
		Reset: domain.Reset,
		Key: func(e *journal.Entry[Body[E]]) string {
			if t := e.Body.Taken; t != nil {
				return string(t.stream())
			}
			return domain.Key(e.Body.Event)
		},
		Order: order,
		Subject: func(e *journal.Entry[Body[E]]) journal.Stream {
			if t := e.Body.Taken; t != nil {
				return t.stream()
			}
			return domain.Streams(e.Body.Event)[0]
		},
		Passing: idempotency.Streams,
		Now:     cfg.Now, Traceparent: trace.From, AllowUnverified: cfg.AllowUnverified, Logger: cfg.Logger,
	}
	if cfg.Tracer.On() {
		config.Timed = timed
	}
	if err := domain.keep(&config, cfg.SnapshotEvery); err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	j, err := journal.New(config)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	l.Log, l.journal, l.config, l.admin = j, j, config, admin.Open(config)
	return l, nil
}

// Outcome is what a decision led to.
type Outcome[E, A any] struct {
	Event    E     // the zero value if nothing was recorded by this call
	Answer   A     // the zero value without a request
	Offset   int64 // of the log, at which the outcome is applied
	Replayed bool  // an earlier request with the same key led to it
	NoEffect bool  // there was nothing to record
}

// key is the state of the stream of an idempotency key: the request that used it, and what its
// answer is made of.
type key[A any] struct {
	request idempotency.Request // what is kept of it: the name of the stream holds client and key
	answer  A
}

// Decide records what rule decides on the states of the streams, and of any other that it reads;
// see journal.Decide. With a request, rule is not asked if the request's key was used before: then
// the outcome is the earlier one, or idempotency.ErrReused if that was another request's. An error
// of rule is returned as it is, and nothing is recorded. The options are those of the record.
//
// An error of rule that later records cannot make wrong should be made with ForGood: it is returned
// without a barrier.
func (l *Ledger[E, S, A]) Decide(ctx context.Context, req *idempotency.Request, on []journal.Stream, rule func(v *View) (E, error), opts ...journal.Option) (Outcome[E, A], error) {
	var name journal.Stream
	if req != nil {
		name = journal.Stream(req.Stream())
		on = append(slices.Clip(on), name)
	}
	ctx, span := l.tracer.Start(ctx, trace.Internal, "decide "+l.Topic())
	defer span.End()
	v, err := l.journal.Decide(ctx, on, func(v *View) (Body[E], error) {
		if req != nil {
			if used, err := l.used(v, name, req); used {
				return Body[E]{}, err
			}
		}
		e, err := rule(v)
		if err != nil {
			return Body[E]{}, err
		}
		for _, s := range l.domain.Streams(e) {
			v.State(s) // the record stands on all that its fold touches
		}
		return Body[E]{Event: e, Request: req.Recorded()}, nil
	}, opts...)
	switch {
	case errors.Is(err, l.domain.NoEffect):
		return Outcome[E, A]{NoEffect: true, Offset: l.Position()}, nil
	case errors.Is(err, errAnswered):
		return l.replay(req)
	case err != nil:
		return Outcome[E, A]{}, err
	}
	out := Outcome[E, A]{Event: v.Body.Event, Offset: v.Offset}
	if req != nil {
		k, _ := get[A](v.After, name)
		out.Answer = k.answer
	}
	return out, nil
}

func get[A any](from Reader, name journal.Stream) (key[A], bool) {
	s, ok := from.State(name)
	k, _ := s.(key[A])
	return k, ok
}

// ForGood returns an error with the text of err that wraps both err and journal.ErrAlready. It is
// for errors of decisions that rest on an applied record and that no later record makes wrong.
func ForGood(err error) error { return forGood{err} }

type forGood struct{ error }

func (e forGood) Unwrap() []error { return []error{journal.ErrAlready, e.error} }

// errAnswered is the error of a decision on a request that was answered before.
var errAnswered = ForGood(errors.New("the request was answered before"))

// used reports whether the request's key was used. The error is errAnswered if it was by the same
// request, and otherwise wraps idempotency.ErrReused.
func (l *Ledger[E, S, A]) used(from Reader, name journal.Stream, req *idempotency.Request) (bool, error) {
	k, ok := get[A](from, name)
	if !ok {
		return false, nil
	}
	if err := req.Check(k.request); err != nil {
		return true, ForGood(err)
	}
	return true, errAnswered
}

// replay returns the outcome that the request's key stands for.
func (l *Ledger[E, S, A]) replay(req *idempotency.Request) (out Outcome[E, A], err error) {
	out.Replayed = true
	out.Offset = l.Read(func(st States) {
		k, ok := get[A](st, journal.Stream(req.Stream()))
		if !ok {
			err = journal.ErrNotReady // the state was discarded meanwhile
		}
		out.Answer = k.answer
	})
	return out, err
}

// Answered returns the outcome that the request led to before, and reports whether there is one.
// Unless an applied record answers the request, everything that is in the log is read first, since
// another instance may have recorded it. The error is idempotency.ErrReused if another request used
// the key. A nil request was not answered before.
func (l *Ledger[E, S, A]) Answered(ctx context.Context, req *idempotency.Request) (out Outcome[E, A], before bool, err error) {
	if before, err = l.applied(req); !before && err == nil {
		if err = l.Barrier(ctx); err == nil {
			before, err = l.applied(req)
		}
	}
	if !before || err != nil {
		return out, false, err
	}
	out, err = l.replay(req)
	return out, err == nil, err
}

// UnlessAnswered returns wrong, which is what is wrong with a request, unless the request was
// answered before: then it returns that outcome. Rules and lists of codes become stricter, and a
// request that was right by the former ones gets the same answer again. A wrong request is refused
// as such although another one used its key. If wrong is nil, the error is nil.
func (l *Ledger[E, S, A]) UnlessAnswered(ctx context.Context, req *idempotency.Request, wrong error) (Outcome[E, A], error) {
	if wrong == nil {
		return Outcome[E, A]{}, nil
	}
	out, before, err := l.Answered(ctx, req)
	if before || err != nil && !errors.Is(err, idempotency.ErrReused) {
		return out, err
	}
	return out, wrong
}

// applied reports whether an applied record answers the request.
func (l *Ledger[E, S, A]) applied(req *idempotency.Request) (before bool, err error) {
	if req == nil {
		return false, nil
	}
	l.Read(func(st States) { before, err = l.used(st, journal.Stream(req.Stream()), req) })
	if errors.Is(err, errAnswered) {
		err = nil
	}
	return before, err
}

// Read runs fn on the applied states and the read model, and returns the position that they belong
// to. fn may not call the ledger.
func (l *Ledger[E, S, A]) Read(fn func(States)) (position int64) {
	l.journal.Read(func(state func(journal.Stream) (State, bool)) {
		fn(state)
		position = l.journal.Position()
	})
	return position
}

// Parked returns the parked streams, and why each is. Decisions that read one return
// journal.ErrParked.
func (l *Ledger[E, S, A]) Parked() map[journal.Stream]error { return l.journal.Parked() }

// fold brings a record into the states of its streams.
func (l *Ledger[E, S, A]) fold(v *View, e journal.Entry[Body[E]]) error {
	if t := e.Body.Taken; t != nil {
		v.Set(t.stream(), *t)
		return nil
	}
	event := e.Body.Event
	if err := l.domain.Fold(v, event, e.DecidedAt); err != nil {
		return fmt.Errorf("%s: %w", e.Kind, err)
	}
	req := e.Body.Request
	if req == nil {
		return nil
	}
	name := journal.Stream(req.Stream())
	if _, used := get[A](v, name); used {
		return fmt.Errorf("%s: key %s was used before", e.Kind, name)
	}
	v.Set(name, key[A]{req.Kept(), l.domain.Answer(event, l.domain.After(v, event))})
	return nil
}
