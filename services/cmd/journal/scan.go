package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// scan calls fn with the records that are in a topic now. The topic has one partition and is not
// compacted.
func scan(ctx context.Context, options []kgo.Opt, topic string, fn func(*kgo.Record)) error {
	client, err := kgo.NewClient(append(options, kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		return err
	}
	defer client.Close()
	start, end, err := bounds(ctx, client, topic, 0)
	if err != nil {
		return err
	}
	for next := start; next < end; {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for _, r := range fetches.Records() {
			if next = r.Offset + 1; r.Offset < end && !r.Attrs.IsControl() {
				fn(r)
			}
		}
	}
	return nil
}

// bounds returns where a partition begins and ends.
func bounds(ctx context.Context, client *kgo.Client, topic string, partition int32) (start, end int64, err error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("look for %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("look for the end of %s: %w", topic, err)
	}
	first, ok := starts.Lookup(topic, partition)
	last, found := ends.Lookup(topic, partition)
	if !ok || !found {
		return 0, 0, fmt.Errorf("there is no partition %d of %s", partition, topic)
	}
	return first.Offset, last.Offset, errors.Join(first.Err, last.Err)
}

// recordAt returns the record at an offset, nil if it is not there.
func recordAt(ctx context.Context, options []kgo.Opt, topic string, partition int32, offset int64) (*kgo.Record, error) {
	client, err := kgo.NewClient(append(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(offset)}}))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	start, end, err := bounds(ctx, client, topic, partition)
	if err != nil || offset < start || offset >= end {
		return nil, err
	}
	for {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return nil, fmt.Errorf("read %s: %w", topic, err)
		}
		for _, r := range fetches.Records() {
			if r.Offset == offset {
				return r, nil
			}
			return nil, nil // it was compacted away
		}
	}
}
