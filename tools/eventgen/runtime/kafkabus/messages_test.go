package kafkabus

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
)

// running starts handlers of the messages of a topic, and returns how they end.
func running(t *testing.T, brokers []string) (m *Messages, handled chan *message.Message, stop func(), ended chan error) {
	t.Helper()
	m, err := NewMessages(Config{Brokers: brokers, ClientID: "test", Logger: quiet}, "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	handled, ended = make(chan *message.Message, 10), make(chan error, 1)
	for _, topic := range []string{"events", "redrive"} {
		s, err := m.Subscriber("group")
		if err != nil {
			t.Fatal(err)
		}
		m.Router.AddConsumerHandler(topic, topic, s, func(in *message.Message) error { handled <- in; return nil })
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- m.Run(ctx, func() error { return nil }) }()
	t.Cleanup(stop)
	return m, handled, stop, ended
}

func TestStop(t *testing.T) {
	for name, lose := range map[string]bool{"with the broker": false, "after the broker is gone": true} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events", "redrive"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			m, handled, stop, ended := running(t, cluster.ListenAddrs())
			if err := m.Publisher.Publish("events", message.NewMessage("1", []byte("x"))); err != nil {
				t.Fatal(err)
			}
			next(t, handled)
			if lose {
				cluster.Close()
				time.Sleep(2 * time.Second) // for the consumers to notice
			}
			stop()
			begun := time.Now()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > closeIn+2*time.Second {
					t.Errorf("took %v", took)
				}
			case <-time.After(patience):
				t.Fatal("not stopped")
			}
		})
	}
}

// stuck is a subscriber that never closes.
type stuck struct{}

func (stuck) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return make(chan *message.Message), nil
}
func (stuck) Close() error { select {} }

func TestStopWithStuckSubscriber(t *testing.T) {
	s := &Subscriber{inner: stuck{}, logger: quiet, closing: make(chan struct{}), closeIn: 10 * time.Millisecond}
	in := subscribe(t, s, "events")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	select {
	case m, ok := <-in:
		if ok {
			t.Errorf("got %v", m)
		}
	case <-time.After(patience):
		t.Error("the subscription did not end")
	}
}
