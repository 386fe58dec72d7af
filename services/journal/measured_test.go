package journal_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
)

// measured starts the broker to measure, Apache Kafka if BROKER=kafka is set and an embedded one
// otherwise, and reports which it is. It stops when the test ends.
func measured(t testing.TB) (opts []kgo.Opt, kafka bool) {
	t.Helper()
	if os.Getenv("BROKER") != "kafka" {
		return Options(Broker(t)), false
	}
	cache, err := artifacts.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := engine.StartBrokers(context.Background(), engine.BrokersOptions{Cache: cache, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return []kgo.Opt{kgo.SeedBrokers(b.Addrs...)}, true
}
