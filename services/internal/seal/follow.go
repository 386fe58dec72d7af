package seal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
)

const (
	pause = 500 * time.Millisecond // between two tries to read the topic
	askIn = 5 * time.Second        // for the broker to describe the topic

	// partition is the only one that is used, however many the topic has: a key and its tombstone
	// must be in one, whatever becomes of the number of partitions.
	partition = 0
)

// Run follows the topic until ctx ends, and returns nil. While the topic cannot be read, the ring
// is not ready and goes on trying. A Ring runs once.
func (r *Ring) Run(ctx context.Context) error {
	if r.client == nil {
		return errors.New("seal: Run of a zero Ring")
	}
	life, end := context.WithCancel(ctx)
	defer end()
	r.begin(life)
	var parts sync.WaitGroup
	parts.Go(func() { r.serveBarriers(life) })
	for life.Err() == nil {
		r.lose(life, r.follow(life))
		// it may be another topic of this name by now
		r.client.PurgeTopicsFromProducing(r.cfg.Topic)
		select {
		case <-life.Done():
		case <-time.After(pause):
		}
	}
	parts.Wait()
	r.end()
	r.client.Close()
	return nil
}

// begin sets the context that what is appended lives by.
func (r *Ring) begin(life context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life = life
}

// end fails the barrier that waits, if there is one, and lets nothing be appended any more.
func (r *Ring) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.life = nil
	if r.waiting != nil {
		r.waiting.finish(0, fmt.Errorf("%w: %w", ErrNotReady, errNotRunning))
		r.waiting = nil
	}
}

// follow reads the topic from its start until an error ends it.
func (r *Ring) follow(ctx context.Context) error {
	client, err := kgo.NewClient(append(prompt(r.cfg.Client),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: {partition: kgo.NewOffset().AtStart()}}),
		// records that are gone are an error, and nothing is skipped
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := r.exists(ctx, client); err != nil {
		return err
	}
	reading := r.restart()
	ctx, end := context.WithCancel(ctx)
	var helper sync.WaitGroup
	helper.Go(func() { r.readied(ctx, reading) })
	defer helper.Wait()
	defer end()
	for {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		// what can be tried again, the client tries again itself
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", r.cfg.Topic, err)
		}
		r.take(ctx, fetches.Records())
	}
}

// exists returns an error unless the broker knows the topic.
func (r *Ring) exists(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx, r.cfg.Topic)
	if err == nil {
		err = topics[r.cfg.Topic].Err
	}
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", r.cfg.Topic, err)
	}
	return nil
}

// restart begins to read from the start, and returns the number of this reading.
func (r *Ring) restart() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys, r.next = map[string]entry{}, 0
	r.reading++
	r.moved()
	return r.reading
}

// lose makes the ring not ready, for a reason.
func (r *Ring) lose(ctx context.Context, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() == nil && (r.reason == nil || r.reason.Error() != reason.Error()) {
		r.cfg.Logger.WarnContext(ctx, "keys not read, reading them again", "topic", r.cfg.Topic, "error", reason.Error())
	}
	r.ready, r.reason, r.keys = false, reason, nil
	r.reading++
	r.moved()
}

// readied makes the ring ready once a barrier was read in this reading.
func (r *Ring) readied(ctx context.Context, reading int) {
	for ctx.Err() == nil {
		_, err := r.barrier(ctx)
		r.mu.Lock()
		current := r.reading == reading
		if current && err == nil {
			r.ready, r.reason = true, nil
		}
		r.mu.Unlock()
		if err == nil || !current {
			return
		}
	}
}

// moved wakes the goroutines that wait for the reading to progress. The caller holds the lock.
func (r *Ring) moved() {
	close(r.progress)
	r.progress = make(chan struct{})
}

// take applies records to the keys.
func (r *Ring) take(ctx context.Context, records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range records {
		r.next = rec.Offset + 1
		id := string(rec.Key)
		if rec.Value == nil {
			delete(r.keys, id)
			continue
		}
		e, err := entryOf(id, rec.Value)
		if err != nil {
			r.cfg.Logger.ErrorContext(ctx, "the record of a key cannot be read", "topic", r.cfg.Topic, "offset", rec.Offset, "error", err.Error())
		}
		r.keys[id] = e
	}
	r.moved()
}

// entryOf reads a record. An error describes it without what it holds.
func entryOf(id string, value []byte) (entry, error) {
	fault := entry{fault: true}
	k, err := contractinternal.DecodePersonalDataKey(value)
	switch {
	case err != nil:
		return fault, errors.New("it is not a PersonalDataKey")
	case k.KeyID != id:
		return fault, errors.New("it has another id than its record")
	case len(k.Key) != keySize:
		return fault, fmt.Errorf("the key has %d bytes, want %d", len(k.Key), keySize)
	}
	return entry{key: key(k.Key), subject: k.Subject}, nil
}
