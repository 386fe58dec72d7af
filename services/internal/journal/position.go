package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// position is how far a reader of a log has come, as kept on a compacted topic.
type position struct {
	name      string
	log       string
	offset    int64 // of the next entry to deliver
	updatedAt int64 // microseconds
}

// loadPosition reads the last position of a reader, 0 when there is none.
func loadPosition(ctx context.Context, options []kgo.Opt, topic, name, log string) (int64, error) {
	client, err := newClient(topic, options)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	end, err := logEnd(ctx, client, topic)
	if err != nil {
		return 0, fmt.Errorf("look for the end of %s: %w", topic, err)
	}
	var found int64
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			next = r.Offset + 1
			if string(r.Key) != name || r.Value == nil {
				continue
			}
			p, err := decodePosition(r.Value)
			if err != nil {
				return 0, fmt.Errorf("read position %d of %s: %w", r.Offset, topic, err)
			}
			if p.log == log {
				found = p.offset
			}
		}
	}
	return found, nil
}

// savePosition writes how far a reader has come and waits for the broker.
func savePosition(ctx context.Context, client *kgo.Client, topic, name, log string, offset int64) error {
	value, err := encodePosition(position{name: name, log: log, offset: offset, updatedAt: time.Now().UnixMicro()})
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: topic, Key: []byte(name), Value: value}
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("keep position %d of %s: %w", offset, name, err)
	}
	return nil
}
