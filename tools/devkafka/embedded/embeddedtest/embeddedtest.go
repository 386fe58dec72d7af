// Package embeddedtest starts the embedded broker for a test. Only tests import it.
package embeddedtest

import (
	"log/slog"
	"testing"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

// Start starts a broker with its registry on free ports, with its data in memory. Both stop when
// the test ends.
func Start(t testing.TB) *embedded.Kafka {
	t.Helper()
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}
