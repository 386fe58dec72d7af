package oldlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/cluster"
)

// ClockOffset returns the clock offset with which the domain clock shows DomainTime at the moment
// now.
func (r *Recording) ClockOffset(now time.Time) time.Duration {
	return r.DomainTime.Sub(now).Round(time.Microsecond)
}

// Restore writes the recording to an empty broker and an empty registry: the schemas with their
// ids, the records with their offsets, and the committed offsets. The topics are created as the
// present contracts declare them. Present schemas that the recording does not have are registered
// too.
func (r *Recording) Restore(ctx context.Context, brokers []string, registry string) error {
	if err := r.restoreSchemas(ctx, registry); err != nil {
		return fmt.Errorf("restore schemas: %w", err)
	}
	if _, _, err := cluster.Deploy(ctx, brokers, registry); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, topic := range slices.Sorted(maps.Keys(r.Topics)) {
		if err := r.restoreTopic(ctx, client, topic); err != nil {
			return fmt.Errorf("restore %s: %w", topic, err)
		}
	}
	return r.restoreCommits(ctx, kadm.NewClient(client))
}

func (r *Recording) restoreSchemas(ctx context.Context, registry string) error {
	client, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		return err
	}
	for _, s := range r.Schemas {
		schema := sr.Schema{Schema: s.Schema, Type: sr.TypeAvro}
		for _, ref := range s.References {
			schema.References = append(schema.References, sr.SchemaReference{Name: ref.Name, Subject: ref.Subject, Version: ref.Version})
		}
		got, err := client.CreateSchema(ctx, s.Subject, schema)
		if err != nil {
			return fmt.Errorf("%s version %d: %w", s.Subject, s.Version, err)
		}
		if got.ID != s.ID || got.Version != s.Version {
			return fmt.Errorf("%s became version %d with id %d, want version %d with id %d", s.Subject, got.Version, got.ID, s.Version, s.ID)
		}
	}
	return nil
}

// restoreTopic writes the records of a topic. Their timestamps are shifted so that the recording
// ends now, because a broker deletes records that are older than the retention of the topic.
func (r *Recording) restoreTopic(ctx context.Context, client *kgo.Client, topic string) error {
	moved := time.Since(r.RecordedAt)
	var batch []*kgo.Record
	for _, kept := range r.Topics[topic] {
		rec := &kgo.Record{Topic: topic, Partition: kept.Partition, Value: kept.Value, Timestamp: time.UnixMilli(kept.Timestamp).Add(moved)}
		if kept.Key != nil {
			rec.Key = []byte(*kept.Key)
		}
		for _, h := range kept.Headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		batch = append(batch, rec)
	}
	if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return err
	}
	for i, rec := range batch {
		if rec.Offset != r.Topics[topic][i].Offset {
			return fmt.Errorf("a record got the offset %d, want %d", rec.Offset, r.Topics[topic][i].Offset)
		}
	}
	return nil
}

func (r *Recording) restoreCommits(ctx context.Context, admin *kadm.Client) error {
	groups := map[string]kadm.Offsets{}
	for _, c := range r.Commits {
		offsets := groups[c.Group]
		offsets.AddOffset(c.Topic, c.Partition, c.Offset, -1)
		groups[c.Group] = offsets
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		done, err := admin.CommitOffsets(ctx, group, groups[group])
		if err := errors.Join(err, done.Error()); err != nil {
			return fmt.Errorf("commit offsets of %s: %w", group, err)
		}
	}
	return nil
}

// Added returns the topic and the kind of each record that a later dump of the restored system has
// beyond the recording. Barriers and positions are left out.
func (r *Recording) Added(later *Recording) ([]string, error) {
	var added []string
	for _, topic := range slices.Sorted(maps.Keys(later.Topics)) {
		if slices.Contains(positions, topic) {
			continue
		}
		for _, rec := range later.Topics[topic][len(r.Topics[topic]):] {
			what, err := describe(topic, rec)
			if err != nil {
				return nil, fmt.Errorf("%s offset %d: %w", topic, rec.Offset, err)
			}
			if what != "barrier" {
				added = append(added, topic+": "+what)
			}
		}
	}
	return added, nil
}

// describe returns the kind of a log record or the CloudEvents type of any other record.
func describe(topic string, rec Record) (string, error) {
	if !slices.Contains(logs, topic) {
		for _, h := range rec.Headers {
			if h[0] == "ce_type" {
				return h[1], nil
			}
		}
		if topic == contractinternal.PersonalDataKeysTopic && rec.Value == nil {
			return "barrier", nil // of whoever reads the keys
		}
		return "a record", nil
	}
	var e journalrecord.JournalRecord
	if err := decode(rec.Value, &e); err != nil {
		return "", err
	}
	return e.Kind, nil
}
