package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SubscriberConfig says how applied entries are delivered. Name and Positions are
// required.
type SubscriberConfig struct {
	Name      string // name of the reader; its position is kept under it
	Positions string // compacted topic of positions, one partition
	Group     string // consumer group that chooses the instance that delivers; Name by default
	Window    int    // how many messages may be unacked at once; 256 by default
	// NackDelay is the wait before a message that was nacked is delivered again,
	// doubling up to NackDelayMax; 100 ms and 10 s by default.
	NackDelay, NackDelayMax time.Duration
	SaveEvery               time.Duration // how often the position is kept; 500 ms by default
	SessionTimeout          time.Duration // after which a dead instance is replaced; 6 s by default
}

// Subscriber delivers every applied entry at least once, as a Watermill
// subscriber: those of one key (Config.Key) one after the other, in log order;
// those of different keys side by side, up to Window unacked. It remembers the
// lowest offset not acked and goes on from there after a restart. Of several
// instances one delivers at a time, chosen by a consumer group; around a change
// of hands an entry may be delivered by both.
//
// The message's UUID is the attempt, its payload the encoded body; FromMessage
// gives the entry and the states after it. The message's context ends when the
// subscription does. A nacked message comes again, and holds up its key alone.
type Subscriber[S, B any] struct {
	j   *Journal[S, B]
	cfg SubscriberConfig
	log *slog.Logger

	ctx      context.Context
	close    context.CancelFunc
	begun    atomic.Bool
	running  sync.WaitGroup
	out      chan *message.Message
	position atomic.Int64 // -1 while another instance delivers
}

var _ message.Subscriber = (*Subscriber[int, int])(nil)

// Metadata of a delivered message.
const (
	MetadataOffset = "journal_offset"
	MetadataKind   = "journal_kind"
	MetadataKey    = "journal_key"
)

// Subscriber makes a subscriber over the journal's log. It reads the log by
// itself: the journal need not be ready, nor run.
func (j *Journal[S, B]) Subscriber(cfg SubscriberConfig) (*Subscriber[S, B], error) {
	if cfg.Name == "" || cfg.Positions == "" {
		return nil, errors.New("journal: a subscriber needs a name and a topic of positions")
	}
	setDefault(&cfg.Group, cfg.Name)
	setDefault(&cfg.Window, 256)
	setDefault(&cfg.NackDelay, 100*time.Millisecond)
	setDefault(&cfg.NackDelayMax, 10*time.Second)
	setDefault(&cfg.SaveEvery, 500*time.Millisecond)
	setDefault(&cfg.SessionTimeout, 6*time.Second)
	s := &Subscriber[S, B]{j: j, cfg: cfg, log: j.cfg.Logger.With("topic", j.cfg.Topic, "subscriber", cfg.Name),
		out: make(chan *message.Message)}
	s.ctx, s.close = context.WithCancel(context.Background())
	s.position.Store(-1)
	return s, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Subscribe begins the delivery. topic must be the log's or empty. A subscriber
// has one position, and so one subscription.
func (s *Subscriber[S, B]) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic != "" && topic != s.j.cfg.Topic {
		return nil, fmt.Errorf("journal: subscriber of %s asked for %s", s.j.cfg.Topic, topic)
	}
	if !s.begun.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("journal: subscriber %s is subscribed already", s.cfg.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.ctx, cancel)
	s.running.Go(func() {
		defer close(s.out)
		defer cancel()
		s.member(ctx)
	})
	return s.out, nil
}

// Close ends the delivery and waits for it.
func (s *Subscriber[S, B]) Close() error {
	s.close()
	s.running.Wait()
	return nil
}

// Position is the lowest offset not acked, and whether this instance delivers.
func (s *Subscriber[S, B]) Position() (offset int64, delivers bool) {
	p := s.position.Load()
	return p, p >= 0
}

// member takes part in the group and delivers while this instance is chosen.
func (s *Subscriber[S, B]) member(ctx context.Context) {
	chosen := make(chan bool, 16)
	tell := func(b bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, client *kgo.Client, parts map[string][]int32) {
			if len(parts[s.j.cfg.Topic]) == 0 {
				return
			}
			client.PauseFetchTopics(s.j.cfg.Topic) // the group only chooses
			select {
			case chosen <- b:
			case <-ctx.Done():
			}
		}
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, s.j.cfg.ClientOptions...),
		kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.j.cfg.Topic), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(s.cfg.SessionTimeout), kgo.HeartbeatInterval(s.cfg.SessionTimeout/4),
		// Half the session's: the embedded broker forgets a member that waits in a join for longer
		// than its session, and never answers it. Closing waits for the answer.
		kgo.RebalanceTimeout(s.cfg.SessionTimeout/2),
		kgo.WithHooks(groupErrors{s.log}),
		kgo.OnPartitionsAssigned(tell(true)), kgo.OnPartitionsRevoked(tell(false)), kgo.OnPartitionsLost(tell(false)),
	)...)
	if err != nil {
		s.log.Error("the subscriber's client options are not usable", "error", err)
		<-ctx.Done()
		return
	}
	defer client.Close()
	client.PauseFetchTopics(s.j.cfg.Topic)
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case yes := <-chosen:
			stop()
			stop = func() {}
			if yes {
				stop = s.startDelivery(ctx)
			}
		}
	}
}

// groupErrors tells why an instance is not in the group: without the right to it nothing would be
// delivered, and nobody told.
type groupErrors struct{ log *slog.Logger }

// OnGroupManageError implements kgo.HookGroupManageError.
func (g groupErrors) OnGroupManageError(err error) {
	g.log.Warn("not in the group that chooses who delivers, trying again", "error", err.Error())
}

// startDelivery delivers beside its caller; stop ends that and waits for the end.
func (s *Subscriber[S, B]) startDelivery(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { s.deliverFor(ctx) })
	return func() { cancel(); work.Wait() }
}

// deliverFor delivers until ctx is done, beginning again after whatever went wrong.
func (s *Subscriber[S, B]) deliverFor(ctx context.Context) {
	defer s.position.Store(-1)
	for ctx.Err() == nil {
		err := s.deliver(ctx)
		var stuck errStuck
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &stuck):
			s.log.Error("delivery stops at a record this program cannot read", "error", err)
			<-ctx.Done()
			return
		}
		s.log.Warn("delivery begins again", "error", err)
		sleep(ctx, probeEvery)
	}
}

// deliver folds the log silently up to the position kept, and delivers from there.
func (s *Subscriber[S, B]) deliver(ctx context.Context) error {
	log, options := s.j.cfg.Topic, s.j.cfg.ClientOptions
	client, err := newClient(log, options)
	if err != nil {
		return err
	}
	defer client.Close()
	from, err := s.from(ctx, client)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := newWindow(s.cfg.Window, from, s.hand)
	s.position.Store(from)
	var saving sync.WaitGroup
	handled := make(chan struct{}) // closed when no worker is left, and none comes
	saving.Go(func() { s.save(reading, handled, client, w, from) })
	defer func() {
		stop(nil)
		w.workers.Wait()
		close(handled)
		saving.Wait()
	}()

	l := s.j.blank.empty()
	r := &reader{client: client, topic: log}
	for {
		records, err := r.poll(reading)
		if err != nil {
			return err
		}
		for i := range records {
			d, err := s.fold(l, &records[i])
			if err != nil {
				return err
			}
			if d == nil || d.Offset < from {
				continue
			}
			if !w.add(reading, d) {
				return reading.Err()
			}
		}
		w.skip(l.next)
		s.position.Store(w.position())
	}
}

// from is where the delivery begins.
func (s *Subscriber[S, B]) from(ctx context.Context, client *kgo.Client) (int64, error) {
	log := s.j.cfg.Topic
	err := verifyTopic(ctx, client, s.cfg.Positions, positionSettings)
	if errors.Is(err, errUnverified) && s.j.cfg.AllowUnverified {
		err = nil
	}
	if err != nil {
		return 0, err
	}
	from, err := loadPosition(ctx, s.j.cfg.ClientOptions, s.cfg.Positions, s.cfg.Name, log)
	if err != nil {
		return 0, err
	}
	end, err := logEnd(ctx, client, log)
	if err != nil {
		return 0, err
	}
	if from > end {
		s.log.Warn("the log ends before the position kept: delivering from its start", "position", from, "end", end)
		return 0, nil
	}
	return from, nil
}

// fold applies a record; it gives a delivery when an entry was applied.
func (s *Subscriber[S, B]) fold(l *ledger[S, B], r *record) (*delivered[S, B], error) {
	res, err := l.apply(r, newVerdict[S, B]())
	if err != nil {
		return nil, errStuck{err}
	}
	if res.outcome != isApplied {
		return nil, nil
	}
	return &delivered[S, B]{Verdict: res.verdict, key: s.j.cfg.Key(&res.verdict.Entry), payload: r.body}, nil
}

// save keeps the position now and then, and a last time when everything is handled.
func (s *Subscriber[S, B]) save(ctx context.Context, handled <-chan struct{}, client *kgo.Client, w *window, kept int64) {
	for going := true; going; {
		going = sleep(ctx, s.cfg.SaveEvery)
		if !going {
			<-handled
		}
		at := w.position()
		s.position.Store(at)
		if at == kept {
			continue
		}
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		err := savePosition(saving, client, s.cfg.Positions, s.cfg.Name, s.j.cfg.Topic, at)
		cancel()
		if err != nil {
			s.log.Warn("the position was not kept: entries may be delivered again", "error", err)
			continue
		}
		kept = at
	}
}

// delivered is an entry on its way.
type delivered[S, B any] struct {
	*Verdict[S, B]
	key     string
	payload []byte
}

func (d *delivered[S, B]) at() (string, int64) { return d.key, d.Offset }

type deliveredKey struct{}

// hand gives an entry out until it is acked.
func (s *Subscriber[S, B]) hand(ctx context.Context, item delivery) bool {
	d := item.(*delivered[S, B])
	for delay := s.cfg.NackDelay; ; delay = min(2*delay, s.cfg.NackDelayMax) {
		acked, stopped := s.handOnce(ctx, d)
		if acked || stopped || !sleep(ctx, delay) {
			return acked
		}
	}
}

func (s *Subscriber[S, B]) handOnce(ctx context.Context, d *delivered[S, B]) (acked, stopped bool) {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, deliveredKey{}, d))
	defer cancel()
	m := message.NewMessage(d.Attempt.String(), d.payload)
	m.SetContext(ctx)
	m.Metadata = message.Metadata{MetadataOffset: strconv.FormatInt(d.Offset, 10),
		MetadataKind: d.Kind, MetadataKey: d.key}
	select {
	case s.out <- m:
	case <-ctx.Done():
		return false, true
	}
	select {
	case <-m.Acked():
		return true, false
	case <-m.Nacked():
		return false, false
	case <-ctx.Done():
		return false, true
	}
}

// FromMessage gives the entry that a message of a Subscriber carries and the
// states of its streams right after it.
func FromMessage[S, B any](m *message.Message) (Entry[B], *View[S], bool) {
	d, ok := m.Context().Value(deliveredKey{}).(*delivered[S, B])
	if !ok {
		return Entry[B]{}, nil, false
	}
	return d.Entry, d.After, true
}
