// Package store keeps contracts on the service's log: it supplies the domain of package contract to
// a ledger, decides commands on it, and answers queries from the read model. The log is the only
// store; everything here is rebuilt from it.
//
// The HTTP layer, the message layer and the service's front package may import it.
//
// Streams:
//
//	contract/CTR-7      the contract
//	sequence/contract   the number handed out last
//	key/CLIENT/KEY      a client's idempotency key, and the answer it stands for
//	event/ID            an event of another service that had an effect here
//	mandate/KEY         a mandate, by sepa.MandateKey: the contract that it was signed for first
//	customer/CE-ACME    a customer: the SIRENs of its contracts
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/seal"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
)

// The private topics that the store uses.
const (
	Log       = contractinternal.LogTopic
	Positions = contractinternal.PositionsTopic
	Snapshots = contractinternal.SnapshotsTopic
)

// PublicationGroup is the consumer group that chooses the instance that publishes.
const PublicationGroup = "contract.publication"

// The families of streams; see the package's comment.
const (
	contracts ledger.Family[*contract.Contract] = "contract/"
	sequences ledger.Family[int64]              = "sequence/"
	events    ledger.Family[seen]               = "event/"
)

// foldVersion is raised when the same records lead to other states, or to another read model, than
// before; see ledger.Snapshots.
const foldVersion = 2

// references is the sequence of which contracts get their references.
const references = "contract"

// seen is the state of an event's stream once the event had an effect: on which contract, and for
// which debit.
type seen struct {
	contract contract.Ref
	failure  contract.Failure
}

// ErrContradiction is returned for an event with the id of another one.
var ErrContradiction = errors.New("another event has this id")

type (
	// Config says where the log is, and who writes it.
	Config = ledger.Config
	// Applied is an applied record, and the contract right after it.
	Applied = effect.Applied
	// Publication delivers every applied record.
	Publication = ledger.Publication[contract.Event, *contract.Contract]
	// Outcome is what a command led to. Its answer is the contract right after it.
	Outcome = ledger.Outcome[contract.Event, *contract.Contract]
)

// Store decides and remembers. All methods may be called at the same time.
type Store struct {
	ledger.Log
	ledger *ledger.Ledger[contract.Event, *contract.Contract, *contract.Contract]
	model  *effect.Model
	keys   ring
	now    func() time.Time
}

// New returns a store without touching the network; Run makes it live.
func New(cfg Config) (*Store, error) {
	m := effect.NewModel()
	l, err := ledger.New(Log, ledger.Domain[contract.Event, *contract.Contract, *contract.Contract]{
		Codec: effect.Codec(), Streams: streams, Key: func(e contract.Event) string { return string(e.About().Contract) },
		Fold: fold, After: after, Answer: func(_ contract.Event, after *contract.Contract) *contract.Contract { return after },
		Project: m.Project, Reset: m.Reset, NoEffect: contract.ErrNoEffect,
		Snapshots: &ledger.Snapshots{Topic: Snapshots, Version: foldVersion, Model: m, States: []any{
			&contract.Contract{}, int64(0), seen{}, []contract.Identity{}, contract.Use{},
		}},
	}, cfg)
	if err != nil {
		return nil, err
	}
	keys, err := seal.New(seal.Config{Client: cfg.ClientOptions, Logger: cfg.Logger})
	if err != nil {
		return nil, err
	}
	return &Store{Log: l, ledger: l, model: m, keys: keys, now: cfg.Now}, nil
}

// Run reads the log and the keys of personal data until ctx ends; see ledger.Log. While the keys
// cannot be read, the error of what needs them wraps seal.ErrNotReady, and the rest goes on.
func (s *Store) Run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	keys := make(chan error, 1)
	go func() { keys <- s.keys.Run(ctx) }()
	err := s.Log.Run(ctx)
	end()
	return errors.Join(err, <-keys)
}

// streams returns the streams that the fold of an event reads and sets, its contract's first.
func streams(e contract.Event) []journal.Stream {
	about := e.About()
	on := journal.On(contracts.Stream(string(about.Contract)))
	if about.Numbered {
		on = append(on, sequences.Stream(references))
	}
	if about.Customer != "" {
		on = append(on, customers.Stream(about.Customer))
	}
	if about.Debit != "" {
		on = append(on, events.Stream(about.Debit))
	}
	if about.Mandate != "" {
		on = append(on, mandates.Stream(about.Mandate))
	}
	return on
}

// after returns the contract of an event.
func after(v *ledger.View, e contract.Event) *contract.Contract {
	c, _ := contracts.Get(v, string(e.About().Contract))
	return c
}

// fold brings an event into the states of its streams. An error means that it is impossible.
func fold(v *ledger.View, e contract.Event, at time.Time) error {
	about := e.About()
	ref := about.Contract
	c, err := contract.Fold(after(v, e), e, at)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if about.Numbered {
		last, _ := sequences.Get(v, references)
		if ref != refOf(last+1) {
			return fmt.Errorf("%s subscribed after %s", ref, refOf(last))
		}
		sequences.Put(v, references, last+1)
	}
	if about.Customer != "" {
		identify(v, about.Customer, c.Identity())
	}
	if about.Debit != "" {
		events.Put(v, about.Debit, seen{ref, c.Failures[len(c.Failures)-1]})
	}
	if about.Mandate != "" {
		use(v, about.Mandate, ref, about.Revoked)
	}
	contracts.Put(v, string(ref), c)
	return nil
}

// Admin returns the log for the people who operate it.
func (s *Store) Admin() *admin.Log { return s.ledger.Admin() }

// Publication delivers every applied record, in order for each contract, at least once.
func (s *Store) Publication() (*Publication, error) {
	return s.ledger.Publication(Positions, PublicationGroup)
}

// Create decides a subscription under a reference that is handed out in the same record. The
// reference of sub is ignored.
func (s *Store) Create(ctx context.Context, req idempotency.Request, sub contract.Subscribe) (Outcome, error) {
	known := s.identities(sub.CustomerRef)
	on := journal.On(sequences.Stream(references), customers.Stream(sub.CustomerRef))
	return s.ledger.Decide(ctx, &req, on, func(v *ledger.View) (contract.Event, error) {
		last, _ := sequences.Get(v, references)
		sub.Ref = refOf(last + 1)
		sub.Others = others(v, sub.CustomerRef, sub.Ref, known)
		c, _ := contracts.Get(v, string(sub.Ref))
		return contract.Decide(c, sub, v.Now())
	})
}

// completion completes a command with what it has to know of the states that it is decided on.
type completion func(*ledger.View, *contract.Contract) contract.Command

// completion returns what completes a command on a contract.
func (s *Store) completion(ctx context.Context, ref contract.Ref, command contract.Command) (completion, error) {
	switch asked := command.(type) {
	case contract.SignMandate:
		return s.signing(asked), nil
	case contract.RevokeMandate:
		return revoking(asked), nil
	case contract.Amend:
		if asked.Buyer != nil {
			return s.amending(ctx, ref, asked)
		}
	}
	return func(*ledger.View, *contract.Contract) contract.Command { return command }, nil
}

// Change decides a command on an existing contract. The precondition is asked first, with the state
// that the command would be decided on; its error is returned as it is.
//
// The account of a mandate is sealed into its record.
func (s *Store) Change(ctx context.Context, req idempotency.Request, ref contract.Ref, precondition func(*contract.Contract) error, command contract.Command) (Outcome, error) {
	complete, err := s.completion(ctx, ref, command)
	if err != nil {
		return Outcome{}, err
	}
	rule := func(v *ledger.View) (contract.Event, *contract.Contract, error) {
		c, _ := contracts.Get(v, string(ref))
		if c == nil {
			return nil, nil, contract.ErrUnknown
		}
		if err := precondition(c); err != nil {
			return nil, nil, err
		}
		e, err := contract.Decide(c, complete(v, c), v.Now())
		return e, c, err
	}
	if signing, yes := command.(contract.SignMandate); yes {
		return s.sign(ctx, req, ref, signing.Account, rule)
	}
	out, err := s.ledger.Decide(ctx, &req, journal.On(contracts.Stream(string(ref))), func(v *ledger.View) (contract.Event, error) {
		e, _, err := rule(v)
		return e, err
	})
	if err == nil && out.NoEffect { // the contract is what was asked for
		out.Answer, out.Offset, err = s.Get(ref)
	}
	return out, err
}

// UnlessAnswered returns wrong unless the request was answered before; see ledger.Ledger.
func (s *Store) UnlessAnswered(ctx context.Context, req idempotency.Request, wrong error) (Outcome, error) {
	return s.ledger.UnlessAnswered(ctx, &req, wrong)
}

// Advance makes a contract active or lets it expire if it is due. Every instance may propose it; it
// happens once. It is no error if there is nothing to do.
func (s *Store) Advance(ctx context.Context, ref contract.Ref) error {
	_, err := s.ledger.Decide(ctx, nil, journal.On(contracts.Stream(string(ref))), func(v *ledger.View) (contract.Event, error) {
		c, _ := contracts.Get(v, string(ref))
		e, err := contract.Decide(c, contract.Expire{}, v.Now())
		if errors.Is(err, contract.ErrNoEffect) {
			return contract.Decide(c, contract.Activate{}, v.Now())
		}
		return e, err
	})
	return err
}

// TakenIn returns how far the messages of a partition were taken in; see ledger.Ledger.
func (s *Store) TakenIn(topic string, partition int32) (ledger.Taken, bool) {
	return s.ledger.TakenIn(topic, partition)
}

// TakeIn records how far messages were taken in; see ledger.Ledger.
func (s *Store) TakeIn(ctx context.Context, before, t ledger.Taken) error {
	return s.ledger.TakeIn(ctx, before, t)
}

// TakeInAgain takes back how far messages were taken in; see ledger.Ledger.
func (s *Store) TakeInAgain(ctx context.Context, wrong, t ledger.Taken) error {
	return s.ledger.TakeInAgain(ctx, wrong, t)
}

// React decides what a failed direct debit does to a contract. It is no error if it has no effect;
// the error is contract.ErrUnknown if there is no such contract.
func (s *Store) React(ctx context.Context, ref contract.Ref, debit contract.ReactToDebit) error {
	on := journal.On(contracts.Stream(string(ref)), events.Stream(debit.EventID))
	_, err := s.ledger.Decide(ctx, nil, on, func(v *ledger.View) (contract.Event, error) {
		if before, known := events.Get(v, debit.EventID); known {
			if before != (seen{ref, debit.Failure()}) {
				return nil, ledger.ForGood(fmt.Errorf("%w: %s, about %s", ErrContradiction, debit.EventID, before.contract))
			}
			return nil, ledger.ForGood(contract.ErrNoEffect)
		}
		c, _ := contracts.Get(v, string(ref))
		return contract.Decide(c, debit, v.Now())
	})
	return err
}

// refOf returns the n-th reference.
func refOf(n int64) contract.Ref { return contract.Ref("CTR-" + strconv.FormatInt(n, 10)) }
