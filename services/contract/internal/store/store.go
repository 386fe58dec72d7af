// Package store keeps contracts on the service's log: it gives the domain of package contract the
// journal's streams, its codec and its fold, decides commands with their idempotency keys, and
// holds the read model that queries are answered from. The log is the only store; everything here
// is rebuilt from it.
//
// The HTTP layer, the message layer and the service's front package may import it.
//
// Streams:
//
//	contract/CTR-7      the contract
//	sequence/contract   the number handed out last
//	key/CLIENT/KEY      a client's idempotency key, and the answer it stands for
//	event/ID            an event of another service that had an effect here
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
	"github.com/deferpay/deferpay/services/internal/trace"
)

// The private topics that the store uses.
const (
	Log       = contractinternal.LogTopic
	Positions = contractinternal.PositionsTopic
)

// Body is what a record of the log says: an event of the domain, and the request it answers, if one
// led to it.
type Body struct {
	Event   contract.Event
	Request *idempotency.Request
}

// State is the state of one stream; the field of the stream's kind is set. Values are immutable.
type State struct {
	Contract *contract.Contract // contract/...
	Last     int64              // sequence/contract
	Key      *Key               // key/...
	Seen     bool               // event/...
}

// Key is what an idempotency key stands for: the request that used it, and the contract right
// after, from which the same answer is made again.
type Key struct {
	Request  idempotency.Request
	Contract *contract.Contract
}

// sequence is the stream that hands out references.
const sequence journal.Stream = "sequence/contract"

func contractStream(ref contract.Ref) journal.Stream { return journal.Stream("contract/" + ref) }
func eventStream(id string) journal.Stream           { return journal.Stream("event/" + id) }

func keyStream(r idempotency.Request) journal.Stream { return journal.Stream(r.Stream()) }

// Outcome is what a command led to: the contract right after it. Replayed says that an earlier
// request with the same key did it. Position is an offset of the log at which the outcome is
// applied.
type Outcome struct {
	Contract *contract.Contract
	Position int64
	Replayed bool
}

// Config says where the log is.
type Config struct {
	Writer          string    // name of this instance
	ClientOptions   []kgo.Opt // how to reach the broker
	Now             func() time.Time
	AllowUnverified bool
	Logger          *slog.Logger
}

// Store decides and remembers. All methods may be called at the same time.
type Store struct {
	journal *journal.Journal[State, Body]
	model   *model
}

// New makes a store without touching the network; Run makes it live.
func New(cfg Config) (*Store, error) {
	m := newModel()
	j, err := journal.New(journal.Config[State, Body]{
		Topic: Log, Writer: cfg.Writer, ClientOptions: cfg.ClientOptions, Codec: codec{}, Fold: fold,
		Project: m.project, Reset: m.reset, Key: recordKey, Subject: recordSubject,
		Now: cfg.Now, Traceparent: trace.From,
		AllowUnverified: cfg.AllowUnverified, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &Store{journal: j, model: m}, nil
}

// Run replays the log and goes on reading it until ctx is done. It returns an error when the topic
// is configured otherwise than a log must be.
func (s *Store) Run(ctx context.Context) error { return s.journal.Run(ctx) }

// Ready is nil, or why nothing is served now.
func (s *Store) Ready() error { return s.journal.Ready() }

// Stats are the journal's counters.
func (s *Store) Stats() journal.Stats { return s.journal.Stats() }

// WaitFor returns when the record at offset is applied, or with ctx's error.
func (s *Store) WaitFor(ctx context.Context, offset int64) error {
	return s.journal.WaitFor(ctx, offset)
}

// Barrier returns when everything that was in the log before the call is applied here.
func (s *Store) Barrier(ctx context.Context) error { return s.journal.Barrier(ctx) }

// Topic is the name of the log.
func (s *Store) Topic() string { return s.journal.Topic() }

// Position is the offset of the last record read from the log.
func (s *Store) Position() int64 { return s.journal.Position() }

// PublicationGroup is the consumer group that chooses the instance that publishes.
const PublicationGroup = "contract.publication"

// Publication delivers every applied record, in order for each contract, at least once; see
// journal.Subscriber. FromMessage reads them.
func (s *Store) Publication() (*journal.Subscriber[State, Body], error) {
	return s.journal.Subscriber(journal.SubscriberConfig{Name: "publication", Positions: Positions, Group: PublicationGroup})
}

// Create decides a subscription under a reference that is handed out in the same record. The
// reference of sub is ignored.
func (s *Store) Create(ctx context.Context, req idempotency.Request, sub contract.Subscribe) (Outcome, error) {
	key := keyStream(req)
	return s.decide(ctx, req, journal.On(sequence, key), func(v *journal.View[State]) (contract.Event, error) {
		last, _ := v.State(sequence)
		sub.Ref = refOf(last.Last + 1)
		state, _ := v.State(contractStream(sub.Ref))
		return contract.Decide(state.Contract, sub, v.Now())
	})
}

// Change decides a command on an existing contract. The precondition is asked first, with the state
// the command would be decided on; its error is returned as it is.
func (s *Store) Change(ctx context.Context, req idempotency.Request, ref contract.Ref, precondition func(*contract.Contract) error, command contract.Command) (Outcome, error) {
	stream, key := contractStream(ref), keyStream(req)
	return s.decide(ctx, req, journal.On(stream, key), func(v *journal.View[State]) (contract.Event, error) {
		state, _ := v.State(stream)
		if state.Contract == nil {
			return nil, contract.ErrUnknown
		}
		if err := precondition(state.Contract); err != nil {
			return nil, err
		}
		return contract.Decide(state.Contract, command, v.Now())
	})
}

// decide runs a request's decision unless its key has been used, and makes the outcome.
func (s *Store) decide(ctx context.Context, req idempotency.Request, streams []journal.Stream, decide func(*journal.View[State]) (contract.Event, error)) (Outcome, error) {
	key := keyStream(req)
	verdict, err := s.journal.Decide(ctx, streams, func(v *journal.View[State]) (Body, error) {
		if used, ok := v.State(key); ok {
			return Body{}, used.Key.answers(req)
		}
		event, err := decide(v)
		return Body{Event: event, Request: &req}, err
	})
	if errors.Is(err, journal.ErrAlready) {
		return s.replay(key)
	}
	if err != nil {
		return Outcome{}, err
	}
	after, _ := verdict.After.State(key)
	return Outcome{Contract: after.Key.Contract, Position: verdict.Offset}, nil
}

// answers says what becomes of a request whose key has been used: the same answer if it is the same
// request.
func (k *Key) answers(req idempotency.Request) error {
	if err := req.Check(k.Request); err != nil {
		return err
	}
	return journal.ErrAlready
}

func (s *Store) replay(key journal.Stream) (out Outcome, err error) {
	s.journal.Read(func(state func(journal.Stream) (State, bool)) {
		if used, ok := state(key); ok {
			out = Outcome{Contract: used.Key.Contract, Position: s.journal.Position(), Replayed: true}
		} else { // the state was discarded meanwhile
			err = journal.ErrNotReady
		}
	})
	return out, err
}

// Activate makes a contract active if it is due. Every instance may propose it; it happens once.
// That there is nothing to do is no error.
func (s *Store) Activate(ctx context.Context, ref contract.Ref) error {
	return s.effect(ctx, journal.On(contractStream(ref)), contract.Activate{})
}

// React decides what a failed direct debit does to a contract. That it has no effect is no error;
// contract.ErrUnknown says that there is no such contract.
func (s *Store) React(ctx context.Context, ref contract.Ref, debit contract.ReactToDebit) error {
	return s.effect(ctx, journal.On(contractStream(ref), eventStream(debit.EventID)), debit)
}

// effect decides a command that nobody requested, on the contract that is the first stream. An
// event stream beside it must be new.
func (s *Store) effect(ctx context.Context, streams []journal.Stream, command contract.Command) error {
	_, err := s.journal.Decide(ctx, streams, func(v *journal.View[State]) (Body, error) {
		for _, stream := range streams[1:] {
			if seen, _ := v.State(stream); seen.Seen {
				return Body{}, contract.ErrNoEffect
			}
		}
		state, _ := v.State(streams[0])
		event, err := contract.Decide(state.Contract, command, v.Now())
		return Body{Event: event}, err
	})
	if errors.Is(err, contract.ErrNoEffect) {
		return nil
	}
	return err
}

// refOf is the n-th reference.
func refOf(n int64) contract.Ref { return contract.Ref("CTR-" + strconv.FormatInt(n, 10)) }
