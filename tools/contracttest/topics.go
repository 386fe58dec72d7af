package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// quiet is how long the topics must not grow before they are taken to be complete.
const quiet = 1500 * time.Millisecond

// judgeTopics reads the topics from their start until they stop growing and judges every record.
func judgeTopics(ctx context.Context, brokers []string, registryURL string, events *judge.Events, c *coverage) error {
	registry, err := sr.NewClient(sr.URLs(registryURL))
	if err != nil {
		return fmt.Errorf("registry client: %w", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(events.Topics()...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	ends, err := settled(ctx, kadm.NewClient(client), events.Topics())
	if err != nil {
		return err
	}
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read topics: %w", err)
		}
		fetches.EachRecord(func(k *kgo.Record) {
			r := fromKafka(k)
			name, violations := events.Judge(ctx, registry, r)
			c.record(r, name, violations)
			if at := (place{k.Topic, k.Partition}); ends[at] <= k.Offset+1 {
				delete(ends, at)
			}
		})
	}
	return nil
}

type place struct {
	topic     string
	partition int32
}

// settled returns the end of each partition that has records, once it has not changed for a while.
func settled(ctx context.Context, admin *kadm.Client, topics []string) (map[place]int64, error) {
	var last map[place]int64
	since := time.Now()
	for {
		listed, err := admin.ListEndOffsets(ctx, topics...)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("list end offsets: %w", err)
		}
		now := map[place]int64{}
		listed.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				now[place{o.Topic, o.Partition}] = o.Offset
			}
		})
		if !maps.Equal(now, last) {
			last, since = now, time.Now()
		} else if time.Since(since) > quiet {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func fromKafka(k *kgo.Record) judge.Record {
	r := judge.Record{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Key: k.Key, Value: k.Value}
	for _, h := range k.Headers {
		r.Headers = append(r.Headers, judge.Header{Name: h.Key, Value: h.Value})
	}
	return r
}
