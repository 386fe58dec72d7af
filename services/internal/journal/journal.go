package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config says what a journal is made of. Topic, Writer, ClientOptions, Codec and
// Fold are required.
type Config[S, B any] struct {
	Topic  string // the log; exactly one partition
	Writer string // name of this instance, written into every record
	// ClientOptions reach the broker (seed brokers, TLS, SASL, dialer). Everything
	// about producing and consuming is the journal's own.
	ClientOptions []kgo.Opt
	Codec         Codec[B]
	Fold          Fold[S, B]

	// Project is called for each applied entry, in log order, under the journal's
	// write lock, with the states of the entry's streams after it, a view that is good
	// until it returns. It feeds the read model, which Read may then look at. It may not
	// call the journal.
	Project func(e Entry[B], after *View[S])
	// Reset is called, under the same lock, before the log is read again from its
	// start: the read model is to be emptied.
	Reset func()
	// Subject is what is parked when the fold cannot take an entry; by default the
	// first stream named. All instances must agree on it, now and later.
	Subject func(e *Entry[B]) Stream
	// Key is the Kafka key of a record and the order of publication: entries of one
	// key are published one after the other. By default the subject.
	Key func(e *Entry[B]) string
	// Now is the clock of decisions; time.Now by default.
	Now func() time.Time
	// Traceparent takes the W3C trace context from a request's context, or "".
	Traceparent func(context.Context) string
	// AllowUnverified turns the missing right to read the topic's configuration into
	// a warning.
	AllowUnverified bool
	Logger          *slog.Logger // slog.Default by default
}

// Journal decides on one log. All methods may be called at the same time.
type Journal[S, B any] struct {
	cfg   Config[S, B]
	now   func() time.Time // the system's clock, not that of decisions
	blank *ledger[S, B]    // the state before the first record

	mu        sync.RWMutex
	core      *core[S, B]
	sender    *sender // nil while nothing can be appended
	reason    error   // why nothing is served
	stopping  bool
	skew      time.Duration // of the system clock against the broker's
	unguarded bool          // it was said that the broker does not stamp records
	timer     *time.Timer
	alarm     time.Time // when the timer rings
	warned    time.Time
	ahead     []early // in the order of the log

	inbox    inbox[S, B]
	signals  sync.Pool // channels to wake callers by
	position atomic.Int64
	waiters  waiters
}

// New makes a journal without touching the network.
func New[S, B any](cfg Config[S, B]) (*Journal[S, B], error) {
	switch {
	case cfg.Topic == "":
		return nil, errors.New("journal: no topic")
	case cfg.Writer == "":
		return nil, errors.New("journal: no writer")
	case cfg.Codec == nil, cfg.Fold == nil:
		return nil, errors.New("journal: no codec or no fold")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l := newLedger(cfg.Fold, cfg.Codec, cfg.Subject)
	if cfg.Key == nil {
		cfg.Key = func(e *Entry[B]) string { return string(l.subject(e)) }
	}
	j := &Journal[S, B]{cfg: cfg, now: time.Now, blank: l, reason: errStarting}
	j.core = newCore(l.empty(), rules[S, B]{
		writer: cfg.Writer, maxRecord: maxRecord, key: cfg.Key, clock: cfg.Now, mono: j.now,
		newAttempt: newAttempts(), project: cfg.Project,
	})
	j.signals.New = func() any { return make(chan struct{}, 1) }
	j.position.Store(-1)
	j.timer = time.AfterFunc(time.Hour, j.rang)
	j.timer.Stop()
	return j, nil
}

// newAttempts gives random UUIDs. It is called under the journal's lock.
func newAttempts() func() Attempt {
	var pool [64 * 16]byte
	used := len(pool)
	return func() (a Attempt) {
		if used == len(pool) {
			rand.Read(pool[:])
			used = 0
		}
		used += copy(a[:], pool[used:])
		a[6] = a[6]&0x0f | 0x40
		a[8] = a[8]&0x3f | 0x80
		return a
	}
}

// Ready is nil, or why nothing is served now; the error wraps ErrNotReady.
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
	case !j.core.ready:
		return fmt.Errorf("%w: reading the log, at %d", ErrNotReady, j.core.ledger.next)
	}
	return nil
}

// Option adds to a decision.
type Option func(*options)

type options struct{ sealed *Sealed }

// WithSealed attaches encrypted personal data to the record.
func WithSealed(s Sealed) Option { return func(o *options) { o.sealed = &s } }

// Decide runs decide on the states of the streams and appends what it returns.
//
// decide is pure and may be called several times, from any goroutine, the last
// call being the one that counts. It returns the body to append; or ErrAlready
// when the answer rests on a record applied already; or another error to append
// nothing. Errors are returned only after decide gave them on applied state, read
// past a barrier that was begun after Decide was called: they are never based on
// something in flight.
//
// streams are what decide is known to read; it waits for them together. What else
// decide reads is expected too. What must not be done twice reads a stream that
// only one of several attempts can begin, such as an idempotency key: Decide
// appends again after a void record, and a caller may ask again after
// ErrUnknownOutcome.
//
// When ctx ends first, the error wraps ctx's error, and ErrUnknownOutcome as well
// if a record was appended.
func (j *Journal[S, B]) Decide(ctx context.Context, streams []Stream, decide func(v *View[S]) (B, error), opts ...Option) (Verdict[S, B], error) {
	if err := checkStreams(streams); err != nil {
		return Verdict[S, B]{}, err
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cmd := &command[S, B]{streams: streams, decide: decide, sealed: o.sealed,
		gone: ctx.Done(), signal: j.signals.Get().(chan struct{})}
	if j.cfg.Traceparent != nil {
		cmd.traceparent = j.cfg.Traceparent(ctx)
	}
	j.submit(cmd)
	select {
	case <-cmd.signal:
		j.signals.Put(cmd.signal) // empty again
	case <-ctx.Done():
		j.mu.Lock()
		j.core.abandon(cmd, context.Cause(ctx))
		j.act()
		j.mu.Unlock()
	}
	if cmd.verdict == nil {
		return Verdict[S, B]{}, cmd.err
	}
	return *cmd.verdict, nil
}

// submit hands a command to the core. Of all who come at once one takes the lock and
// brings in the commands of the others: they would only queue for it, and the
// records leave together.
func (j *Journal[S, B]) submit(cmd *command[S, B]) {
	if !j.inbox.add(cmd) {
		return // somebody is on the way to the lock
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	cmds := j.inbox.take()
	for _, cmd := range cmds {
		err := j.readiness()
		if n := len(j.core.flights) + j.core.waiting; err == nil && n >= maxInFlight {
			err = fmt.Errorf("%w: %d decisions are under way", ErrNotReady, n)
		}
		if err != nil {
			j.core.finish(cmd, err)
			continue
		}
		j.core.submit(cmd)
	}
	j.act()
	j.inbox.release(cmds)
}

// inbox holds commands on their way to the core.
type inbox[S, B any] struct {
	mu    sync.Mutex
	cmds  []*command[S, B]
	spare []*command[S, B]
}

// add says whether the command is the first, whose caller takes all.
func (b *inbox[S, B]) add(cmd *command[S, B]) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cmds = append(b.cmds, cmd)
	return len(b.cmds) == 1
}

func (b *inbox[S, B]) take() []*command[S, B] {
	b.mu.Lock()
	defer b.mu.Unlock()
	cmds := b.cmds
	b.cmds, b.spare = b.spare[:0], nil
	return cmds
}

// release gives the memory of what was taken back.
func (b *inbox[S, B]) release(cmds []*command[S, B]) {
	clear(cmds)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spare = cmds
}

// On lists streams.
func On(streams ...Stream) []Stream { return streams }

// Read calls fn with the applied states, under the read lock that Project's write
// lock excludes: what fn sees of them and of the read model belongs to Position.
// fn may not call the journal's other methods, except Position.
func (j *Journal[S, B]) Read(fn func(state func(Stream) (S, bool))) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	fn(j.core.ledger.state)
}

// Position is the offset of the last record applied or void, -1 before the first.
func (j *Journal[S, B]) Position() int64 { return j.position.Load() }

// WaitFor returns when the record at offset is applied or void, or with ctx's error.
func (j *Journal[S, B]) WaitFor(ctx context.Context, offset int64) error {
	if j.Position() >= offset {
		return nil
	}
	reached := j.waiters.add(offset)
	defer j.waiters.remove(reached)
	if j.Position() >= offset { // read meanwhile, perhaps before the waiter was seen
		return nil
	}
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s:%d, at %d: %w", j.cfg.Topic, offset, j.Position(), context.Cause(ctx))
	}
}

// Barrier returns when everything is read that was in the log when it was called.
func (j *Journal[S, B]) Barrier(ctx context.Context) error {
	passed := make(chan error, 1)
	j.mu.Lock()
	err := j.readiness()
	if err == nil {
		j.core.await(ticket[S, B]{fn: func(err error) { passed <- err }})
		j.act()
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case err := <-passed:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for a barrier: %w", context.Cause(ctx))
	}
}

// moved says that the log was read up to position.
func (j *Journal[S, B]) moved(position int64) {
	j.position.Store(position)
	j.waiters.reach(position)
}

// waiters wait for offsets.
type waiters struct {
	mu   sync.Mutex
	list map[chan struct{}]int64
}

func (w *waiters) add(offset int64) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = make(map[chan struct{}]int64)
	}
	c := make(chan struct{})
	w.list[c] = offset
	return c
}

func (w *waiters) remove(c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.list, c)
}

func (w *waiters) reach(position int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, offset := range w.list {
		if offset <= position {
			delete(w.list, c)
			close(c)
		}
	}
}

// Topic is the log's name.
func (j *Journal[S, B]) Topic() string { return j.cfg.Topic }

// Stats counts what happened since the journal was made.
type Stats struct {
	Applied   int64 // records applied, of any instance
	Void      int64 // records read and void, of any instance
	OwnVoid   int64 // of those, this instance's
	Decided   int64 // verdicts given
	Unknown   int64 // outcomes left unknown
	Barriers  int64 // barriers appended
	Drops     int64 // times the speculation of a stream was dropped
	Parked    int   // streams parked now
	InFlight  int   // records appended and not read back
	Waiting   int   // decisions waiting for a stream
	Rebuilds  int64 // times the state was discarded and read again
	ClockSkew time.Duration
}

// Stats returns the counters.
func (j *Journal[S, B]) Stats() Stats {
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.core.stats
	s.Parked, s.InFlight, s.Waiting = len(j.core.ledger.parked), len(j.core.flights), j.core.waiting
	s.ClockSkew = j.skew
	return s
}
