// Package bustest has a broker and a schema registry in memory, for tests of code that uses
// generated publishers and handlers.
//
// Only tests import it.
package bustest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/hold"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Broker is a message.Publisher and a message.Subscriber that behaves like Kafka with one partition
// for each topic. Every subscription gets all messages of its topic from the first one, in order,
// each when the one before is acknowledged. A message that is nacked is delivered again.
type Broker struct {
	mu     sync.Mutex
	logs   map[string][]*message.Message
	more   chan struct{} // closed and replaced when something is published
	held   map[string]int
	holds  bool
	closed chan struct{}
	wg     sync.WaitGroup
}

// NewBroker returns an empty broker.
func NewBroker() *Broker {
	return &Broker{logs: map[string][]*message.Message{}, held: map[string]int{}, more: make(chan struct{}), closed: make(chan struct{})}
}

var errClosed = errors.New("the broker is closed")

// AllowHolds lets receivers hold messages (package hold), as the subscriber of package kafkabus
// does. Call it before Subscribe.
func (b *Broker) AllowHolds() { b.holds = true }

// Held returns how many messages of a topic are held.
func (b *Broker) Held(topic string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held[topic]
}

func (b *Broker) hold(topic string) (release func()) {
	add := func(n int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.held[topic] += n
	}
	add(1)
	return func() { add(-1) }
}

// Publish implements message.Publisher.
func (b *Broker) Publish(topic string, messages ...*message.Message) error {
	select {
	case <-b.closed:
		return errClosed
	default:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range messages {
		kept := m.Copy()
		kept.Payload = append(message.Payload(nil), m.Payload...)
		if m.Payload != nil && kept.Payload == nil {
			kept.Payload = message.Payload{}
		}
		kept.Metadata[metadata.Topic] = topic
		kept.Metadata[metadata.Partition] = "0"
		kept.Metadata[metadata.Offset] = strconv.Itoa(len(b.logs[topic]))
		kept.Metadata[metadata.Timestamp] = time.Now().UTC().Format(time.RFC3339Nano)
		b.logs[topic] = append(b.logs[topic], kept)
	}
	close(b.more)
	b.more = make(chan struct{})
	return nil
}

// Messages returns all messages that were published to a topic. They must not be changed.
func (b *Broker) Messages(topic string) []*message.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*message.Message(nil), b.logs[topic]...)
}

// Await waits for the first n messages of a topic and returns them. It returns an error if the
// context is done before.
func (b *Broker) Await(ctx context.Context, topic string, n int) ([]*message.Message, error) {
	for {
		b.mu.Lock()
		have, more := b.logs[topic], b.more
		b.mu.Unlock()
		if len(have) >= n {
			return have[:n:n], nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, fmt.Errorf("topic %s has %d messages, not %d: %w", topic, len(have), n, ctx.Err())
		}
	}
}

// Subscribe implements message.Subscriber.
func (b *Broker) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	select {
	case <-b.closed:
		return nil, errClosed
	default:
	}
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	b.wg.Go(func() {
		defer close(out)
		defer cancel()
		go func() {
			select {
			case <-b.closed:
				cancel()
			case <-ctx.Done():
			}
		}()
		for n := 1; ; n++ {
			ms, err := b.Await(ctx, topic, n)
			if err != nil {
				return
			}
			at := ctx
			if b.holds {
				at = hold.With(ctx, func() func() { return b.hold(topic) })
			}
			if !deliver(at, out, ms[n-1]) {
				return
			}
		}
	})
	return out, nil
}

// deliver delivers one message until it is acknowledged. It returns false if the subscription ends
// before.
func deliver(ctx context.Context, out chan<- *message.Message, m *message.Message) bool {
	for {
		c := m.Copy()
		c.SetContext(ctx)
		select {
		case out <- c:
		case <-ctx.Done():
			return false
		}
		select {
		case <-c.Acked():
			return true
		case <-c.Nacked():
		case <-ctx.Done():
			return false
		}
	}
}

// Close ends all subscriptions.
func (b *Broker) Close() error {
	b.mu.Lock()
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
	b.mu.Unlock()
	b.wg.Wait()
	return nil
}

// Registry is a schema registry. Fail makes it return errors.
type Registry struct {
	mu      sync.Mutex
	ids     map[string]int
	schemas []string
	subject map[string]bool
	down    error
}

// NewRegistry returns a registry with the subjects.
func NewRegistry(subjects ...registry.Subject) *Registry {
	r := &Registry{ids: map[string]int{}, subject: map[string]bool{}}
	for _, s := range subjects {
		r.Add(s)
	}
	return r
}

// Add registers a schema and returns its id. Equal schemas have the same id.
func (r *Registry) Add(s registry.Subject) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.ids[s.Schema]
	if !ok {
		r.schemas = append(r.schemas, s.Schema)
		id = len(r.schemas)
		r.ids[s.Schema] = id
	}
	r.subject[s.Name+"\x00"+s.Schema] = true
	return id
}

// Fail makes every request return the error, until it is called with nil.
func (r *Registry) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

// ID implements registry.Schemas.
func (r *Registry) ID(_ context.Context, subject, schema string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil {
		return 0, r.down
	}
	if !r.subject[subject+"\x00"+schema] {
		return 0, registry.ErrNotRegistered
	}
	return r.ids[schema], nil
}

// Schema implements registry.Schemas.
func (r *Registry) Schema(_ context.Context, id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.down != nil:
		return "", r.down
	case id < 1 || id > len(r.schemas):
		return "", fmt.Errorf("%w %d", registry.ErrUnknownID, id)
	}
	return r.schemas[id-1], nil
}
