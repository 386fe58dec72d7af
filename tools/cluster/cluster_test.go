package cluster

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
)

func TestDeployIsIdempotent(t *testing.T) {
	k := embeddedtest.Start(t)
	topics, subjects, err := Deploy(t.Context(), []string{k.Broker}, k.Registry)
	if err != nil || topics < 10 || subjects < 10 {
		t.Fatalf("%d topics, %d subjects, %v", topics, subjects, err)
	}
	client, err := sr.NewClient(sr.URLs(k.Registry))
	if err != nil {
		t.Fatal(err)
	}
	before, err := client.AllSchemas(t.Context())
	if err != nil || len(before) != subjects {
		t.Fatalf("%d schemas, %v", len(before), err)
	}
	if again, _, err := Deploy(t.Context(), []string{k.Broker}, k.Registry); err != nil || again != topics {
		t.Errorf("second Deploy: %d topics, %v", again, err)
	}
	if after, err := client.AllSchemas(t.Context()); err != nil || len(after) != len(before) {
		t.Errorf("%d schemas, %v", len(after), err)
	}
	if got := client.Compatibility(t.Context(), before[0].Subject)[0]; got.Level != sr.CompatFullTransitive {
		t.Errorf("level of %s is %v", before[0].Subject, got.Level)
	}
}
