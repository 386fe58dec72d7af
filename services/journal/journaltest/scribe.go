package journaltest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Scribe writes a log that an instance could have written, without one: it decides, and appends to
// the log what it decided, in large batches. It is for tests that need a long history. One
// goroutine uses it.
type Scribe[S, B any] struct {
	cfg     journal.Config[S, B]
	once    func(journal.Stream) bool
	states  *states.States[S, B] // before the first record: it knows the configuration
	cells   map[journal.Stream]*states.Cell[S]
	attempt func() record.Attempt
	encoder record.Encoder

	client  *kgo.Client
	records int64
	failed  chan error
}

// NewScribe returns a scribe for an empty log. Once reports whether a stream is changed by one
// record and never looked at again: the scribe does not keep such streams, which are most of a long
// log.
func NewScribe[S, B any](t testing.TB, cfg journal.Config[S, B], once func(journal.Stream) bool) *Scribe[S, B] {
	t.Helper()
	client, err := kgo.NewClient(append(slices.Clip(cfg.ClientOptions), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(100*time.Millisecond), kgo.ProducerBatchCompression(kgo.ZstdCompression()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var random [10]byte
	rand.Read(random[:])
	return &Scribe[S, B]{
		cfg: cfg, once: once, cells: map[journal.Stream]*states.Cell[S]{}, attempt: record.Attempts(random), client: client, failed: make(chan error, 1),
		states: states.New(states.Config[S, B]{Log: cfg.Topic, Fold: cfg.Fold, Codec: cfg.Codec, Subject: cfg.Subject}),
	}
}

// Find implements states.Finder.
func (s *Scribe[S, B]) Find(stream record.Stream) *states.Cell[S] { return s.cells[stream] }

// Decide appends what decide returns, and returns the body as readers of the log decode it; see
// journal.Decide.
func (s *Scribe[S, B]) Decide(on []journal.Stream, decide func(*journal.View[S]) (B, error)) (seen B, err error) {
	d := states.NewDraft(on, s.cfg.Now().UnixMicro(), s)
	body, err := decide(d.View())
	if err == nil && d.Close() {
		err = fmt.Errorf("journaltest: a stream was changed after the time of the decision")
	}
	if err != nil {
		return seen, err
	}
	kind, data, seen, err := s.states.Encode(body)
	if err != nil {
		return seen, err
	}
	e := record.Envelope{
		Kind: kind, Attempt: s.attempt(), DecidedAt: d.DecidedAt(), Writer: s.cfg.Writer, Body: data, Expects: s.states.Expect(nil, d),
	}
	v, err := s.states.Foresee(&e, seen, d)
	if err != nil {
		return seen, err
	}
	value, err := s.encoder.Encode(&e)
	if err != nil {
		return seen, err
	}
	s.keep(d)
	return seen, s.append(&kgo.Record{Topic: s.cfg.Topic, Key: []byte(s.cfg.Key(&v.Entry)), Value: value})
}

// keep keeps the states after a decision.
func (s *Scribe[S, B]) keep(d *states.Draft[S]) {
	for i := range d.Len() {
		if stream, cell := d.At(i); !s.once(stream) {
			kept := *cell
			s.cells[stream] = &kept
		}
	}
}

func (s *Scribe[S, B]) append(r *kgo.Record) error {
	s.records++
	s.client.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case s.failed <- err:
			default:
			}
		}
	})
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}

// End waits until the log has everything, and returns the number of its records.
func (s *Scribe[S, B]) End(ctx context.Context) (records int64, err error) {
	if err := s.client.Flush(ctx); err != nil {
		return 0, err
	}
	select {
	case err := <-s.failed:
		return 0, err
	default:
		return s.records, nil
	}
}

// Published saves that a subscriber of a log has delivered everything before an offset.
func Published(ctx context.Context, opts []kgo.Opt, positions, name, log string, offset int64) error {
	client, err := topic.NewProducer(1, opts)
	if err != nil {
		return err
	}
	defer client.Close()
	return topic.Positions{Topic: positions, Name: name, Log: log}.Save(ctx, client, topic.Place{Offset: offset})
}
