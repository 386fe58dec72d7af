package oldlog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractinternal"
)

// Dump reads the topics but those of snapshots, the schemas and the committed offsets of a system.
// An error is returned if retention or compaction has removed a record.
func Dump(ctx context.Context, brokers []string, registry string) (*Recording, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	r := &Recording{System: System{RecordedAt: time.Now().UTC()}, Topics: map[string][]Record{}}
	for _, topic := range topics.TopicsList() {
		if strings.HasPrefix(topic.Topic, "_") {
			continue // topics of the broker and of the registry
		}
		if topic.Topic == contractinternal.SnapshotsTopic || topic.Topic == billinginternal.SnapshotsTopic {
			continue // taken again at any time, of the log that a recording has
		}
		records, err := dumpTopic(ctx, brokers, admin, topic.Topic)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", topic.Topic, err)
		}
		if len(records) > 0 {
			r.Topics[topic.Topic] = records
		}
	}
	if r.Commits, err = dumpCommits(ctx, admin); err != nil {
		return nil, fmt.Errorf("read committed offsets: %w", err)
	}
	if r.Schemas, err = dumpSchemas(ctx, registry); err != nil {
		return nil, fmt.Errorf("read the registry: %w", err)
	}
	return r, nil
}

// dumpTopic reads a topic, which must have one partition, to its present end.
func dumpTopic(ctx context.Context, brokers []string, admin *kadm.Client, topic string) ([]Record, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(ends[topic]) != 1 {
		return nil, fmt.Errorf("it has %d partitions, only 1 is supported", len(ends[topic]))
	}
	end := ends[topic][0].Offset
	reader, err := kgo.NewClient(kgo.SeedBrokers(brokers...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var out []Record
	for int64(len(out)) < end {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for _, rec := range fetches.Records() {
			if rec.Offset != int64(len(out)) {
				return nil, fmt.Errorf("offset %d follows %d records: some were removed", rec.Offset, len(out))
			}
			kept, err := keep(rec)
			if err != nil {
				return nil, fmt.Errorf("offset %d: %w", rec.Offset, err)
			}
			out = append(out, kept)
		}
	}
	return out[:end], nil
}

func keep(rec *kgo.Record) (Record, error) {
	r := Record{Partition: rec.Partition, Offset: rec.Offset, Timestamp: rec.Timestamp.UnixMilli(), Headers: [][2]string{}, Value: rec.Value}
	texts := [][]byte{rec.Key}
	for _, h := range rec.Headers {
		texts = append(texts, []byte(h.Key), h.Value)
		r.Headers = append(r.Headers, [2]string{h.Key, string(h.Value)})
	}
	if rec.Key != nil {
		key := string(rec.Key)
		r.Key = &key
	}
	for _, text := range texts {
		if !utf8.Valid(text) {
			return r, fmt.Errorf("%q in a key or a header is not UTF-8", text)
		}
	}
	return r, nil
}

func dumpCommits(ctx context.Context, admin *kadm.Client) ([]Commit, error) {
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return nil, err
	}
	var out []Commit
	for _, group := range groups.Groups() {
		offsets, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return nil, fmt.Errorf("of %s: %w", group, err)
		}
		for _, o := range offsets.Sorted() {
			if o.At >= 0 {
				out = append(out, Commit{Group: group, Topic: o.Topic, Partition: o.Partition, Offset: o.At})
			}
		}
	}
	return out, nil
}

func dumpSchemas(ctx context.Context, registry string) ([]Schema, error) {
	client, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		return nil, err
	}
	all, err := client.AllSchemas(ctx)
	if err != nil {
		return nil, err
	}
	var out []Schema
	for _, s := range all {
		kept := Schema{ID: s.ID, Subject: s.Subject, Version: s.Version, Schema: s.Schema.Schema}
		for _, ref := range s.References {
			kept.References = append(kept.References, SchemaReference{Name: ref.Name, Subject: ref.Subject, Version: ref.Version})
		}
		out = append(out, kept)
	}
	slices.SortFunc(out, func(a, b Schema) int {
		if a.ID != b.ID {
			return a.ID - b.ID
		}
		return strings.Compare(a.Subject, b.Subject)
	})
	return out, nil
}
