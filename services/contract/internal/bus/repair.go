package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
)

// Repair keeps the newest fact of each contract the last one on the topic. Nothing fences publishers: one that was frozen may wake after another has
// taken over, and put an older fact last, which compaction then keeps. Readers that are up to date ignore it; a new reader would believe it. So the
// instance that publishes reads the topic back from its start, and publishes a contract's newest fact again, with its ce_id, when another one is last.
type Repair struct {
	Client []kgo.Opt
	Store  *store.Store
	Facts  *contractbus.Publisher
	// Publishing gives how far publication has come, and whether this instance publishes.
	Publishing func() (position int64, publishes bool)
	Logger     *slog.Logger

	repaired atomic.Int64
}

const (
	lookEvery = time.Second
	lookIn    = 30 * time.Second // bounds one look, the first of which reads the whole topic
)

// ceID is the header that says which fact a record is.
const ceID = "ce_id"

// Repaired counts the facts that were published again.
func (r *Repair) Repaired() int64 { return r.repaired.Load() }

// Run looks as long as this instance publishes, until ctx ends. What goes wrong is tried again, from the start of the topic.
func (r *Repair) Run(ctx context.Context) error {
	for wait(ctx) {
		if _, publishes := r.Publishing(); !publishes || r.Store.Ready() != nil {
			continue
		}
		if err := r.watch(ctx); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "public facts not compared with the log, trying again", "error", err.Error())
		}
	}
	return nil
}

func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(lookEvery):
		return true
	}
}

// watch reads the topic from its start, and goes on while this instance publishes.
func (r *Repair) watch(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, r.Client...), kgo.ConsumeTopics(contractbus.ContractFactsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	t := &tail{client: client, last: map[contract.Ref]string{}, next: map[int32]int64{}, doubtful: map[contract.Ref]struct{}{}}
	for _, ref := range r.Store.Refs() { // one that is not on the topic at all is no other than an old one
		t.doubtful[ref] = struct{}{}
	}
	for {
		if err := r.look(ctx, t); err != nil {
			return err
		}
		if !wait(ctx) {
			return nil
		}
		if _, publishes := r.Publishing(); !publishes {
			return nil
		}
	}
}

// look reads the topic to its end and publishes again what is last there and should not be. Only what is published already can be out of place, so
// the position is asked for first. The barrier is for an instance that was frozen itself, and does not know yet what others have published.
func (r *Repair) look(ctx context.Context, t *tail) error {
	ctx, cancel := context.WithTimeout(ctx, lookIn)
	defer cancel()
	position, _ := r.Publishing()
	if err := t.read(ctx); err != nil {
		return err
	}
	if len(r.displaced(t, position)) == 0 {
		return nil
	}
	if err := r.Store.Barrier(ctx); err != nil {
		return err
	}
	for _, a := range r.displaced(t, position) {
		if err := publish(ctx, r.Facts, a); err != nil {
			return err
		}
		r.repaired.Add(1)
		r.Logger.WarnContext(ctx, "an older fact was the last one of its contract: the newest is published again", "contract", a.Contract.Ref, "version", a.Contract.Version)
	}
	return nil
}

// displaced are the newest facts that are published and not the last ones of their contracts on the topic.
func (r *Repair) displaced(t *tail, position int64) (all []store.Applied) {
	for ref := range t.doubtful {
		a, known := r.Store.Latest(ref)
		switch {
		case known && t.last[ref] == factID(a):
			delete(t.doubtful, ref)
		case known && a.Offset < position:
			all = append(all, a)
		}
	}
	return all
}

// tail is what was read of the topic: the id of the last fact of each contract.
type tail struct {
	client   *kgo.Client
	last     map[contract.Ref]string
	next     map[int32]int64
	doubtful map[contract.Ref]struct{} // contracts whose last fact was not found to be their newest
}

// read reads to the end that the topic has now.
func (t *tail) read(ctx context.Context) error {
	const topic = contractbus.ContractFactsTopic
	ends, err := kadm.NewClient(t.client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("look for the end of %s: %w", topic, err)
	}
	starts, err := kadm.NewClient(t.client).ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("look for the start of %s: %w", topic, err)
	}
	behind := func() bool {
		for p, end := range ends[topic] {
			if max(t.next[p], starts[topic][p].Offset) < end.Offset {
				return true
			}
		}
		return false
	}
	for p, end := range ends[topic] {
		if t.next[p] > end.Offset {
			return errors.New("the topic has lost records, reading it again")
		}
	}
	for behind() {
		fetched := t.client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		fetched.EachRecord(t.take)
	}
	return nil
}

func (t *tail) take(r *kgo.Record) {
	t.next[r.Partition] = r.Offset + 1
	ref, id := contract.Ref(r.Key), ""
	for _, h := range r.Headers {
		if h.Key == ceID {
			id = string(h.Value)
		}
	}
	t.last[ref] = id
	t.doubtful[ref] = struct{}{}
}
