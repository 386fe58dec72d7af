// Package observer reads topics with its own consumer and with an Avro codec that neither the
// services nor the generated code use. It decides by itself, from what it has read, whether each
// log record is applied or void. The demo and the system tests compare the answers of the services
// with what it observed.
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
	// Type is the Avro name without its namespace, "barrier" for a barrier, and "" for a tombstone.
	// For a log record it is the name of the body.
	Type     string
	Value    map[string]any // body of a log record; nil for a tombstone and for a barrier
	Envelope *Envelope      // nil if the record is not a log record
	Err      error          // why the record could not be decoded
}

// Envelope is the part of a log record that decides whether the record is applied or void.
type Envelope struct {
	Attempt   string
	Expects   []Expectation
	DecidedAt time.Time
	Writer    string
	// Traceparent is the W3C trace context of the request or message that led to the record, or "".
	Traceparent string
	Applied     bool
}

// Expectation names the record that must be the last one applied to a stream.
type Expectation struct {
	Stream  string
	Attempt string // "" if no record may have been applied
	Offset  int64  // offset of that record; -1 if there is none in the log
	Met     bool   // whether it was the last record applied to the stream
	Last    int64  // offset of the record that was; -1 if there was none
}

// Void reports whether the record is a log record that has no effect.
func (r Record) Void() bool { return r.Envelope != nil && !r.Envelope.Applied }

// Observer reads its topics from their beginning. Its methods are safe for concurrent use.
type Observer struct {
	client *kgo.Client
	admin  *kadm.Client
	topics []string
	codec  *codec
	handle func(Record) // nil unless the observer was opened by Follow
	stop   context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	records []Record
	read    map[string]map[int32]int64 // next offset by topic and partition
	changed chan struct{}              // closed and replaced with each new record
	logs    map[string]*logState
	failed  error
}

// logState is the state of one log against which expectations are checked.
type logState struct {
	last    map[string]string // stream to attempt
	offsets map[string]int64  // attempt to offset
}

// Open starts reading the topics. The parameter specs is the directory of the Avro schemas with
// which log records are decoded.
func Open(brokers []string, registry, specs string, topics ...string) (*Observer, error) {
	return open(brokers, registry, specs, nil, topics)
}

// Follow is like Open, but the observer passes each record to handle, one after the other, and does
// not keep it: Since returns nothing, and Wait and Sync must not be called.
func Follow(brokers []string, registry, specs string, handle func(Record), topics ...string) (*Observer, error) {
	return open(brokers, registry, specs, handle, topics)
}

func open(brokers []string, registry, specs string, handle func(Record), topics []string) (*Observer, error) {
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
	o := &Observer{client: client, admin: kadm.NewClient(client), topics: topics, codec: codec, handle: handle, stop: stop, done: make(chan struct{}),
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
				o.fail(fmt.Errorf("%s: %w", topic, err)) // the client retries after any other error
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

// wake wakes the callers of Wait. The caller must hold o.mu.
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
	if o.handle != nil {
		o.handle(r)
		return
	}
	o.records = append(o.records, r)
	if o.read[r.Topic] == nil {
		o.read[r.Topic] = map[int32]int64{}
	}
	o.read[r.Topic][r.Partition] = r.Offset + 1
	o.wake()
}

// judge applies the one rule of a log: a record is applied if, for each of its expectations, the
// last record applied to the stream is the one that the expectation names.
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
		last := log.last[x.Stream]
		x.Met, x.Last = last == x.Attempt, -1
		if last != "" {
			x.Last = log.offsets[last]
		}
		e.Applied = e.Applied && x.Met
	}
	if !e.Applied {
		return
	}
	log.offsets[e.Attempt] = r.Offset
	for _, x := range e.Expects {
		log.last[x.Stream] = e.Attempt
	}
}

// Mark returns the number of records read so far, for Since and Wait.
func (o *Observer) Mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.records)
}

// Since returns the records read after a mark, in the order in which they were read. Records of one
// partition are in the order of their offsets.
func (o *Observer) Since(mark int) []Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.records[mark:])
}

// Wait returns nil once enough returns true for the records read after a mark. An error is returned
// if ctx ends first, or if a topic has lost records.
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

// Sync returns once everything that was on the topics when it was called has been read. It asks for
// the ends of the topics until the cluster answers or ctx ends: a cluster that has just lost or
// regained a broker may not answer at once.
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
		return fmt.Errorf("topics not read to their ends: %s: %w", strings.Join(behind(), ", "), err)
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
			return nil, fmt.Errorf("list the ends of the topics: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Streams returns the attempt that was last applied to each stream of a log.
func (o *Observer) Streams(topic string) map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.logs[topic] == nil {
		return nil
	}
	return maps.Clone(o.logs[topic].last)
}
