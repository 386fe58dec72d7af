package journal

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/services/journal/internal/publication"
)

// SubscriberConfig says how applied entries are delivered. Name and Positions are required.
type SubscriberConfig struct {
	Name      string // name of the subscriber; its position is saved under it
	Positions string // compacted topic of positions, one partition
	Group     string // consumer group that chooses the instance that delivers; Name by default
	Window    int    // how many entries may be under way at once; 256 by default
	Batch     int    // how many entries a message may carry; 1 by default
	// NackDelay is the wait before a nacked message is delivered again; it doubles up to
	// NackDelayMax. 100 ms and 10 s by default.
	NackDelay, NackDelayMax time.Duration
	SaveEvery               time.Duration // how often the position is saved; 500 ms by default
	SessionTimeout          time.Duration // after which a dead instance is replaced; 6 s by default
}

// Metadata of a delivered message.
const (
	MetadataOffset = publication.MetadataOffset // "journal_offset": the entry's offset in the log
	MetadataKind   = publication.MetadataKind   // "journal_kind": the entry's kind
	MetadataKey    = publication.MetadataKey    // "journal_key": the entry's key, by Config.Order
)

// Subscriber delivers every applied entry at least once, as a Watermill subscriber: those of one
// key (Config.Order) one after the other, in log order; those of different keys side by side, up to
// Window under way. It saves the lowest offset that is not acked and goes on from there after a
// restart. Of several instances, a consumer group chooses the one that delivers; when the choice
// changes, an entry may be delivered by both.
//
// The UUID of a message is the attempt, and its payload is the encoded body; FromMessage returns
// the entry and the states after it. The message's context ends once it is acked or nacked, and
// when the subscription ends. A nacked message comes again, and holds up its own key alone.
//
// With a Batch above 1, a message carries all entries of different keys that may be delivered, up
// to so many; Batch returns them. The UUID and the offset of the message are those of the first,
// and it has no payload, kind and key. Each entry may be acked alone. A message that is acked acks
// all of them, and one that is nacked those that were not acked before; they come again, each after
// a delay of its own, and each holds up its own key alone. An entry counts for Window until its
// message is acked or nacked, so that a backlog is delivered in full batches.
//
// At a record that cannot be decoded, delivery stops and an error is logged, until a later record
// declares that one void.
type Subscriber[S, B any] struct {
	publication *publication.Publication[S, B]
}

var _ message.Subscriber = (*Subscriber[int, int])(nil)

// Subscriber returns a subscriber to the journal's log. It delivers what the journal applies, so
// the log is folded once. The subscriber reads the log itself, from a snapshot if there is one, as
// long as it needs older entries than the last 8,192, or while the journal does not run. An error
// is returned if a required field of cfg is missing, or if its Window or Batch is negative.
func (j *Journal[S, B]) Subscriber(cfg SubscriberConfig) (*Subscriber[S, B], error) {
	p, err := publication.New(publication.Source[S, B]{Topic: j.cfg.Topic, ClientOptions: j.cfg.ClientOptions,
		AllowUnverified: j.cfg.AllowUnverified, States: j.blank, Before: j.before, Feed: j.feed, Order: j.cfg.Order, Logger: j.cfg.Logger}, publication.Config(cfg))
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.positions = append(j.positions, p.Saved())
	return &Subscriber[S, B]{p}, nil
}

// Subscribe begins the delivery, which ends with ctx or Close; the channel is closed then. topic is
// that of the log, or empty. A subscriber has one position and so one subscription: a second call
// returns an error.
func (s *Subscriber[S, B]) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.publication.Subscribe(ctx, topic)
}

// Close ends the delivery, saves the position, and returns nil once that is done. Calling it again
// does nothing.
func (s *Subscriber[S, B]) Close() error { return s.publication.Close() }

// Position returns the lowest offset that is not acked, and reports whether this instance delivers.
func (s *Subscriber[S, B]) Position() (offset int64, delivers bool) { return s.publication.Position() }

// FromMessage returns the entry that a message of a Subscriber carries, and the states of its
// streams right after it. It reports false for any other message, and for one that carries several
// entries.
func FromMessage[S, B any](m *message.Message) (Entry[B], *View[S], bool) {
	batch := publication.FromMessage[S, B](m)
	if len(batch) != 1 {
		return Entry[B]{}, nil, false
	}
	return batch[0].Entry, batch[0].After, true
}

// Delivered is an entry that a message of a Subscriber carries. After holds the states of its
// streams right after it.
type Delivered[S, B any] struct {
	Entry[B]
	After *View[S]
	ack   func()
}

// Ack reports that this entry is done, whatever becomes of the others of its message.
func (d *Delivered[S, B]) Ack() { d.ack() }

// Batch returns the entries that a message of a Subscriber carries, and none for any other message.
func Batch[S, B any](m *message.Message) []Delivered[S, B] {
	carried := publication.FromMessage[S, B](m)
	batch := make([]Delivered[S, B], len(carried))
	for i, c := range carried {
		batch[i] = Delivered[S, B]{c.Entry, c.After, c.Ack}
	}
	return batch
}
