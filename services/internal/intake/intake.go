// Package intake lets the log of a service decide how far it has taken in the messages of other
// services. What a log lacks is read again by itself: after an older log was restored, after a log
// was cut, when a topic was created again, and when the offsets of the consumer group are lost.
// Those offsets are not looked at. The front packages of the services import it.
//
// Now and then a record of the log notes the offset below which everything is taken in. A partition
// is read from there whenever it is assigned, so a part of it is read twice, which has no effect.
package intake

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
)

const (
	lookEvery = time.Second
	// A position is recorded when so many messages were finished since the last record, or after so
	// long if there were any.
	noteAfter = 10_000
	noteEvery = 10 * time.Minute
	answerIn  = 5 * time.Second // for the broker and the log
)

// Log is the log that messages are taken into.
type Log interface {
	Ready() error
	Barrier(context.Context) error
	Stats() journal.Stats
	TakenIn(topic string, partition int32) (t ledger.Taken, ok bool)
	TakeIn(context.Context, ledger.Taken) error
}

// Intake follows the partitions of one subscriber.
type Intake struct {
	log        Log
	subscriber kafkabus.GroupSubscriber
	client     *kgo.Client
	logger     *slog.Logger
	soon       atomic.Bool // a position is to be recorded soon

	mu   sync.Mutex
	from map[partition]assigned
}

type partition struct {
	topic string
	id    int32
}

// assigned is what was known of a partition when it was assigned.
type assigned struct {
	topicID  string
	rebuilds int64 // how often the log had been read again
	noted    int64 // offset of the last record
	at       time.Time
}

// New returns the intake of a subscriber that does not subscribe yet. It does not use the network.
func New(log Log, subscriber kafkabus.GroupSubscriber, client []kgo.Opt, logger *slog.Logger) (*Intake, error) {
	c, err := kgo.NewClient(client...)
	if err != nil {
		return nil, err
	}
	i := &Intake{log: log, subscriber: subscriber, client: c, logger: logger, from: map[partition]assigned{}}
	subscriber.StartFrom(i.start)
	return i, nil
}

// Observe has the position recorded soon after a dead letter, so that the message does not become
// one again after a restart.
func (i *Intake) Observe(o bus.Observation) {
	if o.Outcome == bus.DeadLettered {
		i.soon.Store(true)
	}
}

// start returns the offset from which a partition is read: what the log says, or the first one
// there is if the log says nothing, or speaks of another topic, or of an offset that is not there.
func (i *Intake) start(ctx context.Context, topic string, id int32) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	if err := i.log.Ready(); err != nil {
		return 0, err
	}
	if err := i.log.Barrier(ctx); err != nil { // another instance may have recorded more
		return 0, err
	}
	rebuilds := int64(i.log.Stats().Rebuilds)
	topicID, first, end, err := i.look(ctx, topic, id)
	if err != nil {
		return 0, err
	}
	from := first
	if t, ok := i.log.TakenIn(topic, id); ok && t.TopicID == topicID && t.Offset <= end {
		from = max(first, t.Offset)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.from[partition{topic, id}] = assigned{topicID, rebuilds, from, time.Now()}
	return from, nil
}

// look asks the broker for the id of a topic, and the offsets of a partition.
func (i *Intake) look(ctx context.Context, topic string, id int32) (topicID string, first, end int64, err error) {
	admin := kadm.NewClient(i.client)
	ids, err := i.topicIDs(ctx, topic)
	if err != nil {
		return "", 0, 0, err
	}
	var at [2]int64
	for n, list := range []func(context.Context, ...string) (kadm.ListedOffsets, error){admin.ListStartOffsets, admin.ListEndOffsets} {
		offsets, err := list(ctx, topic)
		if err != nil {
			return "", 0, 0, fmt.Errorf("look for the offsets of %s: %w", topic, err)
		}
		o, ok := offsets.Lookup(topic, id)
		if !ok || o.Err != nil {
			return "", 0, 0, fmt.Errorf("look for the offsets of %s/%d: %w", topic, id, o.Err)
		}
		at[n] = o.Offset
	}
	return ids[topic], at[0], at[1], nil
}

// topicIDs returns the ids of topics, "" for each if the broker has none.
func (i *Intake) topicIDs(ctx context.Context, topics ...string) (map[string]string, error) {
	found, err := kadm.NewClient(i.client).ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look for %v: %w", topics, err)
	}
	ids := map[string]string{}
	for _, t := range found {
		if t.Err != nil {
			return nil, fmt.Errorf("look for %s: %w", t.Topic, t.Err)
		}
		if t.ID != (kadm.TopicID{}) {
			ids[t.Topic] = fmt.Sprintf("%x", t.ID[:])
		}
	}
	return ids, nil
}

// Run records positions, and has the partitions read again when the log or a topic was replaced,
// until ctx ends.
func (i *Intake) Run(ctx context.Context) error {
	defer i.client.Close()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if i.log.Ready() != nil {
			continue
		}
		if why := i.replaced(ctx); why != "" {
			i.logger.WarnContext(ctx, "messages are taken in again from where the log stands", "reason", why)
			i.subscriber.Restart()
			continue
		}
		if err := i.note(ctx); err != nil && ctx.Err() == nil {
			i.logger.WarnContext(ctx, "not recorded how far messages were taken in, trying again", "error", err.Error())
		}
	}
}

// replaced returns why what was known when the partitions were assigned does not hold any more, ""
// if it does.
func (i *Intake) replaced(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	now := i.subscriber.Positions()
	var topics []string
	for _, p := range now {
		topics = append(topics, p.Topic)
	}
	if len(topics) == 0 {
		return ""
	}
	ids, err := i.topicIDs(ctx, topics...)
	rebuilds := int64(i.log.Stats().Rebuilds)
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, p := range now {
		known, ok := i.from[partition{p.Topic, p.Partition}]
		switch {
		case ok && known.rebuilds != rebuilds:
			return "the log was read again"
		case ok && err == nil && known.topicID != ids[p.Topic]:
			return "topic " + p.Topic + " was created again"
		}
	}
	return ""
}

// note records the positions that have moved far enough.
func (i *Intake) note(ctx context.Context) error {
	soon := i.soon.Swap(false)
	for _, p := range i.subscriber.Positions() {
		at := partition{p.Topic, p.Partition}
		i.mu.Lock()
		known, ok := i.from[at]
		i.mu.Unlock()
		moved := p.Offset - known.noted
		if !ok || moved <= 0 || !soon && moved < noteAfter && time.Since(known.at) < noteEvery {
			continue
		}
		// the log may have been read again just now; reading it takes longer than this decision
		if known.rebuilds != int64(i.log.Stats().Rebuilds) {
			return nil
		}
		deciding, cancel := context.WithTimeout(ctx, answerIn)
		err := i.log.TakeIn(deciding, ledger.Taken{Topic: p.Topic, Partition: p.Partition, TopicID: known.topicID, Offset: p.Offset})
		cancel()
		if err != nil {
			i.soon.Store(soon)
			return fmt.Errorf("%s/%d: %w", p.Topic, p.Partition, err)
		}
		known.noted, known.at = p.Offset, time.Now()
		i.mu.Lock()
		i.from[at] = known
		i.mu.Unlock()
	}
	return nil
}
