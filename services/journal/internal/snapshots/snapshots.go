// Package snapshots keeps snapshots of a log on a compacted topic. A snapshot is a stream of bytes,
// in chunks on the second partition. Its manifest, on the first partition, is written before the
// chunks as incomplete and after them as complete, under one key. So the manifests are found at
// once, one that was cut short is known as such, and what is left of it can be removed.
//
// The key of a chunk has the random id of the snapshot in it: two that are taken at the same time
// do not touch each other. Only the journal imports the package.
package snapshots

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

const (
	chunkSize = 900_000 // bytes; brokers take 1 MiB by default
	reserve   = 64      // chunks that are announced before they are written
	// readAtOnce is how many bytes a request for chunks asks for. By default one has a chunk, and a
	// large snapshot would mostly wait for answers.
	readAtOnce = 8 << 20
	// stalled is how long an answer of the broker may take, and slow one with readAtOnce.
	stalled = 5 * time.Second
	slow    = readAtOnce >> 20 * stalled
)

// The partitions of the topic.
const (
	manifests = 0
	chunks    = 1
)

// Topic is a topic of snapshots.
type Topic struct {
	Name    string
	Options []kgo.Opt // how to reach the broker
	// AllowUnverified permits writing without the right to read the topic's configuration.
	AllowUnverified bool
}

var settings = topic.Requirements{Partitions: 2, Why: "manifests are on the first, chunks on the second", Settings: topic.CompactSettings}

// client returns a client that reads one partition from an offset on, if that is not negative.
func (t Topic) client(partition int32, from int64, buffered int) (*kgo.Client, error) {
	options := slices.Clip(t.Options)
	if from >= 0 {
		at := kgo.NewOffset().At(from)
		if from == 0 {
			at = kgo.NewOffset().AtStart()
		}
		options = append(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.Name: {partition: at}}))
		if partition == chunks {
			options = append(options, kgo.FetchMaxPartitionBytes(readAtOnce))
		}
	}
	return topic.NewProducer(buffered, append(options, kgo.ConsumeResetOffset(kgo.NoResetOffset())))
}

// read calls fn with the records of a partition from an offset on, until fn reports that it has
// enough or the end is reached that the partition has now. An error is returned if the broker does
// not send them.
func (t Topic) read(ctx context.Context, partition int32, from int64, fn func(*kgo.Record) (enough bool, err error)) error {
	client, err := t.client(partition, from, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	end, err := t.end(ctx, client, partition)
	if err != nil || from >= end {
		return err
	}
	patience := stalled
	if partition == chunks {
		patience = slow
	}
	for {
		polling, cancel := context.WithTimeout(ctx, patience)
		fetches := client.PollFetches(polling)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= end {
				return nil
			}
			if enough, err := fn(r); enough || err != nil || r.Offset+1 == end {
				return err
			}
		}
	}
}

// end returns the offset after the last record of a partition.
func (t Topic) end(ctx context.Context, client *kgo.Client, partition int32) (int64, error) {
	asking, cancel := context.WithTimeout(ctx, stalled)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(asking, t.Name)
	if err != nil {
		return 0, fmt.Errorf("look for the end of %s: %w", t.Name, err)
	}
	end, ok := ends.Lookup(t.Name, partition)
	switch {
	case !ok:
		return 0, fmt.Errorf("%s has no partition %d", t.Name, partition)
	case end.Err != nil:
		return 0, fmt.Errorf("look for the end of %s: %w", t.Name, end.Err)
	}
	return end.Offset, nil
}

// List returns the manifests, in the order in which they were written. Those in a form that this
// program does not know are passed to unknown, with the reason.
func (t Topic) List(ctx context.Context, unknown func(key string, why error)) ([]record.Manifest, error) {
	last := map[string][]byte{}
	var keys []string
	err := t.read(ctx, manifests, 0, func(r *kgo.Record) (bool, error) {
		key := string(r.Key)
		keys = append(slices.DeleteFunc(keys, func(k string) bool { return k == key }), key)
		last[key] = r.Value
		return false, nil
	})
	// what compaction has removed behind the last record never comes
	if err != nil && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || len(keys) == 0) {
		return nil, err
	}
	var list []record.Manifest
	for _, key := range keys {
		if last[key] == nil {
			continue // removed
		}
		m, err := record.DecodeManifest(last[key])
		if err == nil && m.Snapshot.String() != key {
			err = fmt.Errorf("it is that of %s", m.Snapshot)
		}
		if err != nil {
			unknown(key, err)
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// Remove removes snapshots, complete or not. Their chunks go first, so that what is left of one is
// still known if that is interrupted.
func (t Topic) Remove(ctx context.Context, list ...record.Manifest) error {
	if len(list) == 0 {
		return nil
	}
	client, err := t.client(0, -1, 1024)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, m := range list {
		gone := make([]*kgo.Record, 0, m.Chunks)
		for n := range m.Chunks {
			gone = append(gone, &kgo.Record{Topic: t.Name, Partition: chunks, Key: chunkKey(m.Snapshot, n)})
		}
		if err := client.ProduceSync(ctx, gone...).FirstErr(); err != nil {
			return fmt.Errorf("remove the chunks of snapshot %s: %w", m.Snapshot, err)
		}
		last := &kgo.Record{Topic: t.Name, Partition: manifests, Key: []byte(m.Snapshot.String())}
		if err := client.ProduceSync(ctx, last).FirstErr(); err != nil {
			return fmt.Errorf("remove the manifest of snapshot %s: %w", m.Snapshot, err)
		}
	}
	return nil
}

func chunkKey(snapshot record.Attempt, n int32) []byte {
	return strconv.AppendInt([]byte(snapshot.String()+"/"), int64(n), 10)
}
