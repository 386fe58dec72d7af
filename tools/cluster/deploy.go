package cluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// Deploy creates the topics and registers the schemas that the AsyncAPI documents declare, as the
// commands eventgen topics apply and eventgen schemas register do. It returns the numbers of topics
// and subjects. A second call changes nothing.
func Deploy(ctx context.Context, brokers []string, registryURL string) (topicCount, subjectCount int, err error) {
	all := slices.Concat(contractbus.Topics(), billingbus.Topics(), contractinternal.Topics(), billinginternal.Topics())
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return 0, 0, err
	}
	defer client.Close()
	if _, err := topics.Apply(ctx, client, all); err != nil {
		return 0, 0, fmt.Errorf("apply topics: %w", err)
	}
	schemas, err := registry.NewClient(registryURL)
	if err != nil {
		return 0, 0, err
	}
	subjects := map[string]bool{}
	for _, s := range [][]registry.Subject{contractbus.Subjects(), billingbus.Subjects()} {
		done, err := schemas.Register(ctx, s, "FULL_TRANSITIVE")
		if err != nil {
			return 0, 0, fmt.Errorf("register schemas: %w", err)
		}
		for _, r := range done {
			subjects[r.Subject] = true
		}
	}
	return len(all), len(subjects), nil
}
