package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Answer is a message that answers another one. Generated code makes it with NewAnswer. The zero
// Answer is no answer.
type Answer struct {
	name   string
	topic  string
	encode func(ctx context.Context, s *Sender, id string) (*message.Message, error)
}

// Answered returns the answer itself. Generated types embed an Answer.
func (a Answer) Answered() Answer { return a }

// NewAnswer returns an answer.
func NewAnswer[T, K, H any](c *Spec[T, K, H], key K, v T, h H) Answer {
	return Answer{c.Name, c.Topic, func(ctx context.Context, s *Sender, id string) (*message.Message, error) {
		return encode(ctx, s, c, key, &v, &h, func(m message.Metadata) error { return c.correlation().put(m, &v, id) })
	}}
}

// WithAnswers sets what sends the answers of an operation with a reply.
func WithAnswers(p message.Publisher, options ...SendOption) ReceiveOption {
	return func(c *receiver) { c.answers = NewSender(p, options...) }
}

// OnRequest routes a message to a handler that answers it. The answer is sent to the address at the
// given place of the message, or else to the address of its channel, with the correlation id of the
// message. The message is acknowledged when the answer is sent, or if there is no answer.
func OnRequest[T, K, H any, A interface{ Answered() Answer }](c *Spec[T, K, H], to Location[T], f func(context.Context, *Message[T, K, H]) (A, error)) Route {
	r := On(c, nil)
	r.answers = true
	r.handle = func(ctx context.Context, raw *message.Message, p provenance, t target) error {
		m, err := decode(ctx, c, raw, p, t)
		if err != nil {
			return err
		}
		out, err := f(ctx, m)
		if err != nil {
			return err
		}
		answer := out.Answered()
		if answer.encode == nil {
			return nil
		}
		topic := to.get(raw.Metadata, &m.Value)
		if topic == "" && t.route.answerAt != nil {
			if topic, err = t.route.answerAt(p.topic); err != nil {
				return Permanentf("%s has no address for its answer: %w", c.Name, err)
			}
		}
		if topic == "" {
			topic = answer.topic
		}
		if topic == "" {
			return Permanentf("%s %w: it has no address for the answer", c.Name, ErrInvalid)
		}
		msg, err := answer.encode(ctx, t.answers, c.correlation().get(raw.Metadata, &m.Value))
		if err != nil {
			return fmt.Errorf("answer %s: %w", answer.name, err)
		}
		return t.answers.publish(answer.name, topic, msg)
	}
	return r
}

// AnsweredAt makes the answers to messages at an address go to another one, or the same, with the
// same values of parameters.
func (r Route) AnsweredAt(from, to *Address) Route {
	r.answerAt = func(topic string) (string, error) { return from.Move(topic, to) }
	return r
}

// Requester sends messages and waits for their answers. It is safe for concurrent use.
type Requester struct {
	*Sender
	subscriber message.Subscriber
	ctx        context.Context // of the subscriptions; Close ends it
	cancel     context.CancelFunc

	mu      sync.Mutex
	inboxes map[string]*inbox
}

// NewRequester returns a requester. It subscribes to a topic with the first request that is
// answered there. The subscriber has to begin with the messages that are published from then on,
// and no other process may share its messages.
func NewRequester(p message.Publisher, s message.Subscriber, options ...SendOption) *Requester {
	r := &Requester{Sender: NewSender(p, options...), subscriber: s, inboxes: map[string]*inbox{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends the subscriptions. Requests that wait for an answer return an error.
func (r *Requester) Close() error {
	r.cancel()
	return nil
}

// ReplyTo is where a request is answered. Generated code fills it in.
type ReplyTo[T any] struct {
	Topic string      // of the channel of the reply; empty: that of SendWithReplyTo
	At    Location[T] // where the request contains it
}

// SendWithReplyTo sets the topic for answers, if the contract leaves it to the requester.
func SendWithReplyTo(topic string) SendOption { return func(s *Sender) { s.replyTo = topic } }

// ErrClosed is returned by a request that waits for its answer when the requester is closed.
var ErrClosed = errors.New("the requester is closed")

// Request sends a message and passes its answer to the route that handles it. It waits until the
// context is done, so the context should have a deadline.
func Request[T, K, H any](ctx context.Context, r *Requester, topic string, c *Spec[T, K, H], key K, v *T, h *H, to ReplyTo[T], answers []Route) error {
	wait := &waiting{routes: newRoutes(r.registry, answers), done: make(chan error, 1)}
	reply := ""
	msg, err := encode(ctx, r.Sender, c, key, v, h, func(m message.Metadata) error {
		at := c.correlation()
		if err := at.put(m, v, watermill.NewUUID()); err != nil {
			return err
		}
		wait.id = at.get(m, v)
		var err error
		reply, err = replyPlace(r, m, v, to)
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("request %s: %w", c.Name, err)
	case reply == "":
		return fmt.Errorf("request %s: %w", c.Name, Permanentf("there is no address for the answer: use bus.SendWithReplyTo, or set the header"))
	}
	box, err := r.open(reply)
	if err != nil {
		return fmt.Errorf("request %s: subscribe to %s: %w", c.Name, reply, err)
	}
	box.add(wait)
	defer box.remove(wait)
	if err := r.publish(c.Name, topic, msg); err != nil {
		return err
	}
	select {
	case err = <-wait.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.ctx.Done():
		err = ErrClosed
	}
	if err != nil {
		return fmt.Errorf("answer to %s on %s: %w", c.Name, reply, err)
	}
	return nil
}

// replyPlace returns the topic for the answer of a request, and writes it into the request if that
// has a place for it.
func replyPlace[T any](r *Requester, m message.Metadata, v *T, to ReplyTo[T]) (string, error) {
	topic := cmp.Or(to.Topic, r.replyTo)
	err := to.At.put(m, v, topic)
	switch said := to.At.get(m, v); {
	case said != "":
		return said, nil
	case to.Topic != "": // the one who answers uses it by default
		return to.Topic, nil
	case to.At.none():
		return topic, nil
	}
	return "", err
}

// open returns the inbox of a topic. It subscribes to the topic if there was none.
func (r *Requester) open(topic string) (*inbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if box := r.inboxes[topic]; box != nil {
		return box, nil
	}
	messages, err := r.subscriber.Subscribe(r.ctx, topic)
	if err != nil {
		return nil, err
	}
	box := &inbox{topic: topic, waiting: map[*waiting]bool{}}
	r.inboxes[topic] = box
	go func() {
		for m := range messages {
			box.take(r.ctx, m)
			m.Ack() // nobody waits for it any more
		}
		r.mu.Lock() // the subscription ended, and the next request makes a new one
		delete(r.inboxes, topic)
		r.mu.Unlock()
	}()
	return box, nil
}

// inbox has the requests that wait for an answer on a topic.
type inbox struct {
	topic   string
	mu      sync.Mutex
	waiting map[*waiting]bool
}

type waiting struct {
	id     string
	routes *routes
	done   chan error
}

func (b *inbox) add(w *waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting[w] = true
}

func (b *inbox) remove(w *waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, w)
}

// take passes a message to the request that waits for it.
func (b *inbox) take(ctx context.Context, m *message.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.waiting {
		t, err := w.routes.find(ctx, m)
		if err != nil || t.route.handle == nil || t.route.correlate(m, t) != w.id {
			continue
		}
		delete(b.waiting, w)
		p := readProvenance(m)
		if p.topic == "" {
			p.topic = b.topic // there is no router that sets it
		}
		w.done <- t.route.handle(ctx, m, p, t)
		return
	}
}
