package kafkabus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Messages has the message handlers of a service and what they share. Add handlers to Router before
// Run.
type Messages struct {
	Router    *message.Router
	Publisher message.Publisher

	logger     *slog.Logger
	schemas    registry.Schemas
	subscriber func(group string) (GroupSubscriber, error)
}

// GroupSubscriber is a subscriber of a consumer group; see Subscriber.
type GroupSubscriber interface {
	message.Subscriber
	StartFrom(start func(ctx context.Context, topic string, partition int32) (int64, error))
	Positions() []Position
	Restart()
}

// drainIn limits the time that handlers may take to stop.
const drainIn = 10 * time.Second

// NewMessages does not use the network. registryURL is that of the schema registry, and options are
// those of its client.
func NewMessages(cfg Config, registryURL string, options ...sr.ClientOpt) (*Messages, error) {
	publisher, err := NewPublisher(cfg)
	if err != nil {
		return nil, err
	}
	schemas, err := registry.NewClient(registryURL, options...)
	if err != nil {
		return nil, err
	}
	return MessagesOver(cfg.Logger, publisher, func(group string) (GroupSubscriber, error) { return NewSubscriber(cfg, group) }, schemas)
}

// MessagesOver returns Messages over another publisher, and other subscribers of consumer groups,
// than those of this package, such as those of a test.
func MessagesOver(logger *slog.Logger, publisher message.Publisher, subscriber func(group string) (GroupSubscriber, error), schemas registry.Schemas) (*Messages, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drainIn}, NewLogger(logger))
	if err != nil {
		return nil, err
	}
	return &Messages{Router: router, Publisher: publisher, logger: logger, schemas: schemas, subscriber: subscriber}, nil
}

// Subscriber returns a subscriber of a consumer group; see NewSubscriber.
func (m *Messages) Subscriber(group string) (GroupSubscriber, error) { return m.subscriber(group) }

// Sending returns the options of a generated publisher. source is the name of the service.
func (m *Messages) Sending(source string) []bus.SendOption {
	return []bus.SendOption{bus.SendWithRegistry(m.schemas), bus.SendWithSource(source)}
}

// Receiving returns the options of a generated receiver, which also reads the topic redrive, on
// which dead letters are sent again.
func (m *Messages) Receiving(redrive string) []bus.ReceiveOption {
	return []bus.ReceiveOption{
		bus.WithRegistry(m.schemas), bus.WithDeadLetters(m.Publisher), bus.WithLogger(m.logger), bus.AlsoFrom(redrive),
	}
}

// Run starts the handlers when ready returns nil, because before that they can neither decide nor
// publish, and runs them until ctx is done. Messages that are being handled then are finished
// within a time limit. The others are delivered again after the next start.
func (m *Messages) Run(ctx context.Context, ready func() error) error {
	for ready() != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	m.logger.InfoContext(ctx, "ready: publishing and receiving")
	return errors.Join(m.Router.Run(ctx), m.Publisher.Close())
}
