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
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/contract/internal/store"
)

// Repair keeps the newest fact of each contract the last one on the topic. Nothing fences
// publishers: one that was frozen may wake after another has taken over, and put an older fact
// last, which compaction then keeps. Readers that are up to date ignore it; a new reader would
// believe it. So the instance that publishes reads the topic back from its start, and publishes a
// contract's newest fact again, with its ce_id, when another one is last.
type Repair struct {
	Client []kgo.Opt
	Store  *store.Store
	Facts  *contractbus.Publisher
	// Publishing returns how far publication has come, and whether this instance publishes.
	Publishing func() (position int64, publishes bool)
	Logger     *slog.Logger

	repaired atomic.Int64
}

const (
	lookEvery = time.Second
	// for the broker to answer, for more of the topic to come, for a fact to be taken
	stepIn = 30 * time.Second
)

// ceID is the header that says which fact a record is.
const ceID = "ce_id"

// Repaired counts the facts that were published again.
func (r *Repair) Repaired() int64 { return r.repaired.Load() }

// Run looks as long as this instance publishes, until ctx ends. When the topic cannot be read on,
// it is read again from its start.
func (r *Repair) Run(ctx context.Context) error {
	for wait(ctx) {
		if _, publishes := r.Publishing(); !publishes || r.Store.Ready() != nil {
			continue
		}
		if err := r.watch(ctx); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "public facts not compared with the log, reading them again", "error", err.Error())
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

// watch reads the topic from its start, and goes on while this instance publishes. An error means
// that the topic could not be read. What else goes wrong is tried again, without reading again what
// was read.
func (r *Repair) watch(ctx context.Context) error {
	t, err := r.open()
	if err != nil {
		return err
	}
	defer t.client.Close()
	for {
		// asked for first: only what is published already can be out of place
		position, publishes := r.Publishing()
		if !publishes {
			return nil
		}
		if err := t.read(ctx); err != nil {
			return err
		}
		if err := r.mend(ctx, t, position); err != nil && ctx.Err() == nil {
			r.Logger.WarnContext(ctx, "an older fact is the last one of a contract, and the newest could not be published again, trying again", "error", err.Error())
		}
		if !wait(ctx) {
			return nil
		}
	}
}

// open is the topic of which nothing was read.
func (r *Repair) open() (*tail, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, r.Client...), kgo.ConsumeTopics(contractbus.ContractFactsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return nil, err
	}
	t := &tail{client: client, last: map[contract.Ref]string{}, next: map[int32]int64{}, doubtful: map[contract.Ref]struct{}{}}
	// A contract without a fact on the topic is treated as one whose fact there is out of date.
	for _, ref := range r.Store.Refs() {
		t.doubtful[ref] = struct{}{}
	}
	return t, nil
}

// mend publishes again what is published up to a position of the log, and is not last on the topic.
// The barrier is for an instance that was frozen itself, and does not know yet what others have
// published. Each contract is looked at right before its fact is sent, for more is published
// meanwhile.
func (r *Repair) mend(ctx context.Context, t *tail, position int64) error {
	upToDate := false
	for ref := range t.doubtful {
		a, displaced := r.displaced(t, ref, position)
		if displaced && !upToDate {
			if err := within(ctx, r.Store.Barrier); err != nil {
				return err
			}
			upToDate = true
			a, displaced = r.displaced(t, ref, position)
		}
		if displaced {
			if err := within(ctx, func(ctx context.Context) error { return effect.Publish(r.Facts)(ctx, a) }); err != nil {
				return err
			}
			r.repaired.Add(1)
			r.Logger.WarnContext(ctx, "an older fact was the last one of its contract: the newest is published again", "contract", a.After.Ref, "version", a.After.Version)
		}
	}
	return nil
}

// displaced returns the newest fact of a contract if it is published and not the last one of it on
// the topic. It forgets the doubt if it is the last.
func (r *Repair) displaced(t *tail, ref contract.Ref, position int64) (a store.Applied, yes bool) {
	a, known := r.Store.Latest(ref)
	if !known {
		return a, false
	}
	if t.last[ref] == effect.FactID(a) {
		delete(t.doubtful, ref)
		return a, false
	}
	return a, a.Offset < position
}

// within does one step.
func within(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepIn)
	defer cancel()
	return step(ctx)
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
	admin := kadm.NewClient(t.client)
	var starts, ends kadm.ListedOffsets
	err := within(ctx, func(ctx context.Context) (err error) {
		if ends, err = admin.ListEndOffsets(ctx, topic); err == nil {
			starts, err = admin.ListStartOffsets(ctx, topic)
		}
		return errors.Join(err, ends.Error(), starts.Error())
	})
	if err != nil {
		return fmt.Errorf("look for the start and the end of %s: %w", topic, err)
	}
	for p, end := range ends[topic] {
		if t.next[p] > end.Offset {
			return errors.New("the topic has lost records")
		}
		for max(t.next[p], starts[topic][p].Offset) < end.Offset {
			if err := within(ctx, t.poll); err != nil {
				return fmt.Errorf("read %s: %w", topic, err)
			}
		}
	}
	return nil
}

// poll waits for more records, of any partition.
func (t *tail) poll(ctx context.Context) error {
	fetched := t.client.PollFetches(ctx)
	fetched.EachRecord(t.take)
	return fetched.Err()
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
