package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Operation describes one receive operation. Generated code fills it in.
type Operation struct {
	Name   string   // as in the document; the name of the handler in the router
	Topic  string   // where the messages come from
	Topics []string // instead of Topic, for a channel without a fixed address
	// topic of messages that cannot be handled; empty: they block their partition and are logged
	DeadLetters string
	Compacted   bool // the topic is compacted, so a null value means that a key was deleted
	Retry       Retry
	// what happens to a message that is not one of the channel's; the option OnUnknown overrides it
	Unknown Policy
	// a message that is not identified otherwise is the first one that it can be read as
	InOrder bool
}

// Retry is how a message is tried again after an error that is not permanent.
type Retry struct {
	MaxAttempts int           // 0: no limit
	Initial     time.Duration // wait after the first error; 0: 100 ms
	Max         time.Duration // longest wait; 0: 30 s
	Fixed       bool          // the wait does not grow
}

// Policy is what happens to a message that is not one of the channel's.
type Policy int

const (
	// DeadLetter sends it to the dead letter topic.
	DeadLetter Policy = iota
	// Ack skips it, with a line in the log.
	Ack
	// Stop tries it again without limit, whatever the number of attempts is, so that nothing behind
	// it is read.
	Stop
)

// Outcome is the result of an attempt.
type Outcome string

// The outcomes that an observer gets.
const (
	Handled Outcome = "handled"
	// a message that the operation does not handle, a tombstone, or an unknown one with the policy
	// Ack
	Ignored      Outcome = "ignored"
	Retrying     Outcome = "retrying"      // failed, and will be tried again
	DeadLettered Outcome = "dead-lettered" // is on the dead letter topic
)

// Observation describes one attempt to handle one message, for metrics.
type Observation struct {
	Operation, Message string // Message is empty if it is not known
	Outcome            Outcome
	Attempt            int
	Err                error
	Topic              string // where the message was read
	Partition          int32
	Offset             int64
}

// Failure is a message that could not be handled.
type Failure struct {
	Operation, Message string // Message is empty if it is not known
	Topic              string
	Partition          int32
	Offset             int64
	Key                string
	Attempts           int
	Err                error
	Raw                *message.Message
}

// ReceiveOption is an option of Receive.
type ReceiveOption func(*receiver)

// WithRegistry sets the schema registry. It is required for Confluent's framing and for ids in
// headers.
func WithRegistry(r registry.Schemas) ReceiveOption { return func(c *receiver) { c.registry = r } }

// WithDeadLetters sets the publisher of dead letters. It is required if the operation has a dead
// letter channel.
func WithDeadLetters(p message.Publisher) ReceiveOption { return func(c *receiver) { c.dead = p } }

// OnDeadLetter sets a function that is called before a message goes to the dead letter topic, so
// that the application can record it. The message waits as long as the function returns an error.
// It may be called again for the same message.
func OnDeadLetter(f func(context.Context, Failure) error) ReceiveOption {
	return func(c *receiver) { c.onDead = f }
}

// OnLaidAside sets a function that is called once an attempt to handle a message has failed and the
// message is going to be tried again beside those behind it. The application can record that it
// lacks the message. After an error it is called again after the next attempt. It is not called
// while the schema registry is away: then nothing can be read that needs it, and what was read
// before stays good.
func OnLaidAside(f func(context.Context, Failure) error) ReceiveOption {
	return func(c *receiver) { c.onAside = f }
}

// WithProgress makes an operation show in p whether its messages move on.
func WithProgress(p *Progress) ReceiveOption { return func(c *receiver) { c.progress = p } }

// OnUnknown sets what happens to a message that is not one of the channel's. The default is
// DeadLetter.
func OnUnknown(p Policy) ReceiveOption { return func(c *receiver) { c.unknown = p } }

// OnTombstone sets a function that is called with the key of a null value on a compacted topic.
// Without it, null values are skipped.
func OnTombstone(f func(ctx context.Context, key string) error) ReceiveOption {
	return func(c *receiver) { c.onTombstone = f }
}

// AnyKey accepts messages whose key differs from the field of the payload that it repeats. It is
// for a channel whose messages were once keyed by another field.
func AnyKey() ReceiveOption { return func(c *receiver) { c.anyKey = true } }

// AlsoFrom adds topics with the same messages, such as one on which dead letters are sent again.
func AlsoFrom(topics ...string) ReceiveOption {
	return func(c *receiver) { c.also = append(c.also, topics...) }
}

// WithLogger sets the logger. The default is that of slog.
func WithLogger(l *slog.Logger) ReceiveOption { return func(c *receiver) { c.log = l } }

// WithObserver sets a function that is called after each attempt. It must be quick and safe for
// concurrent use.
func WithObserver(f func(Observation)) ReceiveOption { return func(c *receiver) { c.observer = f } }

// EachMessage has the transport deliver every message, so that the middlewares of the router see
// also those that the operation does not handle.
func EachMessage() ReceiveOption { return func(c *receiver) { c.each = true } }

// Record is a message as a transport reads it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Value     []byte // nil for a null value
	Type      string // the header ce_type
}

// Skipper is a transport that can pass over records without making messages of them, as that of
// package kafkabus can. A record that is passed over counts as handled.
type Skipper interface {
	// Skip adds a function that reports whether a record of a topic is passed over. A record is
	// delivered if one of the functions for its topic reports false. Skip is called before
	// Subscribe, possibly while other topics are read.
	Skip(topic string, over func(*Record) bool)
}

type receiver struct {
	op          Operation
	routes      *routes
	registry    registry.Schemas
	dead        message.Publisher
	onDead      func(context.Context, Failure) error
	onAside     func(context.Context, Failure) error
	onTombstone func(context.Context, string) error
	unknown     Policy
	answers     *Sender
	also        []string
	anyKey      bool
	each        bool
	log         *slog.Logger
	observer    func(Observation)
	progress    *Progress
	lanes       *lanes
}

// Receive adds an operation to a router. Messages are decoded inside the handler and dispatched by
// their schema. A message that cannot be decoded, violates the contract, is unknown, or whose
// handler returns a permanent error becomes a dead letter at once. After any other error it is
// tried again, with growing waits, as long as the subscription lasts.
//
// If the transport can hold messages (package hold), as that of package kafkabus can, the messages
// of other keys do not wait for it: after the first error, or when the handler takes long, the
// message is laid aside and tried again beside them. So the handler is called for messages of
// different keys at the same time, and never for two messages of one key.
func Receive(router *message.Router, sub message.Subscriber, op Operation, rs []Route, options ...ReceiveOption) error {
	c := &receiver{op: op, unknown: op.Unknown, log: slog.Default(), observer: func(Observation) {}, progress: new(Progress)}
	for _, o := range options {
		o(c)
	}
	c.lanes = newLanes(c)
	c.routes = newRoutes(c.registry, rs)
	c.routes.inOrder = op.InOrder
	switch {
	case op.DeadLetters != "" && c.dead == nil:
		return fmt.Errorf("receive %s: dead letters go to %s: set their publisher with bus.WithDeadLetters", op.Name, op.DeadLetters)
	case c.answers == nil && c.routes.answer():
		return fmt.Errorf("receive %s: its messages are answered: set the publisher of answers with bus.WithAnswers", op.Name)
	case c.registry == nil && c.routes.needRegistry:
		return fmt.Errorf("receive %s: its messages have the ids of their schemas: set the schema registry with bus.WithRegistry", op.Name)
	}
	topics := append(slices.Clone(op.Topics), c.also...)
	switch {
	case op.Topic != "":
		c.addTo(router, op.Name, op.Topic, sub)
	case len(topics) == 0:
		return fmt.Errorf("receive %s: there is no topic", op.Name)
	}
	for _, topic := range topics {
		c.addTo(router, op.Name+" from "+topic, topic, sub)
	}
	return nil
}

func (c *receiver) addTo(router *message.Router, name, topic string, sub message.Subscriber) {
	if s, ok := sub.(Skipper); ok && !c.each {
		s.Skip(topic, c.skip)
	}
	alive := newLifetime(sub)
	router.AddConsumerHandler(name, topic, alive, func(m *message.Message) error { return c.receive(alive.ctx, m) })
}

// skip reports whether a record is one that the operation does not handle.
func (c *receiver) skip(r *Record) bool {
	name, ok := c.routes.ignored(r.Value, r.Type)
	if ok {
		c.observer(Observation{c.op.Name, name, Ignored, 1, nil, r.Topic, r.Partition, r.Offset})
	}
	return ok
}

// finish tries a message until it is handled, skipped or on the dead letter topic. It returns an
// error, so that the transport keeps the message, only when ctx ends. t is the message in its lane,
// nil if it is in none.
func (c *receiver) finish(ctx context.Context, raw *message.Message, p provenance, t *task) error {
	if t == nil {
		t = new(task)
	}
	for attempt := 1; ; attempt++ {
		p.attempt = attempt
		name, outcome, err := c.try(ctx, raw, p)
		if err == nil {
			t.unknown = time.Time{}
			c.observe(p, name, outcome, attempt, nil)
			return nil
		}
		var needed <-chan struct{}
		if errors.Is(err, registry.ErrUnknownID) {
			var give bool
			if give, needed = c.giveUp(t); give {
				err = Permanentf("%w: %w", ErrUndecodable, err)
			}
		}
		if !IsPermanent(err) && !errors.Is(err, errStopped) && c.op.Retry.MaxAttempts > 0 && attempt >= c.op.Retry.MaxAttempts {
			err = Permanentf("given up after %d attempts: %w", attempt, err)
		}
		if IsPermanent(err) && c.op.DeadLetters != "" {
			return c.bury(ctx, raw, p, name, err, t)
		}
		c.failed(p, name, attempt, err)
		t.fail(ctx, c, c.failure(raw, p, name, err))
		if err := wait(ctx, c.op.Retry, attempt, needed); err != nil {
			return err
		}
	}
}

// giveUp reports whether a message has waited long enough for its schema. If not, it has to ask
// again when the channel is closed.
func (c *receiver) giveUp(t *task) (now bool, later <-chan struct{}) {
	if t.unknown.IsZero() {
		t.unknown = time.Now()
	}
	now, later = c.lanes.leave(t)
	return now || time.Since(t.unknown) > unknownIDPatience, later
}

func (c *receiver) failure(raw *message.Message, p provenance, name string, cause error) Failure {
	return Failure{c.op.Name, name, p.topic, p.partition, p.offset, p.key, p.attempt, cause, raw}
}

// errStopped is the error for an unknown message with the policy Stop. It is tried without limit.
var errStopped = errors.New("by the policy for unknown messages nothing behind it is read")

// unknownIDPatience is how long messages of a key with schema ids that the registry does not know
// are tried again, because the ids may be registered late. When others need their room, many are
// tried once more, and no longer.
const unknownIDPatience = time.Minute

// guarded calls what the application supplies. A panic becomes an error, so that the message is
// tried again as after any other, and holds up none but those of its key: handlers run in
// goroutines of their own, where nothing else would keep the process alive.
func guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return call()
}

// try handles a message once.
func (c *receiver) try(ctx context.Context, raw *message.Message, p provenance) (name string, o Outcome, err error) {
	err = guarded(func() (err error) {
		name, o, err = c.handle(ctx, raw, p)
		return err
	})
	return name, o, err
}

func (c *receiver) handle(ctx context.Context, raw *message.Message, p provenance) (name string, o Outcome, err error) {
	if raw.Payload == nil && (c.op.Compacted || !c.routes.takesEmpty()) {
		return "", Ignored, c.tombstone(ctx, p)
	}
	t, err := c.routes.find(ctx, raw)
	if errors.Is(err, ErrUnknownMessage) && c.unknown == Stop {
		return "", "", fmt.Errorf("%w: %v", errStopped, err) // no longer permanent
	}
	if errors.Is(err, ErrUnknownMessage) && c.unknown == Ack {
		c.log.WarnContext(ctx, "unknown message passed over", "operation", c.op.Name, "topic", p.topic, "partition", p.partition, "offset", p.offset, "error", err)
		return "", Ignored, nil
	}
	if err != nil {
		return "", "", err
	}
	if other := c.routes.contradicts(t.route, raw.Metadata["ce_type"]); other != nil {
		return t.route.name, "", Permanentf("%s %w: its header ce_type is that of %s", t.route.name, ErrInvalid, other.name)
	}
	if t.route.handle == nil {
		return t.route.name, Ignored, nil
	}
	t.answers = c.answers
	return t.route.name, Handled, t.route.handle(ctx, raw, p, t)
}

func (c *receiver) tombstone(ctx context.Context, p provenance) error {
	if !c.op.Compacted {
		return Permanentf("%w: a null value on a topic that is not compacted", ErrUndecodable)
	}
	if c.onTombstone == nil {
		return nil
	}
	return c.onTombstone(ctx, p.key)
}

// bury publishes a message on the dead letter topic, and tries until it is there.
func (c *receiver) bury(ctx context.Context, raw *message.Message, p provenance, name string, cause error, t *task) error {
	f := c.failure(raw, p, name, cause)
	t.giveWay() // nothing is left to decide, so that those behind it need not wait
	for attempt := 1; ; attempt++ {
		err := c.buryOnce(ctx, raw, p, f)
		if err == nil {
			c.log.ErrorContext(ctx, "message moved to the dead letter topic", "operation", c.op.Name, "message", name, "topic", p.topic,
				"partition", p.partition, "offset", p.offset, "key", beginning(p.key, keyLogged), "dead_letters", c.op.DeadLetters, "error", cause)
			c.observe(p, name, DeadLettered, p.attempt, cause)
			return nil
		}
		c.failed(p, name, attempt, fmt.Errorf("dead letter (%w): %w", cause, err))
		t.fail(ctx, c, f)
		if err := wait(ctx, c.op.Retry, attempt, nil); err != nil {
			return err
		}
	}
}

// buryOnce publishes a dead letter. One that is too large is published with less of the message.
func (c *receiver) buryOnce(ctx context.Context, raw *message.Message, p provenance, f Failure) error {
	if c.onDead != nil {
		if err := guarded(func() error { return c.onDead(ctx, f) }); err != nil {
			return err
		}
	}
	err := c.dead.Publish(c.op.DeadLetters, deadLetter(raw, p, f.Err))
	for _, shorten := range []func(*message.Message, provenance, error) *message.Message{deadLetterWithoutValue, deadLetterAlone} {
		if !errors.Is(err, ErrTooLarge) {
			return err
		}
		err = c.dead.Publish(c.op.DeadLetters, shorten(raw, p, f.Err))
	}
	return err
}

func (c *receiver) observe(p provenance, name string, outcome Outcome, attempt int, err error) {
	c.observer(Observation{c.op.Name, name, outcome, attempt, err, p.topic, p.partition, p.offset})
}

func (c *receiver) failed(p provenance, name string, attempt int, err error) {
	c.observe(p, name, Retrying, attempt, err)
	level := slog.LevelWarn
	if IsPermanent(err) || attempt >= 5 {
		level = slog.LevelError // somebody has to look, because nothing behind it is read
	}
	c.log.Log(context.Background(), level, "message will be tried again", "operation", c.op.Name, "message", name, "topic", p.topic,
		"partition", p.partition, "offset", p.offset, "key", beginning(p.key, keyLogged), "attempt", attempt, "error", err)
}

// wait sleeps before the next attempt, or until a channel is closed. It returns an error if the
// subscription ends.
func wait(ctx context.Context, r Retry, attempt int, sooner <-chan struct{}) error {
	t := time.NewTimer(r.after(attempt))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-sooner:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// after returns the wait after a failed attempt.
func (r Retry) after(attempt int) time.Duration {
	d, most := r.Initial, r.Max
	if d <= 0 {
		d = 100 * time.Millisecond
	}
	if most <= 0 {
		most = 30 * time.Second
	}
	for i := 1; i < attempt && d < most && !r.Fixed; i++ {
		d *= 2
	}
	return min(d, most)
}
