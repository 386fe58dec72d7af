package main

import (
	"context"
	"path/filepath"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
	"github.com/deferpay/deferpay/tools/demo/story"
)

// judgeTopics judges every record of the story, and then what the services do with records of
// others. Both may be written with the schemas of any release.
func judgeTopics(ctx context.Context, a story.Addresses, root string, p *prober, events *judge.Events, c *coverage) error {
	rules := judge.Rules()
	releases, err := filepath.Glob(filepath.Join(root, "specs", "released", "*"))
	if err != nil {
		return err
	}
	for _, dir := range releases {
		former, err := judge.LoadEvents(filepath.Join(dir, "contract", "asyncapi.yaml"), filepath.Join(dir, "billing", "asyncapi.yaml"))
		if err != nil {
			return err
		}
		rules.Former = append(rules.Former, former.Contract)
	}
	s, err := kafkatest.Connect(events.Contract, kafkatest.Config{Brokers: a.Brokers, Registry: a.Registry, Rules: rules})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Observe(ctx, events.Topics(), c.record); err != nil {
		return err
	}
	return p.consumed(ctx, s, c)
}
