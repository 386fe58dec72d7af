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

// Messages are a service's handlers of messages and what they share. Handlers are added to Router
// before Run.
type Messages struct {
	Router    *message.Router
	Publisher message.Publisher

	cfg     Config
	schemas registry.Schemas
}

// drainIn bounds how long handlers may take once they are asked to stop.
const drainIn = 10 * time.Second

// NewMessages makes them without touching the network. RegistryURL is that of the schema registry;
// options are how it is reached.
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
func (m *Messages) Subscriber(group string) (message.Subscriber, error) {
	return NewSubscriber(m.cfg, group)
}

// Sending is what a generated publisher needs; source is the service's name.
func (m *Messages) Sending(source string) []bus.SendOption {
	return []bus.SendOption{bus.SendWithRegistry(m.schemas), bus.SendWithSource(source)}
}

// Receiving is what a generated receiver needs. It also reads redrive, where dead letters are sent
// round again.
func (m *Messages) Receiving(redrive string) []bus.ReceiveOption {
	return []bus.ReceiveOption{
		bus.WithRegistry(m.schemas), bus.WithDeadLetters(m.Publisher), bus.WithLogger(m.cfg.Logger), bus.AlsoFrom(redrive),
	}
}

// Run starts the handlers once ready gives nil, since before that they could decide and publish
// nothing, and runs them until ctx ends. What is under way then is finished, within limits; the
// rest comes again after the next start.
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
