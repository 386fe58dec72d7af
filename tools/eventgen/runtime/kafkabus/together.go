package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// The publisher of watermill-kafka sends the messages of one call one after the other, and waits
// for the broker after each. Several messages therefore pass through it as one, the carrier: the
// marshaler puts their records into its record, and the producer takes them out and sends them with
// one call to sarama. Nothing of the carrier reaches the broker.

// batch is what a carrier carries.
type batch struct {
	messages []*message.Message
	records  []*sarama.ProducerMessage
	errs     []error // of each record, if sarama returned them
}

type batchKey struct{}

// packing is a marshaler that also takes carriers.
type packing struct{ Marshaler }

// Marshal implements kafka.Marshaler.
func (p packing) Marshal(topic string, m *message.Message) (*sarama.ProducerMessage, error) {
	b, ok := m.Context().Value(batchKey{}).(*batch)
	if !ok {
		return p.Marshaler.Marshal(topic, m)
	}
	for i, each := range b.messages {
		record, err := p.Marshaler.Marshal(topic, each)
		if err != nil {
			return nil, err
		}
		record.Metadata = i
		b.records = append(b.records, record)
	}
	return &sarama.ProducerMessage{Topic: topic, Metadata: b}, nil
}

// unpacking is given to watermill-kafka as a tracer, which is the place where that lets its
// producer be wrapped.
type unpacking struct{ kafka.SaramaTracer }

// WrapSyncProducer implements kafka.SaramaTracer.
func (unpacking) WrapSyncProducer(_ *sarama.Config, p sarama.SyncProducer) sarama.SyncProducer {
	return producer{p}
}

// producer is the producer of sarama, which sends what a carrier carries.
type producer struct{ sarama.SyncProducer }

// SendMessage implements sarama.SyncProducer. The partition and the offset of a carrier are 0.
func (p producer) SendMessage(record *sarama.ProducerMessage) (partition int32, offset int64, err error) {
	b, ok := record.Metadata.(*batch)
	if !ok {
		return p.SyncProducer.SendMessage(record)
	}
	err = p.SendMessages(b.records)
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) {
		b.errs = make([]error, len(b.records))
		for _, f := range failed {
			b.errs[f.Msg.Metadata.(int)] = f.Err
		}
	}
	return 0, 0, err
}

// publishAll publishes messages of which those with different keys leave together. Behind a message
// that failed, those of its key would be out of order, so none of the rest is sent then.
func (p *publisher) publishAll(topic string, messages []*message.Message) error {
	for sent := 0; sent < len(messages); {
		run := messages[sent : sent+distinct(messages[sent:])]
		if errs := p.publishRun(topic, run); errs != nil {
			all := append(make([]error, sent, len(messages)), errs...)
			for len(all) < len(messages) {
				all = append(all, errNotSent)
			}
			return &bus.PublishError{Errors: all}
		}
		sent += len(run)
	}
	return nil
}

// errNotSent is the error of a message behind one that failed.
var errNotSent = errors.New("not sent, because a message before it was not published")

// publishRun publishes messages of different keys together, and returns the error of each, or nil
// if all were published. A broker compares the size of all of them with the limit of the topic, so
// those that are too large together are sent one by one.
func (p *publisher) publishRun(topic string, run []*message.Message) []error {
	if len(run) == 1 {
		if err := p.publishOne(topic, run[0]); err != nil {
			return []error{err}
		}
		return nil
	}
	errs := p.publishTogether(topic, run)
	for i, err := range errs {
		if errors.Is(err, bus.ErrTooLarge) {
			errs[i] = p.publishOne(topic, run[i])
		}
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return errs
	}
	return nil
}

func (p *publisher) publishOne(topic string, m *message.Message) error {
	if err := p.inner.Publish(topic, m); err != nil {
		return p.explained(topic, err)
	}
	return nil
}

// publishTogether sends messages with one call, and returns the error of each, or nil if all were
// published.
func (p *publisher) publishTogether(topic string, run []*message.Message) []error {
	b := &batch{messages: run, records: make([]*sarama.ProducerMessage, 0, len(run))}
	carrier := message.NewMessageWithContext(context.WithValue(run[0].Context(), batchKey{}, b), run[0].UUID, nil)
	err := p.inner.Publish(topic, carrier)
	if err == nil {
		return nil
	}
	errs := b.errs
	if errs == nil {
		errs = slices.Repeat([]error{err}, len(run))
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = p.explained(topic, err)
		}
	}
	return errs
}

// distinct returns how many messages from the first one on have different keys. Those without a key
// count as having the same.
func distinct(messages []*message.Message) int {
	seen := make(map[string]bool, len(messages))
	for i, m := range messages {
		key, ok := m.Metadata[metadata.Key]
		if ok {
			key = "k" + key
		}
		if seen[key] {
			return i
		}
		seen[key] = true
	}
	return len(messages)
}

func (p *publisher) explained(topic string, err error) error {
	if isTooLarge(err) {
		return fmt.Errorf("publish to %s: %w: %w", topic, bus.ErrTooLarge, err)
	}
	return fmt.Errorf("publish to %s: %w", topic, p.cfg.explain(err))
}
