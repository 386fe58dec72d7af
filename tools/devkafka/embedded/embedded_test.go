package embedded

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// The broker and the registry start, and start again with their data, while nothing listens at the
// advertised address: what is behind it, such as a proxy, may be down.
func TestAdvertisedAddressIsDown(t *testing.T) {
	cfg := Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Advertise: "127.0.0.1:1", DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	for range 2 {
		k, err := Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		const schema = `{"schema": "{\"type\": \"string\"}"}`
		resp, err := http.Post(k.Registry+"/subjects/s-value/versions", "application/json", strings.NewReader(schema))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != `{"id":1}`+"\n" && string(body) != `{"id":1}` {
			t.Errorf("%s %v", body, err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	}
}
