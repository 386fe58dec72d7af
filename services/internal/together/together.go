// Package together publishes the messages of many records with few calls of a Watermill publisher,
// although each record's messages are sent one by one, by generated code. A publisher made by this
// package keeps a message whose context belongs to a part, and Publish publishes what the parts
// have kept. Package ledger publishes the records of the log in parts, and package instance makes
// the publisher.
package together

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// Part has what was sent for one record, in that order. The zero value is ready to use, by one
// goroutine.
type Part struct {
	kept []kept
	err  error
}

type kept struct {
	publisher message.Publisher
	topic     string
	message   *message.Message
}

type partKey struct{}

// In returns a context in which messages are kept for p. Sending one of them returns nil at once.
func (p *Part) In(ctx context.Context) context.Context { return context.WithValue(ctx, partKey{}, p) }

// Fail is called if not everything could be sent. Nothing of the part is published then.
func (p *Part) Fail(err error) { p.kept, p.err = nil, err }

// Len returns how many messages p keeps.
func (p *Part) Len() int { return len(p.kept) }

// Publisher returns a publisher that keeps the messages that belong to a part, and publishes all
// others through inner, as the kept ones are later.
func Publisher(inner message.Publisher) message.Publisher { return publisher{inner} }

type publisher struct{ message.Publisher }

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	var others []*message.Message
	for _, m := range messages {
		if part, ok := m.Context().Value(partKey{}).(*Part); ok {
			part.kept = append(part.kept, kept{p.Publisher, topic, m})
		} else {
			others = append(others, m)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return p.Publisher.Publish(topic, others...)
}

// Publish publishes what the parts have kept: the first message of each together, then the second
// of each, and so on. What follows a message that was not published is not sent. It calls done once
// for each part, with the first error, as soon as all its messages are published or one of
// them is not. Once ctx has ended, nothing more is sent, and the parts that are left fail with the
// error of ctx.
func Publish(ctx context.Context, parts []Part, done func(i int, err error)) {
	left := make([]int, 0, len(parts))
	for i := range parts {
		left = append(left, i)
	}
	for n := 0; len(left) > 0; n++ {
		if err := ctx.Err(); err != nil {
			fail(left, err, done)
			return
		}
		var calls []*call
		for _, i := range left {
			if n == len(parts[i].kept) {
				done(i, parts[i].err)
			} else {
				calls = add(calls, i, parts[i].kept[n])
			}
		}
		left = left[:0]
		for _, c := range calls {
			err := c.publisher.Publish(c.topic, c.messages...)
			for k, i := range c.parts {
				switch err := bus.PublishedError(err, k); {
				case err != nil:
					done(i, err)
				case n+1 == len(parts[i].kept):
					done(i, nil)
				default:
					left = append(left, i)
				}
			}
		}
	}
}

func fail(parts []int, err error, done func(i int, err error)) {
	for _, i := range parts {
		done(i, err)
	}
}

// call is a call of a publisher.
type call struct {
	publisher message.Publisher
	topic     string
	messages  []*message.Message
	parts     []int // that the messages belong to
}

// add adds a message of the part i to the call that it belongs to.
func add(calls []*call, i int, k kept) []*call {
	for _, c := range calls {
		if c.publisher == k.publisher && c.topic == k.topic {
			c.messages, c.parts = append(c.messages, k.message), append(c.parts, i)
			return calls
		}
	}
	return append(calls, &call{k.publisher, k.topic, []*message.Message{k.message}, []int{i}})
}
