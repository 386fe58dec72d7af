// Package intake lets the log of a service decide how far it has taken in the messages of other
// services. What a log lacks is read again by itself: after an older log was restored, after a log
// was cut, when a topic was created again, and when the offsets of the consumer group are lost.
// Those offsets are not looked at. The front packages of the services import it.
//
// Now and then a record of the log notes the offset below which everything is taken in. A partition
// is read from there whenever it is assigned, so a part of it is read twice, which has no effect.
//
// A topic that was cut is noticed when a partition is assigned and before a record is written: it
// ends before the position, or it has another message where the log names one. A topic that was cut
// behind the last message that the log names, and has grown beyond the reader before the partition
// is assigned again, is not noticed, and its new messages below the reader are not taken in. The
// fetches of sarama do not compare leader epochs.
package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
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
	TakeIn(ctx context.Context, before, t ledger.Taken) error
	TakeInAgain(ctx context.Context, wrong, t ledger.Taken) error
}

// Intake follows the partitions of one subscriber.
type Intake struct {
	log        Log
	subscriber kafkabus.GroupSubscriber
	options    []kgo.Opt
	client     *kgo.Client
	logger     *slog.Logger

	mu   sync.Mutex
	from map[partition]assigned
	soon map[partition]int64 // positions that are to be recorded as soon as they are reached
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
	i := &Intake{log: log, subscriber: subscriber, options: client, client: c, logger: logger,
		from: map[partition]assigned{}, soon: map[partition]int64{}}
	subscriber.StartFrom(i.start)
	return i, nil
}

// Observe has the position behind a dead letter recorded as soon as it is reached, so that the
// message does not become one again after a restart.
func (i *Intake) Observe(o bus.Observation) {
	if o.Outcome != bus.DeadLettered {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	at := partition{o.Topic, o.Partition}
	i.soon[at] = max(i.soon[at], o.Offset+1)
}

// TopicID returns the id that a topic had when a partition of it was assigned, "" if it was not.
func (i *Intake) TopicID(topic string, id int32) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.from[partition{topic, id}].topicID
}

// start returns the offset from which a partition is read: what the log says, or the first one
// there is if the log says nothing, or speaks of another topic or of messages that are not there.
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
	if t, ok := i.log.TakenIn(topic, id); ok && t.TopicID == topicID {
		if from, err = i.goOn(ctx, t, first, end); err != nil {
			return 0, err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.soon, partition{topic, id})
	i.from[partition{topic, id}] = assigned{topicID, rebuilds, from, time.Now()}
	return from, nil
}

// goOn returns where to go on after a position. If the topic was cut behind it, that is the first
// offset, and the log takes back the position: it would be past messages that were never read once
// the topic has grown again.
func (i *Intake) goOn(ctx context.Context, t ledger.Taken, first, end int64) (from int64, err error) {
	held, err := i.holds(ctx, t, first, end)
	if err != nil {
		return 0, err
	}
	if held {
		return max(first, t.Offset), nil
	}
	i.logger.WarnContext(ctx, "the topic was cut: it is taken in again from its start", "topic", t.Topic, "partition", t.Partition, "taken_in", t.Offset, "end", end)
	again := ledger.Taken{Topic: t.Topic, Partition: t.Partition, TopicID: t.TopicID, Offset: first}
	if err := i.log.TakeInAgain(ctx, t, again); err != nil {
		return 0, fmt.Errorf("take back the position in %s/%d: %w", t.Topic, t.Partition, err)
	}
	return first, nil
}

// holds reports whether a partition still has what was taken in of it. A message that was compacted
// or deleted since is no proof that it has not.
func (i *Intake) holds(ctx context.Context, t ledger.Taken, first, end int64) (bool, error) {
	switch {
	case t.Offset > end:
		return false, nil
	case t.Seen == ledger.Mark{}, t.Seen.Offset < first:
		return true, nil
	case t.Seen.Offset >= end:
		return false, nil
	}
	is, err := i.markAt(ctx, t.Topic, t.Partition, t.Seen.Offset)
	return is.Offset != t.Seen.Offset || is == t.Seen, err
}

// markAt returns the mark of the first message of a partition at an offset or behind it. The
// partition must not end there.
func (i *Intake) markAt(ctx context.Context, topic string, id int32, offset int64) (ledger.Mark, error) {
	c, err := kgo.NewClient(append(slices.Clone(i.options), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {id: kgo.NewOffset().At(offset)}}))...)
	if err != nil {
		return ledger.Mark{}, err
	}
	defer c.Close()
	fetches := c.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil {
		return ledger.Mark{}, fmt.Errorf("read %s/%d at %d: %w", topic, id, offset, err)
	}
	r := fetches.Records()[0]
	h := sha256.New()
	fmt.Fprintf(h, "%d ", len(r.Key))
	h.Write(r.Key)
	h.Write(r.Value)
	return ledger.Mark{Offset: r.Offset, Digest: string(h.Sum(nil))}, nil
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
		switch err := i.note(ctx); {
		case errors.Is(err, errCut):
			i.logger.WarnContext(ctx, "messages are taken in again from where the log stands", "reason", err.Error())
			i.subscriber.Restart()
		case err != nil && ctx.Err() == nil:
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

// errCut is returned if a topic does not hold what the log names. The partition is to be assigned
// again, which takes the position back.
var errCut = errors.New("the topic was cut")

// standing is what is known of a partition before the subscriber is asked how far it has come.
type standing struct {
	assigned
	soon  int64
	taken ledger.Taken // what the log says, the zero Taken if nothing
}

// standings returns what is known of the partitions.
func (i *Intake) standings() map[partition]standing {
	all := map[partition]standing{}
	i.mu.Lock()
	for at, a := range i.from {
		all[at] = standing{assigned: a, soon: i.soon[at]}
	}
	i.mu.Unlock()
	for at, s := range all { // without the lock, which may be taken while the log is locked
		s.taken, _ = i.log.TakenIn(at.topic, at.id)
		all[at] = s
	}
	return all
}

// note records the positions that have moved far enough. A partition may be assigned again while it
// does. What is known is read before the positions, so that none of a former session replaces what
// a later one has recorded.
func (i *Intake) note(ctx context.Context) error {
	all := i.standings()
	for _, p := range i.subscriber.Positions() {
		at := partition{p.Topic, p.Partition}
		known, ok := all[at]
		moved := p.Offset - known.noted
		due := moved >= noteAfter || time.Since(known.at) >= noteEvery || known.soon > 0 && p.Offset >= known.soon
		if !ok || moved <= 0 || !due {
			continue
		}
		// the log may have been read again just now; reading it takes longer than this decision
		if known.rebuilds != int64(i.log.Stats().Rebuilds) {
			return nil
		}
		if err := i.record(ctx, p, known); err != nil {
			return fmt.Errorf("%s/%d: %w", p.Topic, p.Partition, err)
		}
		i.noted(at, known.assigned, p.Offset)
	}
	return nil
}

// noted remembers that a position was recorded, unless the partition was assigned again meanwhile.
func (i *Intake) noted(at partition, known assigned, offset int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.from[at] != known {
		return
	}
	known.noted, known.at = offset, time.Now()
	i.from[at] = known
	if i.soon[at] <= offset {
		delete(i.soon, at)
	}
}

// record records a position, with the last message before it. That one is behind it if it was
// compacted, and none is recorded if the partition has none. An error is returned, and nothing
// recorded, if the topic is not the one that was read.
func (i *Intake) record(ctx context.Context, p kafkabus.Position, known standing) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	topicID, first, end, err := i.look(ctx, p.Topic, p.Partition)
	switch {
	case err != nil:
		return err
	case topicID != known.topicID:
		return errors.New("the topic was created again")
	case p.Offset > end:
		return fmt.Errorf("the topic ends at %d, before the position %d", end, p.Offset)
	}
	if known.taken.TopicID == topicID {
		held, err := i.holds(ctx, known.taken, first, end)
		if err != nil {
			return err
		}
		if !held {
			return errCut
		}
	}
	t := ledger.Taken{Topic: p.Topic, Partition: p.Partition, TopicID: topicID, Offset: p.Offset}
	if last := p.Offset - 1; last >= first {
		if t.Seen, err = i.markAt(ctx, p.Topic, p.Partition, last); err != nil {
			return err
		}
	}
	return i.log.TakeIn(ctx, known.taken, t)
}
