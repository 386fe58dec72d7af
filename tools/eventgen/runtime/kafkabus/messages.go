package kafkabus

import (
	"context"
	"errors"
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

	cfg     Config
	schemas registry.Schemas
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
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: drainIn}, NewLogger(cfg.Logger))
	if err != nil {
		return nil, err
	}
	return &Messages{Router: router, Publisher: publisher, cfg: cfg, schemas: schemas}, nil
}

// Subscriber returns a subscriber of a consumer group; see NewSubscriber.
func (m *Messages) Subscriber(group string) (*Subscriber, error) {
	return NewSubscriber(m.cfg, group)
}

// Sending returns the options of a generated publisher. source is the name of the service.
func (m *Messages) Sending(source string) []bus.SendOption {
	return []bus.SendOption{bus.SendWithRegistry(m.schemas), bus.SendWithSource(source)}
}

// Receiving returns the options of a generated receiver, which also reads the topic redrive, on
// which dead letters are sent again.
func (m *Messages) Receiving(redrive string) []bus.ReceiveOption {
	return []bus.ReceiveOption{
		bus.WithRegistry(m.schemas), bus.WithDeadLetters(m.Publisher), bus.WithLogger(m.cfg.Logger), bus.AlsoFrom(redrive),
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
	m.cfg.Logger.InfoContext(ctx, "ready: publishing and receiving")
	return errors.Join(m.Router.Run(ctx), m.Publisher.Close())
}
