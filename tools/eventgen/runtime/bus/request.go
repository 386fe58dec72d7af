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

// Answer is a message that answers another one. Generated code makes it with NewAnswer; the zero
// Answer is none.
type Answer struct {
	name   string
	topic  string
	encode func(ctx context.Context, s *Sender, id string) (*message.Message, error)
}

// Answered gives the answer itself, of the generated types that hold one.
func (a Answer) Answered() Answer { return a }

// NewAnswer makes an answer.
func NewAnswer[T, K, H any](c *Spec[T, K, H], key K, v T, h H) Answer {
	return Answer{c.Name, c.Topic, func(ctx context.Context, s *Sender, id string) (*message.Message, error) {
		return encode(ctx, s, c, key, &v, &h, func(m message.Metadata) error { return c.correlation().put(m, &v, id) })
	}}
}

// WithAnswers names what sends the answers of operations that have replies.
func WithAnswers(p message.Publisher, options ...SendOption) ReceiveOption {
	return func(c *receiver) { c.answers = NewSender(p, options...) }
}

// OnRequest routes a message to a handler that answers it. The answer goes to where the message
// says, at the given place, or else to the address of its channel, with the correlation id of the
// message. The message is acknowledged when the answer was sent, or when the answer is none.
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
		if topic == "" {
			topic = answer.topic
		}
		if topic == "" {
			return Permanentf("%s %w: it does not say where the answer goes", c.Name, ErrInvalid)
		}
		msg, err := answer.encode(ctx, t.answers, c.correlation().get(raw.Metadata, &m.Value))
		if err != nil {
			return fmt.Errorf("answer %s: %w", answer.name, err)
		}
		return t.answers.publish(answer.name, topic, msg)
	}
	return r
}

// Requester sends messages and waits for what answers them. It is safe for concurrent use.
type Requester struct {
	*Sender
	subscriber message.Subscriber
	ctx        context.Context // of the subscriptions; it ends with Close
	cancel     context.CancelFunc

	mu      sync.Mutex
	inboxes map[string]*inbox
}

// NewRequester makes a requester. It subscribes to a topic with the first request whose answer
// comes there; the subscriber has to begin with what is published from then on, and no other
// process may take part of its messages.
func NewRequester(p message.Publisher, s message.Subscriber, options ...SendOption) *Requester {
	r := &Requester{Sender: NewSender(p, options...), subscriber: s, inboxes: map[string]*inbox{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends the subscriptions; requests that wait for an answer end with an error.
func (r *Requester) Close() error {
	r.cancel()
	return nil
}

// ReplyTo says where the answer of a request comes. Generated code fills it in.
type ReplyTo[T any] struct {
	Topic string      // of the channel of the reply; empty: the one that the requester was given
	At    Location[T] // where the request says so
}

// SendWithReplyTo gives the topic for answers, where the contract leaves it to the requester.
func SendWithReplyTo(topic string) SendOption { return func(s *Sender) { s.replyTo = topic } }

// ErrClosed says that a requester was closed while an answer was awaited.
var ErrClosed = errors.New("the requester is closed")

// Request sends a message and hands its answer to the route that takes it. It ends with the
// context, so give that a deadline.
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
		return fmt.Errorf("request %s: %w", c.Name, Permanentf("nothing says where the answer comes: use bus.SendWithReplyTo, or fill the header"))
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

// replyPlace says where the answer of a request comes, and writes it there where the request says
// so.
func replyPlace[T any](r *Requester, m message.Metadata, v *T, to ReplyTo[T]) (string, error) {
	topic := cmp.Or(to.Topic, r.replyTo)
	err := to.At.put(m, v, topic)
	switch said := to.At.get(m, v); {
	case said != "":
		return said, nil
	case to.Topic != "": // who answers falls back to it
		return to.Topic, nil
	case to.At.none():
		return topic, nil
	}
	return "", err
}

// open gives the inbox of a topic, and subscribes when it is the first.
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
			m.Ack() // what nobody waits for any more is of no use to anybody
		}
		r.mu.Lock() // the subscription ended: the next request makes a new one
		delete(r.inboxes, topic)
		r.mu.Unlock()
	}()
	return box, nil
}

// inbox is who waits for an answer on a topic.
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

// take gives a message to the one who waits for it.
func (b *inbox) take(ctx context.Context, m *message.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.waiting {
		t, err := w.routes.find(ctx, m)
		if err != nil || t.route.correlate(m, t) != w.id {
			continue
		}
		delete(b.waiting, w)
		p := readProvenance(m)
		if p.topic == "" {
			p.topic = b.topic // no router says it
		}
		w.done <- t.route.handle(ctx, m, p, t)
		return
	}
}
