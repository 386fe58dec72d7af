package topic

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/record"
)

// A Mark names a record that was read from a log. The log is the one that was read, up to that
// record, as long as it holds it.
type Mark struct {
	Offset  int64
	Attempt record.Attempt // the zero Attempt if no record is named
}

// markHeader is the header of a position that holds its mark. It is not part of the value because
// older instances must be able to read that.
const markHeader = "seen"

// Place is how far a subscriber has come.
type Place struct {
	Offset int64 // of the next entry to deliver
	Seen   Mark  // of the log that Offset belongs to, at Offset-1 or Offset
}

// Positions keeps how far the subscriber Name of the log Log has come, on the compacted topic
// Topic.
type Positions struct{ Topic, Name, Log string }

// Load returns the place that was saved last, the start of the log if none was. It reads the topic
// with a client of its own. A record under the subscriber's key that holds no place is ignored, and
// reported with its offset: whatever wrote it, a place before it makes entries be delivered again,
// and loses none.
func (p Positions) Load(ctx context.Context, options []kgo.Opt, ignored func(offset int64, why error)) (found Place, err error) {
	client, err := NewClient(p.Topic, 1, options)
	if err != nil {
		return found, err
	}
	defer client.Close()
	end, err := End(ctx, client, p.Topic)
	if err != nil {
		return found, fmt.Errorf("look for the end of %s: %w", p.Topic, err)
	}
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return found, fmt.Errorf("read %s: %w", p.Topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			next = r.Offset + 1
			place, ours, err := p.in(r)
			switch {
			case err != nil:
				ignored(r.Offset, err)
			case ours:
				found = place
			}
		}
	}
	return found, nil
}

// in returns the place that a record of the topic holds, and whether it is that of p.
func (p Positions) in(r *kgo.Record) (place Place, ours bool, err error) {
	if string(r.Key) != p.Name || r.Value == nil {
		return place, false, nil
	}
	saved, err := record.DecodePosition(r.Value)
	if err != nil {
		return place, false, err
	}
	if saved.Offset < 0 {
		return place, false, fmt.Errorf("the place is %d", saved.Offset)
	}
	place.Offset = saved.Offset
	for _, h := range r.Headers {
		if h.Key == markHeader {
			place.Seen, err = parseMark(string(h.Value))
		}
	}
	return place, saved.Log == p.Log, err
}

func (m Mark) String() string { return strconv.FormatInt(m.Offset, 10) + "/" + m.Attempt.String() }

func parseMark(text string) (m Mark, err error) {
	offset, attempt, _ := strings.Cut(text, "/")
	if m.Offset, err = strconv.ParseInt(offset, 10, 64); err != nil {
		return m, fmt.Errorf("header %s: %w", markHeader, err)
	}
	if m.Attempt, err = record.ParseAttempt(attempt); err != nil {
		return m, fmt.Errorf("header %s: %w", markHeader, err)
	}
	return m, nil
}

// Holds reports whether a log, which ends at end, has the record that m names. It does if m names
// none.
func (m Mark) Holds(ctx context.Context, log string, end int64, options []kgo.Opt) (found bool, err error) {
	if m.Attempt.IsZero() {
		return true, nil
	}
	if m.Offset >= end {
		return false, nil
	}
	err = Scan(ctx, log, m.Offset, m.Offset+1, options, func(r *record.Record) (bool, error) {
		found = record.AttemptOf(r.Value) == m.Attempt
		return true, nil
	})
	if errors.Is(err, ErrDataLoss) {
		return false, nil
	}
	return found, err
}

// Save writes how far the subscriber has come, and waits for the broker.
func (p Positions) Save(ctx context.Context, client *kgo.Client, at Place) error {
	value, err := record.EncodePosition(record.Position{Name: p.Name, Log: p.Log, Offset: at.Offset, UpdatedAt: time.Now().UnixMicro()})
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: p.Topic, Key: []byte(p.Name), Value: value}
	if !at.Seen.Attempt.IsZero() {
		r.Headers = []kgo.RecordHeader{{Key: markHeader, Value: []byte(at.Seen.String())}}
	}
	if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("save position %d of %s: %w", at.Offset, p.Name, err)
	}
	return nil
}
