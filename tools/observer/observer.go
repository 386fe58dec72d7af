// Package observer reads the topics from outside: with a consumer of its own, and an Avro codec
// that neither the services nor the generated code use. It judges each log record again, applied or
// void, from what it read alone. The demo and the system tests compare what services answer with
// what it saw.
package observer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is one record of a topic, decoded.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Headers   map[string]string
	Time      time.Time
	Type      string         // the record's Avro name without namespace, of a log record that of its body; "barrier"; "" for a tombstone
	Value     map[string]any // of a log record, the body; nil for a tombstone and a barrier
	Envelope  *Envelope      // of a log record
	Err       error          // why it could not be decoded
}

// Envelope is what makes a log record applied or void.
type Envelope struct {
	Attempt   string
	Expects   []Expectation
	DecidedAt time.Time
	Writer    string
	Applied   bool
}

// Expectation names the record that was applied last to a stream.
type Expectation struct {
	Stream  string
	Attempt string // "" when none was
	Offset  int64  // of that record; -1 when none was or it is not in the log
}

// Void says whether the record is a log record without effect.
func (r Record) Void() bool { return r.Envelope != nil && !r.Envelope.Applied }

// Observer has read its topics from their beginning. Its methods are safe for concurrent use.
type Observer struct {
	client *kgo.Client
	admin  *kadm.Client
	topics []string
	codec  *codec
	stop   context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	records []Record
	read    map[string]map[int32]int64 // next offset by topic and partition
	changed chan struct{}              // closed and replaced at each new record
	logs    map[string]*logState
	failed  error
}

// logState is what expectations are compared with, for one log.
type logState struct {
	last    map[string]string // stream to attempt
	offsets map[string]int64  // attempt to offset
}

// Open begins to read the topics. Specs is the folder with the Avro files that log records are
// decoded with.
func Open(brokers []string, registry, specs string, topics ...string) (*Observer, error) {
	codec, err := newCodec(registry, specs)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ClientID("observer"), kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	o := &Observer{client: client, admin: kadm.NewClient(client), topics: topics, codec: codec, stop: stop, done: make(chan struct{}),
		read: map[string]map[int32]int64{}, changed: make(chan struct{}), logs: map[string]*logState{}}
	go o.run(ctx)
	return o, nil
}

// Close stops reading.
func (o *Observer) Close() {
	o.stop()
	<-o.done
	o.client.Close()
}

func (o *Observer) run(ctx context.Context) {
	defer close(o.done)
	for ctx.Err() == nil {
		fetches := o.client.PollFetches(ctx)
		fetches.EachError(func(topic string, _ int32, err error) {
			var loss *kgo.ErrDataLoss
			if errors.As(err, &loss) {
				o.fail(fmt.Errorf("%s: %w", topic, err)) // other errors pass: the client goes on trying
			}
		})
		fetches.EachRecord(func(r *kgo.Record) { o.add(o.codec.decode(ctx, r)) })
	}
}

func (o *Observer) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil {
		o.failed = err
	}
	o.wake()
}

// wake is called with the lock held.
func (o *Observer) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *Observer) add(r Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Envelope != nil {
		o.judge(&r)
	}
	o.records = append(o.records, r)
	if o.read[r.Topic] == nil {
		o.read[r.Topic] = map[int32]int64{}
	}
	o.read[r.Topic][r.Partition] = r.Offset + 1
	o.wake()
}

// judge applies the one rule of a log: a record has effect when every stream it expects was last
// changed by the attempt it names.
func (o *Observer) judge(r *Record) {
	log := o.logs[r.Topic]
	if log == nil {
		log = &logState{last: map[string]string{}, offsets: map[string]int64{}}
		o.logs[r.Topic] = log
	}
	e := r.Envelope
	e.Applied = true
	for i := range e.Expects {
		x := &e.Expects[i]
		x.Offset = -1
		if at, ok := log.offsets[x.Attempt]; ok {
			x.Offset = at
		}
		if log.last[x.Stream] != x.Attempt {
			e.Applied = false
		}
	}
	if !e.Applied {
		return
	}
	log.offsets[e.Attempt] = r.Offset
	for _, x := range e.Expects {
		log.last[x.Stream] = e.Attempt
	}
}

// Mark is where the observer is now; Since gives what came after.
func (o *Observer) Mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.records)
}

// Since gives the records read after a mark, in the order in which they were read: within a
// partition that of the log.
func (o *Observer) Since(mark int) []Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.records[mark:])
}

// Wait returns once enough holds for the records read after a mark, or the context ends.
func (o *Observer) Wait(ctx context.Context, mark int, enough func([]Record) bool) error {
	for {
		o.mu.Lock()
		records, changed, failed := o.records[mark:len(o.records):len(o.records)], o.changed, o.failed
		o.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case enough(records):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Sync returns once everything that was on the topics when it was called has been read. A cluster
// that has just lost a broker, or got it back, is asked until it answers or the context ends.
func (o *Observer) Sync(ctx context.Context) error {
	ends, err := o.ends(ctx)
	if err != nil {
		return err
	}
	behind := func() (out []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		ends.Each(func(end kadm.ListedOffset) {
			if at := o.read[end.Topic][end.Partition]; at < end.Offset {
				out = append(out, fmt.Sprintf("%s/%d at %d of %d", end.Topic, end.Partition, at, end.Offset))
			}
		})
		return out
	}
	err = o.Wait(ctx, 0, func([]Record) bool { return len(behind()) == 0 })
	if err != nil {
		return fmt.Errorf("not read to the end: %s: %w", strings.Join(behind(), ", "), err)
	}
	return nil
}

func (o *Observer) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	for {
		ends, err := o.admin.ListEndOffsets(ctx, o.topics...)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			return ends, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("end of the topics: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Streams gives, for a log, the attempt last applied to each stream.
func (o *Observer) Streams(topic string) map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.logs[topic] == nil {
		return nil
	}
	return maps.Clone(o.logs[topic].last)
}
