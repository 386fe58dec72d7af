package topic

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Reader reads the records of a log one after the other, without a gap.
type Reader struct {
	client *kgo.Client
	next   int64
	batch  []record.Record
}

// NewReader returns a reader for a client of NewClientFrom, from the same offset on.
func NewReader(client *kgo.Client, from int64) *Reader { return &Reader{client: client, next: from} }

// Poll waits for records and returns them, not decoded yet; they are valid until the next call. An
// error that wraps ErrDataLoss is returned if the log does not go on where it was read to, and
// ctx's error if ctx ends first. While the broker is away, Poll waits.
func (r *Reader) Poll(ctx context.Context) ([]record.Record, error) {
	fetches := r.client.PollFetches(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, e := range fetches.Errors() {
		if isLoss(e.Err) {
			return nil, fmt.Errorf("%w: read on from %d: %w", ErrDataLoss, r.next, e.Err)
		}
		if errors.Is(e.Err, kgo.ErrClientClosed) {
			return nil, e.Err
		}
	}
	r.batch = r.batch[:0]
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		if rec.Offset != r.next {
			return nil, fmt.Errorf("%w: record %d is missing, %d came instead", ErrDataLoss, r.next, rec.Offset)
		}
		r.next++
		r.batch = append(r.batch, recordOf(rec))
	}
	return r.batch, nil
}

func recordOf(rec *kgo.Record) record.Record {
	r := record.Record{Offset: rec.Offset, Appended: rec.Timestamp.UTC(), Stamped: rec.Attrs.TimestampType() == 1, Value: rec.Value}
	if rec.Attrs.IsControl() {
		// the end of somebody's transaction: it changes nothing
		r.Kind, r.Value = record.Barrier, nil
	}
	return r
}
