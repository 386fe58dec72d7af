// Package publication delivers the applied entries of a log as Watermill messages: those of one key
// one after the other, those of different keys side by side, each until it is acked. Of several
// instances, one delivers. Only the journal imports it; its Subscriber states what is promised.
package publication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/states"
)

const (
	restartDelay = time.Second     // after a delivery failed
	saveLimit    = 3 * time.Second // for the broker to take a position
	buffered     = 16              // positions that the broker has not taken
)

// Config is journal.SubscriberConfig.
type Config struct {
	Name                    string
	Positions               string
	Group                   string
	Window, Batch           int
	NackDelay, NackDelayMax time.Duration
	SaveEvery               time.Duration
	SessionTimeout          time.Duration
}

// Source is the log whose entries are delivered.
type Source[S, B any] struct {
	Topic           string
	ClientOptions   []kgo.Opt
	AllowUnverified bool
	States          *states.States[S, B] // before the first record
	// Before returns states up to an offset that is not beyond upTo, or before the first record.
	// They know what known knows to be declared void.
	Before func(ctx context.Context, known *states.States[S, B], upTo int64) *states.States[S, B]
	Feed   *Feed[S, B] // what the instance applies
	// Order returns the key of an entry: those of one key are delivered one after the other.
	Order  func(*states.Entry[B], *states.View[S]) string
	Logger *slog.Logger
}

// Publication delivers the entries of one log to one subscription.
type Publication[S, B any] struct {
	source    Source[S, B]
	cfg       Config
	log       *slog.Logger
	positions topic.Positions

	ctx      context.Context
	close    context.CancelFunc
	begun    atomic.Bool
	running  sync.WaitGroup
	out      chan *message.Message
	position atomic.Int64 // -1 while another instance delivers
	// read last, or before the first record; it knows which records were declared void
	states *states.States[S, B]
}

// New returns a publication without touching the network. An error is returned if the configuration
// has no name or no topic of positions, or if Window or Batch is negative.
func New[S, B any](source Source[S, B], cfg Config) (*Publication[S, B], error) {
	if cfg.Name == "" || cfg.Positions == "" {
		return nil, errors.New("journal: a subscriber needs a name and a topic of positions")
	}
	if cfg.Window < 0 || cfg.Batch < 0 {
		return nil, fmt.Errorf("journal: subscriber %s has a negative Window or Batch", cfg.Name)
	}
	setDefault(&cfg.Group, cfg.Name)
	setDefault(&cfg.Window, 256)
	setDefault(&cfg.Batch, 1)
	setDefault(&cfg.NackDelay, 100*time.Millisecond)
	setDefault(&cfg.NackDelayMax, 10*time.Second)
	setDefault(&cfg.SaveEvery, 500*time.Millisecond)
	setDefault(&cfg.SessionTimeout, 6*time.Second)
	p := &Publication[S, B]{source: source, cfg: cfg, states: source.States, out: make(chan *message.Message),
		log:       source.Logger.With("topic", source.Topic, "subscriber", cfg.Name),
		positions: topic.Positions{Topic: cfg.Positions, Name: cfg.Name, Log: source.Topic}}
	p.ctx, p.close = context.WithCancel(context.Background())
	p.position.Store(-1)
	return p, nil
}

// Saved returns where the position of the subscription is kept.
func (p *Publication[S, B]) Saved() topic.Positions { return p.positions }

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Subscribe begins the delivery. It can be called once.
func (p *Publication[S, B]) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic != "" && topic != p.source.Topic {
		return nil, fmt.Errorf("journal: subscriber of %s asked for %s", p.source.Topic, topic)
	}
	if !p.begun.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("journal: subscriber %s is subscribed already", p.cfg.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(p.ctx, cancel)
	p.running.Go(func() {
		defer close(p.out)
		defer cancel()
		p.takePart(ctx)
	})
	return p.out, nil
}

// Close ends the delivery and waits for its end.
func (p *Publication[S, B]) Close() error {
	p.close()
	p.running.Wait()
	return nil
}

// Position returns the lowest offset that is not acked, and reports whether this instance delivers.
func (p *Publication[S, B]) Position() (offset int64, delivers bool) {
	at := p.position.Load()
	return at, at >= 0
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
