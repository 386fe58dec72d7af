package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// newClient connects to the one partition of a log. It reads from its start, and
// never from elsewhere than where it is: a log that does not go on there has lost
// records. It produces idempotently, acknowledged by all, without waiting.
//
// What the client waits by default, five seconds between two looks for the leader and up to as many
// between two tries, is how long a broker that is back would go unnoticed.
func newClient(topic string, options []kgo.Opt) (*kgo.Client, error) {
	prompt := []kgo.Opt{kgo.MetadataMinAge(250 * time.Millisecond), kgo.RetryBackoffFn(backoff)}
	return kgo.NewClient(append(append(prompt, options...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // so that offsets have no gaps
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(2*maxInFlight),
	)...)
}

// backoff is how long to wait after so many failures of one request: doubling up to a second, each
// instance differently.
func backoff(fails int) time.Duration {
	d := min(50*time.Millisecond<<min(max(fails-1, 0), 5), time.Second)
	return d/2 + rand.N(d/2)
}

// reader gives the records of a log one after the other, none left out.
type reader struct {
	client *kgo.Client
	topic  string
	next   int64
	batch  []record
}

// poll waits for records, not decoded yet. An error wraps ErrDataLoss when the log does not go on
// where it was read to. The records are good until the next call.
func (r *reader) poll(ctx context.Context) ([]record, error) {
	fetches := r.client.PollFetches(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, e := range fetches.Errors() {
		if lossOf(e.Err) {
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

func recordOf(rec *kgo.Record) record {
	r := record{offset: rec.Offset, appended: rec.Timestamp.UTC(), stamped: rec.Attrs.TimestampType() == 1, value: rec.Value}
	if rec.Attrs.IsControl() {
		r.kind, r.value = barrierKind, nil // a transaction of somebody's: it changes nothing
	}
	return r
}

// decode fills in the envelope, or the fault, unless one of them is there.
func (r *record) decode() {
	if r.kind == "" && r.fault == nil {
		r.envelope, r.fault = decodeEnvelope(r.value)
	}
}

func lossOf(err error) bool {
	var loss *kgo.ErrDataLoss
	return errors.Is(err, ErrDataLoss) || errors.As(err, &loss) || errors.Is(err, kerr.OffsetOutOfRange) ||
		errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID)
}

// lost says ErrDataLoss, once.
func lost(err error) error {
	if errors.Is(err, ErrDataLoss) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDataLoss, err)
}

// logEnd asks the broker where the log ends.
func logEnd(ctx context.Context, client *kgo.Client, topic string) (int64, error) {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end, ok := ends.Lookup(topic, 0)
	if !ok || errors.Is(end.Err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("%w: topic %s is gone", ErrDataLoss, topic)
	}
	return end.Offset, end.Err
}
