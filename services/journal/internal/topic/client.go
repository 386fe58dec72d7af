// Package topic reaches the topics that a journal uses: it connects to a log, checks how a topic is
// configured, reads a log without a gap, and keeps the positions of subscribers. Only the journal's
// own packages import it.
package topic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrDataLoss is returned when a log no longer holds what was read from it.
var ErrDataLoss = errors.New("log lost records")

// NewClient connects to the one partition of a log. The client reads from the start of the log and
// never skips a record: a log that does not go on where it was read to has lost records. It
// produces idempotently, acknowledged by all replicas in sync, without lingering, and buffers up to
// buffered records.
//
// It looks for the leader and retries sooner than the library's default, which is up to five
// seconds: that is how long a broker that is back would go unnoticed.
func NewClient(topic string, buffered int, options []kgo.Opt) (*kgo.Client, error) {
	return NewClientFrom(topic, 0, buffered, options)
}

// NewClientFrom is NewClient for a client that reads from an offset on.
func NewClientFrom(topic string, from int64, buffered int, options []kgo.Opt) (*kgo.Client, error) {
	return NewProducer(buffered, append(slices.Clip(options),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords())) // so that offsets have no gaps
}

// NewProducer returns a client that produces as that of NewClient does, each record to the
// partition that it names, and reads what options say.
func NewProducer(buffered int, options []kgo.Opt) (*kgo.Client, error) {
	prompt := []kgo.Opt{kgo.MetadataMinAge(250 * time.Millisecond), kgo.RetryBackoffFn(backoff)}
	return kgo.NewClient(append(append(prompt, options...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(buffered),
	)...)
}

// backoff returns how long to wait after so many failures of one request: doubling up to a second,
// with jitter, so that instances do not retry together.
func backoff(fails int) time.Duration {
	d := min(50*time.Millisecond<<min(max(fails-1, 0), 5), time.Second)
	return d/2 + rand.N(d/2)
}

// End asks the broker for the offset after the last record. An error that wraps ErrDataLoss is
// returned if the topic is gone.
func End(ctx context.Context, client *kgo.Client, topic string) (int64, error) {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, asLoss(err)
	}
	end, ok := ends.Lookup(topic, 0)
	if !ok || errors.Is(end.Err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("%w: topic %s is gone", ErrDataLoss, topic)
	}
	return end.Offset, asLoss(end.Err)
}

// asLoss returns err, wrapping ErrDataLoss if it means that the log lost records.
func asLoss(err error) error {
	if isLoss(err) && !errors.Is(err, ErrDataLoss) {
		return fmt.Errorf("%w: %w", ErrDataLoss, err)
	}
	return err
}

func isLoss(err error) bool {
	var loss *kgo.ErrDataLoss
	return errors.Is(err, ErrDataLoss) || errors.As(err, &loss) || errors.Is(err, kerr.OffsetOutOfRange) ||
		errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID)
}

// ID asks the broker for its id of a topic, which no other topic has or had. An error that wraps
// ErrDataLoss is returned if the topic is gone.
func ID(ctx context.Context, client *kgo.Client, topic string) ([16]byte, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return [16]byte{}, fmt.Errorf("look for the id of topic %s: %w", topic, asLoss(err))
	}
	return topics[topic].ID, nil
}
