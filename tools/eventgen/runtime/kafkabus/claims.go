package kafkabus

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/hold"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Position is how far a subscriber has read a partition that it is assigned.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64 // every message below it is finished
	Lag       int64 // how many messages the broker has from there on
}

// claims keeps, for each partition that is assigned, the offset of the first message that is not
// finished. It is given to watermill-kafka as a tracer, which is the place where that lets the
// handler of a consumer group be wrapped.
type claims struct {
	cfg    Config
	logger *slog.Logger
	// returns the offset that a partition is read from; nil: what the group has committed
	start func(ctx context.Context, topic string, partition int32) (int64, error)

	mu   sync.Mutex
	open map[partition]*window
	skip map[string][]func(*bus.Record) bool // by topic: report whether a record is passed over
}

var _ kafka.SaramaTracer = (*claims)(nil)

type partition struct {
	topic string
	id    int32
}

func (c *claims) init(cfg Config, logger *slog.Logger) {
	c.cfg, c.logger = cfg, logger
	c.open, c.skip = map[partition]*window{}, map[string][]func(*bus.Record) bool{}
}

// WrapConsumer implements kafka.SaramaTracer.
func (*claims) WrapConsumer(c sarama.Consumer) sarama.Consumer { return c }

// WrapPartitionConsumer implements kafka.SaramaTracer.
func (*claims) WrapPartitionConsumer(c sarama.PartitionConsumer) sarama.PartitionConsumer { return c }

// WrapSyncProducer implements kafka.SaramaTracer.
func (*claims) WrapSyncProducer(_ *sarama.Config, p sarama.SyncProducer) sarama.SyncProducer {
	return p
}

// WrapConsumerGroupHandler implements kafka.SaramaTracer.
func (c *claims) WrapConsumerGroupHandler(h sarama.ConsumerGroupHandler) sarama.ConsumerGroupHandler {
	return &groupHandler{ConsumerGroupHandler: h, claims: c}
}

// groupHandler is the handler of watermill-kafka with other offsets.
type groupHandler struct {
	sarama.ConsumerGroupHandler
	claims *claims
}

// Setup chooses where each partition is read from. If the session ends meanwhile, nothing is read,
// and that is no error: after one, watermill-kafka would leave the group, and a new member would
// have the partitions assigned once more.
func (h *groupHandler) Setup(s sarama.ConsumerGroupSession) error {
	if start := h.claims.start; start != nil {
		for topic, ids := range s.Claims() {
			for _, id := range ids {
				if offset, ok := h.claims.ask(s.Context(), topic, id); ok {
					s.MarkOffset(topic, id, offset, "")
					s.ResetOffset(topic, id, offset, "")
				}
			}
		}
	}
	return h.ConsumerGroupHandler.Setup(s)
}

// ask asks for the start of a partition until there is an answer. It reports whether there was one
// before the session ended.
func (c *claims) ask(ctx context.Context, topic string, id int32) (offset int64, ok bool) {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, time.Second) {
		offset, err := c.start(ctx, topic, id)
		switch {
		case err == nil:
			return offset, true
		case ctx.Err() != nil:
			return 0, false
		}
		c.logger.Warn("not known yet where a partition is read from, asking again", "topic", topic, "partition", id, "error", err.Error())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return 0, false
}

// ConsumeClaim reads a partition until it is taken away or the subscriber is restarted.
func (h *groupHandler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	w := &window{session: s, claim: claim, next: claim.InitialOffset(), last: math.MinInt64, held: map[int64]int{}, restart: make(chan struct{})}
	at := partition{claim.Topic(), claim.Partition()}
	h.claims.mu.Lock()
	h.claims.open[at] = w
	h.claims.mu.Unlock()
	defer func() {
		h.claims.mu.Lock()
		defer h.claims.mu.Unlock()
		if h.claims.open[at] == w {
			delete(h.claims.open, at)
		}
	}()
	return h.ConsumerGroupHandler.ConsumeClaim(marking{s, w}, w.until(h.claims.skips(claim.Topic())))
}

// skips returns a function that reports whether a record of a topic is passed over: whether all
// functions that Skip was called with say so, and there is one.
func (c *claims) skips(topic string) func(*bus.Record) bool {
	return func(r *bus.Record) bool {
		c.mu.Lock()
		all := c.skip[topic] // nobody changes what is in it
		c.mu.Unlock()
		for _, over := range all {
			if !over(r) {
				return false
			}
		}
		return len(all) > 0
	}
}

// restart ends the sessions, so that each partition is assigned again and read from its start.
func (c *claims) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.open {
		if !w.ending {
			w.ending = true
			close(w.restart)
		}
	}
}

func (c *claims) positions() (all []Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, w := range c.open {
		if offset := w.position(); offset >= 0 && !w.ending {
			all = append(all, Position{at.topic, at.id, offset, max(0, w.claim.HighWaterMarkOffset()-offset)})
		}
	}
	return all
}

// holdable makes it possible to hold a message.
func (c *claims) holdable(m *message.Message) {
	id, err := strconv.ParseInt(m.Metadata[metadata.Partition], 10, 32)
	offset, bad := strconv.ParseInt(m.Metadata[metadata.Offset], 10, 64)
	c.mu.Lock()
	w := c.open[partition{m.Metadata[metadata.Topic], int32(id)}]
	c.mu.Unlock()
	if err != nil || bad != nil || w == nil {
		return
	}
	m.SetContext(hold.With(m.Context(), func() func() { return w.hold(offset) }))
}

// window knows which messages of a partition are not finished while it is assigned.
type window struct {
	session sarama.ConsumerGroupSession
	claim   sarama.ConsumerGroupClaim
	restart chan struct{} // closed to end the session
	// restart is closed; guarded by claims.mu. Messages that are on their way can still be held.
	ending bool

	mu   sync.Mutex
	next int64         // after the last message that was acknowledged
	last int64         // the last message that was delivered
	over int64         // after the last message that was passed over
	held map[int64]int // offsets that are held, and how often
}

// position returns the offset of the first message that is not finished. It is negative if nothing
// was read and it is not known where reading begins.
func (w *window) position() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first()
}

func (w *window) first() int64 {
	first := w.next
	for offset := range w.held {
		if first < 0 || offset < first {
			first = offset
		}
	}
	return first
}

func (w *window) hold(offset int64) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held[offset]++
	return func() { w.release(offset) }
}

func (w *window) release(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held[offset]--; w.held[offset] <= 0 {
		delete(w.held, offset)
	}
	w.mark()
}

func (w *window) acknowledged(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = max(w.next, offset+1)
	w.pass()
}

// passOver counts a message as finished that is not delivered.
func (w *window) passOver(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = offset + 1
	w.pass()
}

// delivered notes a message that is about to be delivered.
func (w *window) delivered(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = offset
}

// pass goes on behind the messages that were passed over, unless one before them was delivered and
// is not acknowledged. The last one that was delivered may be behind them.
func (w *window) pass() {
	if w.last < w.next || w.last >= w.over {
		w.next = max(w.next, w.over)
	}
	w.mark()
}

// mark has the first offset that is not finished committed. When the session has ended, another one
// decides.
func (w *window) mark() {
	if first := w.first(); first >= 0 && w.session.Context().Err() == nil {
		w.session.MarkOffset(w.claim.Topic(), w.claim.Partition(), first, "")
	}
}

// until returns the claim with messages that end when the subscriber is restarted, without those
// that skip passes over.
func (w *window) until(skip func(*bus.Record) bool) sarama.ConsumerGroupClaim {
	out := make(chan *sarama.ConsumerMessage)
	go func() {
		defer close(out)
		for {
			select {
			case m, ok := <-w.claim.Messages():
				if !ok {
					return
				}
				if skip(recordOf(m)) {
					w.passOver(m.Offset)
					continue
				}
				w.delivered(m.Offset)
				select {
				case out <- m:
				case <-w.restart:
					return
				case <-w.session.Context().Done():
					return
				}
			case <-w.restart:
				return
			}
		}
	}()
	return endingClaim{w.claim, out}
}

func recordOf(m *sarama.ConsumerMessage) *bus.Record {
	r := &bus.Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Value: m.Value}
	for _, h := range m.Headers {
		if h != nil && string(h.Key) == "ce_type" { // the last one counts, as for Marshaler
			r.Type = string(h.Value)
		}
	}
	return r
}

type endingClaim struct {
	sarama.ConsumerGroupClaim
	messages <-chan *sarama.ConsumerMessage
}

func (c endingClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// marking is a session that marks what is finished in place of what is acknowledged.
type marking struct {
	sarama.ConsumerGroupSession
	window *window
}

func (m marking) MarkMessage(r *sarama.ConsumerMessage, _ string) { m.window.acknowledged(r.Offset) }

// StartFrom sets a function that returns the offset from which a partition is read whenever it is
// assigned, whatever the group has committed. While it returns an error, it is asked again. It is
// for a consumer that keeps its own account of what it has read. Call it before Subscribe.
func (s *Subscriber) StartFrom(start func(ctx context.Context, topic string, partition int32) (int64, error)) {
	s.claims.start = start
}

// Skip implements bus.Skipper. It may be called while messages are read. A record is passed over if
// every function that was given for its topic says so.
func (s *Subscriber) Skip(topic string, over func(*bus.Record) bool) {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	s.claims.skip[topic] = append(s.claims.skip[topic], over)
}

// Restart has every partition that is assigned read again from its start.
func (s *Subscriber) Restart() { s.claims.restart() }

// Positions returns how far each partition that is assigned was read.
func (s *Subscriber) Positions() []Position { return s.claims.positions() }
