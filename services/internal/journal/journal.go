package journal

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
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
	// write lock, with the states of the entry's streams after it. It feeds the read
	// model, which Read may then look at. It may not call the journal.
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
	cfg Config[S, B]
}

// New makes a journal without touching the network.
func New[S, B any](cfg Config[S, B]) (*Journal[S, B], error) {
	return &Journal[S, B]{cfg: cfg}, nil
}

var errUnfinished = errors.New("journal: unfinished")

// Run verifies the topic, reads the log from its start, appends a barrier, reads
// it, and is then ready; it goes on reading until ctx is done and returns nil
// then. While the broker is away it keeps trying and Ready says why. It returns
// an error when the topic is configured otherwise than a log must be.
func (j *Journal[S, B]) Run(ctx context.Context) error { return errUnfinished }

// Ready is nil, or why nothing is served now.
func (j *Journal[S, B]) Ready() error { return errUnfinished }

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
	return Verdict[S, B]{}, errUnfinished
}

// On lists streams.
func On(streams ...Stream) []Stream { return streams }

// Read calls fn with the applied states, under the read lock that Project's write
// lock excludes: what fn sees of them and of the read model belongs to Position.
// fn may not call the journal.
func (j *Journal[S, B]) Read(fn func(state func(Stream) (S, bool))) {}

// Position is the offset of the last record read, -1 before the first.
func (j *Journal[S, B]) Position() int64 { return -1 }

// WaitFor returns when the record at offset is read, or with ctx's error.
func (j *Journal[S, B]) WaitFor(ctx context.Context, offset int64) error { return errUnfinished }

// Barrier returns when everything is read that was in the log when it was called.
func (j *Journal[S, B]) Barrier(ctx context.Context) error { return errUnfinished }

// Topic is the log's name.
func (j *Journal[S, B]) Topic() string { return j.cfg.Topic }

// SubscriberConfig says how applied entries are delivered. Name and Positions are
// required.
type SubscriberConfig struct {
	Name      string // name of the reader; its position is kept under it
	Positions string // compacted topic of positions, one partition
	Group     string // consumer group that chooses the instance that delivers; Name by default
	Window    int    // how many messages may be unacked at once; 256 by default
	// NackDelay is the wait before a message that was nacked is delivered again,
	// doubling up to NackDelayMax; 100 ms and 10 s by default.
	NackDelay, NackDelayMax time.Duration
}

// Subscriber delivers every applied entry at least once, as a Watermill
// subscriber: those of one key (Config.Key) one after the other, in log order;
// those of different keys side by side, up to Window unacked. It remembers the
// lowest offset not acked and goes on from there after a restart. Of several
// instances one delivers at a time, chosen by a consumer group; around a change
// of hands an entry may be delivered by both.
//
// The message's UUID is the attempt, its payload the encoded body; FromMessage
// gives the entry and the states after it.
func (j *Journal[S, B]) Subscriber(cfg SubscriberConfig) (message.Subscriber, error) {
	return nil, errUnfinished
}

// FromMessage gives the entry that a message of a Subscriber carries and the
// states of its streams right after it.
func FromMessage[S, B any](m *message.Message) (Entry[B], *View[S], bool) {
	return Entry[B]{}, nil, false
}

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
func (j *Journal[S, B]) Stats() Stats { return Stats{} }
