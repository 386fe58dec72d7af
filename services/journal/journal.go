package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/internal/publication"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

const (
	maxInFlight = 20_000  // records of ours that were not read back, and commands that wait
	maxRecord   = 900_000 // bytes; brokers take 1 MiB by default
)

var (
	errStarting = errors.New("starting")
	errStopped  = errors.New("stopped")
)

// Config says what a journal is made of. Topic, Writer, ClientOptions, Codec and Fold are required.
type Config[S, B any] struct {
	Topic  string // the log; exactly one partition
	Writer string // name of this instance, written into every record
	// ClientOptions say how to reach the broker: seed brokers, TLS, SASL, dialer. The journal
	// itself sets everything about producing and consuming.
	ClientOptions []kgo.Opt
	Codec         Codec[B]
	Fold          Fold[S, B]

	// Project is called for each applied entry, in log order, with the states of the entry's
	// streams after it; the view is valid until Project returns. It feeds the read model that Read
	// looks at, and runs under the lock that excludes Read. It must not call the journal.
	Project func(e Entry[B], after *View[S])
	// Reset empties the read model. It is called, under the same lock, before the log is read again
	// from its start.
	Reset func()
	// States turns states into bytes and back. With it, streams that have not changed for a while
	// are kept encoded and compressed, in memory and in snapshots, which need it. Without it, all
	// are kept as the fold has set them.
	States StateCodec[S]
	// Snapshots keeps the states and the read model on a topic, so that an instance does not read
	// the whole log when it starts. Nil if it does.
	Snapshots *Snapshots
	// Subject returns the stream that an impossible record parks; by default the first stream of
	// the entry. All instances must agree on it, now and later.
	Subject func(e *Entry[B]) Stream
	// Passing is what the names of streams begin with that Forget forgets, such as "key/"; by
	// default none are.
	Passing string
	// Key returns the Kafka key of a record. By default it is the subject.
	Key func(e *Entry[B]) string
	// Order returns the key that orders publication, given the states of the entry's streams after
	// it: a Subscriber delivers entries of one such key one after the other. By default it is Key.
	Order func(e *Entry[B], after *View[S]) string
	// Now is the clock of decisions; time.Now by default.
	Now func() time.Time
	// Traceparent returns the W3C trace context of a request's context, or "".
	Traceparent func(context.Context) string
	// Timed, unless it is nil, is called at the end of Decide with the context of the call and the
	// times of the decision.
	Timed func(context.Context, Timing)
	// AllowUnverified lets Run go on, with a warning, if it may not read the topic's configuration.
	AllowUnverified bool
	Logger          *slog.Logger // slog.Default by default
}

// Journal decides on one log. Its methods may be called at the same time.
type Journal[S, B any] struct {
	cfg   Config[S, B]
	now   func() time.Time     // the system's clock, not that of decisions
	blank *states.States[S, B] // before the first record; a subscriber starts from it

	mu          sync.RWMutex
	core        *core.Core[S, B]
	sender      *sender // nil while nothing can be appended
	reason      error   // why nothing is served
	stopping    bool
	skew        time.Duration // of the system clock against the broker's
	unguarded   bool          // a warning was logged that the broker does not stamp records
	timer       *time.Timer
	alarm       time.Time // when the timer fires
	warned      time.Time // when a failed produce was last logged
	ahead       []early   // in the order of the log
	connections connections
	tail        []byte            // the record that was applied last
	positions   []topic.Positions // of the subscribers
	snapshots   taking

	feed    *publication.Feed[S, B]
	inbox   inbox[S, B]
	signals sync.Pool // channels that callers wait on
	read    progress
	reader  waker
}

// New returns a journal without touching the network; Run makes it live. An error is returned if a
// required field of cfg is missing.
func New[S, B any](cfg Config[S, B]) (*Journal[S, B], error) {
	switch {
	case cfg.Topic == "":
		return nil, errors.New("journal: no topic")
	case cfg.Writer == "":
		return nil, errors.New("journal: no writer")
	case cfg.Codec == nil, cfg.Fold == nil:
		return nil, errors.New("journal: no codec or no fold")
	}
	if err := cfg.Snapshots.check(cfg.States != nil, cfg.Project != nil); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l := states.New(states.Config[S, B]{Log: cfg.Topic, Fold: cfg.Fold, Codec: cfg.Codec, Subject: cfg.Subject, Passing: cfg.Passing, States: cfg.States})
	if cfg.Key == nil {
		cfg.Key = func(e *Entry[B]) string { return string(l.Subject(e)) }
	}
	if cfg.Order == nil {
		cfg.Order = func(e *Entry[B], _ *View[S]) string { return cfg.Key(e) }
	}
	j := &Journal[S, B]{cfg: cfg, now: time.Now, blank: l, reason: errStarting, feed: publication.NewFeed[S, B](publication.Kept), reader: make(waker, 1)}
	var random [10]byte
	rand.Read(random[:])
	j.core = core.New(l.Empty(), core.Config[S, B]{
		Writer: cfg.Writer, MaxRecord: maxRecord, Key: cfg.Key, Clock: cfg.Now, Mono: j.now,
		NewAttempt: record.Attempts(random), Project: cfg.Project,
		Feed: func(v *states.Verdict[S, B], value []byte) bool { return j.feed.Add(v, value) },
		Park: func(e *Entry[B], s Stream, why error) {
			cfg.Logger.Error("a record is impossible: its stream is parked until a correction", "topic", cfg.Topic, "offset", e.Offset,
				"stream", string(s), "kind", e.Kind, "writer", e.Writer, "error", why.Error())
		},
	})
	j.signals.New = func() any { return make(chan struct{}, 1) }
	j.read.at.Store(-1)
	j.snapshots.last = -1
	j.timer = time.AfterFunc(time.Hour, j.tick)
	j.timer.Stop()
	return j, nil
}

// Topic returns the name of the log.
func (j *Journal[S, B]) Topic() string { return j.cfg.Topic }

// Ready returns nil if commands and queries are served, or an error that wraps ErrNotReady and says
// why not. It wraps an *UnreadableError or ErrDataLoss if that is the reason.
func (j *Journal[S, B]) Ready() error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.readiness()
}

func (j *Journal[S, B]) readiness() error {
	switch {
	case j.stopping:
		return fmt.Errorf("%w: %w", ErrNotReady, errStopped)
	case j.reason != nil:
		return fmt.Errorf("%w: %w", ErrNotReady, j.reason)
	case j.skewed() != nil:
		return fmt.Errorf("%w: %w", ErrNotReady, j.skewed())
	case !j.core.Ready():
		return fmt.Errorf("%w: reading the log, at %d", ErrNotReady, j.core.Next())
	}
	return nil
}

// Parked returns the parked streams, and why each is.
func (j *Journal[S, B]) Parked() map[Stream]error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.core.Parked()
}

// Stats counts what has happened since the journal was made, and what is under way.
type Stats struct {
	Applied   int64         // records applied, of any instance
	Void      int64         // records read and void, of any instance
	OwnVoid   int64         // of those, this instance's
	Decided   int64         // verdicts returned
	Unknown   int64         // commands that ended with ErrUnknownOutcome
	Barriers  int64         // barriers read, of any instance
	Drops     int64         // times the speculation on a stream was dropped
	Parked    int           // streams parked now
	InFlight  int           // records appended and not read back
	Waiting   int           // commands waiting for a stream
	Rebuilds  int64         // times the state was discarded, to be read again
	ClockSkew time.Duration // of the system clock against the broker's; positive if it is ahead

	Snapshots        int64 // taken by this instance
	SnapshotFailures int64 // how often taking a snapshot that was due failed
	// SnapshotAt is the offset of the last record in the newest snapshot that this instance knows,
	// -1 if it knows none.
	SnapshotAt int64

	Packed      int   // streams that are kept compressed, because they have not changed for a while
	PackedBytes int64 // of memory that these take
}

// Stats returns the counters.
func (j *Journal[S, B]) Stats() Stats {
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.core.Stats()
	return Stats{
		Applied: s.Applied, Void: s.Void, OwnVoid: s.OwnVoid, Decided: s.Decided, Unknown: s.Unknown, Barriers: s.Barriers, Drops: s.Drops,
		Parked: s.Parked, InFlight: s.InFlight, Waiting: s.Waiting, Rebuilds: s.Rebuilds, ClockSkew: j.skew,
		Snapshots: j.snapshots.taken, SnapshotFailures: j.snapshots.failed, SnapshotAt: j.snapshots.last,
		Packed: s.Packed, PackedBytes: s.PackedBytes,
	}
}
