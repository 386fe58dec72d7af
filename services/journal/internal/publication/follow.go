package publication

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Metadata of a message.
const (
	MetadataOffset = "journal_offset"
	MetadataKind   = "journal_kind"
	MetadataKey    = "journal_key"
)

// linger is the wait after entries were delivered. What is applied meanwhile is delivered together,
// so that it leaves in a few requests, and its readers wake up once.
const linger = 20 * time.Millisecond

// run delivers until ctx is done, and starts again after a failure.
func (p *Publication[S, B]) run(ctx context.Context) {
	defer p.position.Store(-1)
	for ctx.Err() == nil {
		err := p.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("delivery starts again", "error", err)
		sleep(ctx, restartDelay)
	}
}

// follow delivers the entries from the saved position on. It takes them from the feed of the
// instance, and reads the log itself only as long as the feed does not hold them. It returns when
// nothing that it has begun is still under way.
func (p *Publication[S, B]) follow(ctx context.Context) error {
	// a position may be written twice; the end of a subscription must not wait for a broker
	options := append(slices.Clip(p.source.ClientOptions), kgo.AllowIdempotentProduceCancellation())
	client, err := topic.NewClient(p.source.Topic, buffered, options)
	if err != nil {
		return err
	}
	defer client.Close()
	client.PauseFetchTopics(p.source.Topic) // it saves positions, and reads nothing
	from, err := p.from(ctx, client)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	w := newWindow(ctx, limits{active: p.cfg.Window, together: p.cfg.Batch, retry: p.cfg.NackDelay, retryMax: p.cfg.NackDelayMax}, from, p.deliver)
	p.position.Store(from.Offset)
	var saving sync.WaitGroup
	handled := make(chan struct{}) // closed when nothing is delivered any more
	saving.Go(func() { p.save(ctx, handled, client, w, from) })
	defer func() {
		stop()
		w.workers.Wait()
		close(handled)
		saving.Wait()
	}()
	for next := from.Offset; ; {
		next, err = p.takeOver(ctx, w, next)
		if !errors.Is(err, errBehind) {
			return err
		}
		if next, err = p.catchUp(ctx, w, next); err != nil {
			return err
		}
	}
}

// takeOver delivers what the instance applies, from an offset on. It returns the offset up to which
// it did, and errBehind if the feed does not hold what comes next.
func (p *Publication[S, B]) takeOver(ctx context.Context, w *window, next int64) (int64, error) {
	life, ok := p.source.Feed.serves(next)
	if !ok {
		return next, errBehind
	}
	for {
		entries, end, err := p.source.Feed.take(ctx, life, next)
		if err != nil {
			return next, err
		}
		for _, e := range entries {
			d, err := e.delivery(p.source.Order, p.cfg.Batch == 1)
			if err != nil {
				return next, err
			}
			if !w.add(ctx, d) {
				return next, ctx.Err()
			}
			next = d.Offset + 1
		}
		w.flush()
		next = end.Offset
		w.skip(end)
		p.position.Store(w.position().Offset)
		if len(entries) > 0 && len(entries) < atOnce && !sleep(ctx, linger) {
			return next, ctx.Err()
		}
	}
}

// catchUp reads the log and folds it, because the states after each entry are delivered with it. It
// begins at the newest snapshot that is not beyond what is to be delivered, or else at the start of
// the log. It delivers the entries from an offset on, until the feed holds what comes next, and
// returns where that begins.
func (p *Publication[S, B]) catchUp(ctx context.Context, w *window, next int64) (int64, error) {
	l := p.source.Before(ctx, p.states, next)
	from := l.Next()
	client, err := topic.NewClientFrom(p.source.Topic, from, 1, p.source.ClientOptions)
	if err != nil {
		return next, err
	}
	defer client.Close()
	defer func() { p.states = l.Empty() }() // it remembers what was declared void
	for r := topic.NewReader(client, from); ; {
		records, err := r.Poll(ctx)
		if err != nil {
			return next, err
		}
		for i := range records {
			d, err := p.apply(ctx, client, w, l, &records[i])
			if err != nil {
				return next, err
			}
			if d != nil && d.Offset >= next && !w.add(ctx, d) {
				return next, ctx.Err()
			}
		}
		w.flush()
		if len(records) > 0 {
			next = max(next, l.Next())
			w.skip(placeAfter(&records[len(records)-1]))
			p.position.Store(w.position().Offset)
		}
		if _, ok := p.source.Feed.serves(next); ok {
			return next, nil
		}
	}
}

func placeAfter(r *record.Record) topic.Place {
	return topic.Place{Offset: r.Offset + 1, Seen: topic.Mark{Offset: r.Offset, Attempt: record.AttemptOf(r.Value)}}
}

// from returns the place at which the delivery starts: the saved one, unless the log is not the one
// that was read to there.
func (p *Publication[S, B]) from(ctx context.Context, client *kgo.Client) (from topic.Place, err error) {
	err = topic.Verify(ctx, client, p.positions.Topic, topic.PositionSettings)
	if errors.Is(err, topic.ErrUnverified) && p.source.AllowUnverified {
		err = nil
	}
	if err != nil {
		return from, err
	}
	from, err = p.positions.Load(ctx, p.source.ClientOptions, func(offset int64, why error) {
		p.log.Warn("a saved position is ignored, an earlier one counts", "positions", p.positions.Topic, "offset", offset, "reason", why.Error())
	})
	if err != nil {
		return from, err
	}
	end, err := topic.End(ctx, client, p.source.Topic)
	if err != nil {
		return from, err
	}
	if from.Offset > end {
		p.log.Warn("the log ends before the saved position; delivering from its start", "position", from.Offset, "end", end)
		return topic.Place{}, nil
	}
	same, err := from.Seen.Holds(ctx, p.source.Topic, end, p.source.ClientOptions)
	if err == nil && !same {
		p.log.Warn("the log is not the one that was delivered; delivering from its start", "position", from.Offset, "seen", from.Seen.String())
		return topic.Place{}, nil
	}
	return from, err
}

// apply applies a record, and returns a delivery if that is an applied entry. At a record that
// cannot be decoded it waits until a later one declares that void.
func (p *Publication[S, B]) apply(ctx context.Context, client *kgo.Client, w *window, l *states.States[S, B], r *record.Record) (*delivery[S, B], error) {
	res, err := l.Apply(r, states.NewVerdict[S, B]())
	var unreadable *states.UnreadableError
	if errors.As(err, &unreadable) {
		w.flush()
		v, failed := p.voiding(ctx, client, unreadable)
		if failed != nil {
			return nil, failed
		}
		l.Declare(*v)
		res, err = l.Apply(r, states.NewVerdict[S, B]())
	}
	if err != nil || res.Outcome != states.Applied {
		return nil, err
	}
	d := &delivery[S, B]{Verdict: res.Verdict, key: p.source.Order(&res.Verdict.Entry, res.Verdict.After)}
	if p.cfg.Batch == 1 {
		d.payload = r.Body
	}
	return d, nil
}

// voiding returns the declaration that a record is void, and waits for it if there is none yet.
func (p *Publication[S, B]) voiding(ctx context.Context, client *kgo.Client, unreadable *states.UnreadableError) (*record.Voiding, error) {
	end, err := topic.End(ctx, client, p.source.Topic)
	if err != nil {
		return nil, err
	}
	v, err := topic.FindVoiding(ctx, p.source.Topic, unreadable.Offset, end, p.source.ClientOptions)
	if v != nil || err != nil {
		return v, err
	}
	p.log.Error("delivery stops at a record that cannot be read", "error", unreadable)
	return topic.FindVoiding(ctx, p.source.Topic, unreadable.Offset, -1, p.source.ClientOptions)
}

// save saves the position at intervals, and once more when everything is handled.
func (p *Publication[S, B]) save(ctx context.Context, handled <-chan struct{}, client *kgo.Client, w *window, saved topic.Place) {
	for going := true; going; {
		going = sleep(ctx, p.cfg.SaveEvery)
		if !going {
			<-handled
		}
		at := w.position()
		p.position.Store(at.Offset)
		if at.Offset == saved.Offset {
			continue
		}
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
		err := p.positions.Save(saving, client, at)
		cancel()
		if err != nil {
			p.log.Warn("the position was not saved; entries may be delivered again", "error", err)
			continue
		}
		saved = at
	}
}

// delivery is an entry to deliver.
type delivery[S, B any] struct {
	*states.Verdict[S, B]
	key     string
	payload []byte
}

func (d *delivery[S, B]) at() (string, topic.Mark) {
	return d.key, topic.Mark{Offset: d.Offset, Attempt: d.Attempt}
}

type deliveryKey struct{}

// Delivered is an entry that a message carries.
type Delivered[S, B any] struct {
	states.Entry[B]
	After *states.View[S]
	Ack   func() // reports that this entry is done, whatever becomes of the others of its message
}

// deliver offers entries as one message, and waits until that is acked or nacked or ctx is done.
func (p *Publication[S, B]) deliver(ctx context.Context, items []item, settle func(int)) {
	entries := make([]Delivered[S, B], len(items))
	for i, it := range items {
		d := it.(*delivery[S, B])
		entries[i] = Delivered[S, B]{d.Entry, d.After, func() { settle(i) }}
	}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, deliveryKey{}, entries))
	defer cancel()
	first := items[0].(*delivery[S, B])
	m := message.NewMessage(first.Attempt.String(), first.payload)
	m.SetContext(ctx)
	m.Metadata = message.Metadata{MetadataOffset: strconv.FormatInt(first.Offset, 10)}
	if p.cfg.Batch == 1 {
		m.Metadata[MetadataKind], m.Metadata[MetadataKey] = first.Kind, first.key
	}
	select {
	case p.out <- m:
	case <-ctx.Done():
		return
	}
	select {
	case <-m.Acked():
		for i := range items {
			settle(i)
		}
	case <-m.Nacked():
	case <-ctx.Done():
	}
}

// FromMessage returns the entries that a message carries, and the states of their streams right
// after them. It returns none for a message of another origin.
func FromMessage[S, B any](m *message.Message) []Delivered[S, B] {
	entries, _ := m.Context().Value(deliveryKey{}).([]Delivered[S, B])
	return entries
}
