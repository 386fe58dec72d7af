package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	centre "github.com/deferpay/deferpay/tools/eventgen/example/gen/weatherbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
)

// said is a buffer that is safe for concurrent use.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

// TestInMemory runs the example without a broker and a registry.
func TestInMemory(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	broker := bustest.NewBroker()
	defer broker.Close()
	var out said
	err := play(ctx, broker, func(string) (message.Subscriber, error) { return broker, nil }, bustest.NewRegistry(centre.Subjects()...), &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"centre: ST-12 in the north measured 21.50 degrees\n", "centre: ST-12 in the south measured 21.51 degrees\n",
		"centre: the thermometer was off by 0.25\n", "centre: the anemometer was not calibrated: it is frozen\n",
	} {
		if !strings.Contains(out.buf.String(), want) {
			t.Errorf("the output does not have %q:\n%s", want, out.buf.String())
		}
	}
}

// TestOnBroker runs the example on a broker and a registry.
func TestOnBroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	k, err := embedded.Start(ctx, embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := run(ctx, []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
}
