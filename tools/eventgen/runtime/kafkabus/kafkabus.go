// Package kafkabus has a publisher and a subscriber for Kafka: watermill-kafka with settings under
// which no acknowledged message is lost, the messages of a key stay in order, no topic is created
// by accident, and a key has the same partition as with other Kafka clients. Services import it.
//
// The metadata of a message holds the headers of the record and, under the reserved names of
// package metadata, its key, topic, partition, offset and time. When publishing, metadata.Key is
// the key of the record, which has none if it is absent; the other reserved names are not sent. A
// nil payload is a null value, the tombstone of a compacted topic. An empty payload is an empty
// value.
package kafkabus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// Config is the configuration of a publisher or a subscriber.
type Config struct {
	Brokers  []string
	ClientID string         // in the logs of the broker
	Logger   *slog.Logger   // nil: that of slog
	Security *secure.Broker // nil: no authentication and no TLS
}

func (c Config) common() (*sarama.Config, error) {
	s := sarama.NewConfig()
	s.ClientID = c.ClientID
	// the newest version that sarama supports completely; it negotiates older ones itself
	s.Version = sarama.V2_8_0_0
	s.Net.DialTimeout = 5 * time.Second
	s.Net.ReadTimeout = 15 * time.Second
	s.Net.WriteTimeout = 15 * time.Second
	s.Metadata.AllowAutoTopicCreation = false
	return s, protect(s, c.Security)
}

func (c Config) producer() (*sarama.Config, error) {
	s, err := c.common()
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Idempotent = true
	s.Net.MaxOpenRequests = 1 // keeps the order when a request is retried
	s.Producer.Retry.Max = 10
	s.Producer.Retry.Backoff = 100 * time.Millisecond
	s.Producer.Return.Successes = true
	s.Producer.Return.Errors = true
	// the default of sarama is FNV-1a, which no other client uses
	s.Producer.Partitioner = sarama.NewMurmur2Partitioner
	return s, err
}

func (c Config) consumer() (*sarama.Config, error) {
	s, err := c.common()
	s.Consumer.Offsets.Initial = sarama.OffsetOldest // where a new group begins
	// without it each commit waits for a long poll
	s.Consumer.Offsets.AutoCommit.Enable = true
	s.Consumer.Offsets.AutoCommit.Interval = time.Second
	s.Consumer.Return.Errors = true
	// the shortest that brokers allow by default, so that the partitions of a killed instance move
	// on
	s.Consumer.Group.Session.Timeout = 6 * time.Second
	// how long members take to notice that another one has joined
	s.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	// half of the session timeout, because the embedded broker forgets a member that waits in a
	// join for longer than its session, and never answers it
	s.Consumer.Group.Rebalance.Timeout = 3 * time.Second
	// one of two members that join at once, as those of two topics do, makes this pause
	s.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	s.Consumer.Group.Rebalance.Retry.Max = 100 // then the group is joined anew
	// after an error of a partition
	s.Consumer.Retry.Backoff = 250 * time.Millisecond
	return s, err
}

// NewPublisher returns a publisher that connects when it first publishes, so that it can be created
// while the broker is not reachable. Publish returns when every in-sync replica has the messages,
// in their order. After an error it is not known whether the broker has them: the caller publishes
// them again, and readers recognize a duplicate by its ce_id.
//
// Messages of one call that have different keys leave together, and may fail one by one; the error
// is a *bus.PublishError then. A message is not sent before those of its key that precede it are
// published.
func NewPublisher(cfg Config) (message.Publisher, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &publisher{cfg: cfg}, nil
}

// NewSubscriber returns a subscriber of a consumer group. Subscribe does not need the broker
// either: it tries to connect until its context is done. A message that is acked is committed
// within about a second, and may be delivered again after a crash or a rebalance. A message that is
// nacked is delivered again at once. Messages can be held (package hold): what is committed is the
// offset of the first message that is not finished, so that it and those behind it are delivered
// again.
func NewSubscriber(cfg Config, group string) (*Subscriber, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if group == "" {
		return nil, errors.New("there is no consumer group")
	}
	settings, err := cfg.consumer()
	if err != nil {
		return nil, err
	}
	s := &Subscriber{cfg: cfg, logger: cfg.Logger.With("group", group), closing: make(chan struct{}), closeIn: closeIn}
	s.claims.init(cfg, s.logger)
	s.inner, err = kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers:               cfg.Brokers,
		Unmarshaler:           Marshaler{},
		OverwriteSaramaConfig: settings,
		ConsumerGroup:         group,
		Tracer:                &s.claims,
	}, NewLogger(cfg.Logger))
	return s, err
}

func (c *Config) check() error {
	if len(c.Brokers) == 0 {
		return errors.New("there are no Kafka brokers")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// publisher creates the publisher of watermill-kafka when it is first needed, because that one
// connects in its constructor.
type publisher struct {
	cfg Config

	mu     sync.RWMutex // write: creating and closing; read: publishing
	inner  message.Publisher
	closed bool
}

var errClosed = errors.New("closed")

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.connect(); err != nil {
		return err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return errClosed
	}
	if len(messages) == 1 {
		return p.publishOne(topic, messages[0])
	}
	return p.publishAll(topic, messages)
}

// isTooLarge reports whether a message is larger than the client or the broker takes.
func isTooLarge(err error) bool {
	var client sarama.ConfigurationError
	return errors.Is(err, sarama.ErrMessageSizeTooLarge) || errors.As(err, &client) && strings.Contains(string(client), "MaxMessageBytes")
}

func (p *publisher) connect() error {
	p.mu.RLock()
	made := p.inner != nil
	p.mu.RUnlock()
	if made {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return errClosed
	case p.inner != nil:
		return nil
	}
	settings, err := p.cfg.producer()
	if err != nil {
		return err
	}
	inner, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers:               p.cfg.Brokers,
		Marshaler:             packing{},
		OverwriteSaramaConfig: settings,
		Tracer:                unpacking{},
	}, NewLogger(p.cfg.Logger))
	if err != nil {
		return fmt.Errorf("connect to Kafka at %v: %w", p.cfg.Brokers, p.cfg.explain(err))
	}
	p.inner = inner
	return nil
}

// Close waits until the messages that are being published are.
func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.inner == nil {
		return nil
	}
	return p.inner.Close()
}

// Subscriber is a subscriber of a consumer group; see NewSubscriber. It tries to subscribe until it
// succeeds. The subscriber of watermill-kafka reconnects only if it has been connected before.
type Subscriber struct {
	cfg     Config
	claims  claims
	inner   message.Subscriber
	logger  *slog.Logger
	closing chan struct{}
	closeIn time.Duration
	once    sync.Once
	// read: subscribing, during which the subscriber of watermill-kafka must not be closed
	joining sync.RWMutex
	closed  bool // no further subscriptions
}

const (
	maxPause = 5 * time.Second
	// closeIn limits the time to leave a group. Sarama tries to reach a broker for longer than a
	// stop may take. Messages that are not committed then are delivered again.
	closeIn = 5 * time.Second
)

// Subscribe implements message.Subscriber.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for pause := 250 * time.Millisecond; ; pause = min(2*pause, maxPause) {
			in, err := s.join(ctx, topic)
			if err == nil {
				s.forward(in, out)
				return
			}
			if errors.Is(err, errClosed) {
				return
			}
			s.logger.Warn("cannot subscribe yet, trying again", "topic", topic, "error", s.cfg.explain(err).Error(), "in", pause.String())
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			case <-s.closing:
				return
			}
		}
	}()
	return out, nil
}

func (s *Subscriber) join(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.joining.RLock()
	defer s.joining.RUnlock()
	if s.closed {
		return nil, errClosed
	}
	return s.inner.Subscribe(ctx, topic)
}

// forward passes messages on until the subscription ends. A message that is not received any more
// is not acked, so it is delivered again.
func (s *Subscriber) forward(in <-chan *message.Message, out chan<- *message.Message) {
	for {
		select {
		case m, ok := <-in:
			if !ok {
				return
			}
			s.claims.holdable(m)
			select {
			case out <- m:
			case <-m.Context().Done():
			case <-s.closing:
			}
		case <-s.closing:
			go func() {
				for range in { // until the inner subscription has closed it
				}
			}()
			return
		}
	}
}

// Close leaves the group, if that takes no longer than closeIn.
func (s *Subscriber) Close() error {
	s.once.Do(func() { close(s.closing) })
	left := make(chan error, 1)
	go func() {
		s.joining.Lock()
		s.closed = true
		s.joining.Unlock()
		left <- s.inner.Close()
	}()
	select {
	case err := <-left:
		return err
	case <-time.After(s.closeIn):
		s.logger.Warn("the broker did not answer in time when leaving the group: messages may be delivered again")
		return nil
	}
}
