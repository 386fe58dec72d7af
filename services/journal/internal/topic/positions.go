package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Positions keeps how far the subscriber Name of the log Log has come, on the compacted topic
// Topic.
type Positions struct{ Topic, Name, Log string }

// Load returns the offset that was saved last, 0 if none was. It reads the topic with a client of
// its own.
func (p Positions) Load(ctx context.Context, options []kgo.Opt) (int64, error) {
	client, err := NewClient(p.Topic, 1, options)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	end, err := End(ctx, client, p.Topic)
	if err != nil {
		return 0, fmt.Errorf("look for the end of %s: %w", p.Topic, err)
	}
	var found int64
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, fmt.Errorf("read %s: %w", p.Topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			next = r.Offset + 1
			offset, ours, err := p.in(r)
			if err != nil {
				return 0, fmt.Errorf("decode the position @%d of %s: %w", r.Offset, p.Topic, err)
			}
			if ours {
				found = offset
			}
		}
	}
	return found, nil
}

// in returns the offset that a record of the topic holds, and whether it is that of p.
func (p Positions) in(r *kgo.Record) (offset int64, ours bool, err error) {
	if string(r.Key) != p.Name || r.Value == nil {
		return 0, false, nil
	}
	saved, err := record.DecodePosition(r.Value)
	return saved.Offset, saved.Log == p.Log, err
}

// Save writes how far the subscriber has come, and waits for the broker.
func (p Positions) Save(ctx context.Context, client *kgo.Client, offset int64) error {
	value, err := record.EncodePosition(record.Position{Name: p.Name, Log: p.Log, Offset: offset, UpdatedAt: time.Now().UnixMicro()})
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: p.Topic, Key: []byte(p.Name), Value: value}
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("save position %d of %s: %w", offset, p.Name, err)
	}
	return nil
}
