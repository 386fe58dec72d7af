// Package store is billing's memory: it supplies the domain of package billing to a ledger, decides
// commands on it, and answers queries from the read model. The log is the only store; everything
// here is rebuilt from it.
//
// The HTTP layer, the message layer, the billing runs and the service's front package may import
// it.
//
// Streams:
//
//	contract/CTR-7              what billing keeps of the contract
//	customer/CUSTOMER/SELLER    the contracts of a customer of a seller, both names path-escaped
//	operation/BOP-7-17          an operation
//	invoice/BIL-2026-000003     an invoice
//	numbering/invoice           the number of the last invoice
//	numbering/credit-note       the number of the last credit note
//	run/2026-11                 the billing run of a period
//	order/CTR-7/ORDER           the accepted purchase that has an order, its name path-escaped
//	key/CLIENT/KEY              a client's idempotency key, and the answer it stands for
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
)

// The private topics that the store uses.
const (
	Log       = billinginternal.LogTopic
	Positions = billinginternal.PositionsTopic
	Snapshots = billinginternal.SnapshotsTopic
)

// PublicationGroup is the consumer group that chooses the instance that publishes.
const PublicationGroup = "billing.publication"

// foldVersion is raised when the same records lead to other states, or to another read model, than
// before; see ledger.Snapshots.
const foldVersion = 3

type (
	// Applied is an applied record, and the states of its streams right after it.
	Applied = effect.Applied
	// Publication delivers every applied record.
	Publication = ledger.Publication[billing.Event, billing.States]
	// Outcome is what a command led to.
	Outcome = ledger.Outcome[billing.Event, answer]
)

// answer is what the answer to a request is made of.
type answer struct {
	operation string           // reference of the operation that it made, or else changed
	made      bool             // it made that operation
	invoice   *billing.Invoice // as it was after this step of its collection
}

// Config configures a store. Paris is the time zone of billing's months.
type Config struct {
	ledger.Config
	Paris *time.Location
}

// Store decides and remembers. All methods may be called at the same time.
type Store struct {
	ledger.Log
	ledger *ledger.Ledger[billing.Event, billing.States, answer]
	model  *effect.Model
	paris  *time.Location
	now    func() time.Time

	summing sync.Mutex // held by Outstanding
}

// New returns a store without touching the network; Run makes it live.
func New(cfg Config) (*Store, error) {
	m := effect.NewModel()
	l, err := ledger.New(Log, ledger.Domain[billing.Event, billing.States, answer]{
		Codec: effect.Codec(), Key: key, Order: effect.Key,
		Streams: func(e billing.Event) []journal.Stream { return streams(e.About()) },
		Fold:    func(v *ledger.View, e billing.Event, at time.Time) error { return billing.Apply(book{v, v}, e, at) },
		After:   func(v *ledger.View, _ billing.Event) billing.States { return book{v, v} },
		Answer:  answerOf, Project: m.Project, Reset: m.Reset, NoEffect: billing.ErrNoEffect,
		Snapshots: &ledger.Snapshots{Topic: Snapshots, Version: foldVersion, Model: m, States: []any{
			billing.Account{}, billing.Operation{}, billing.Invoice{}, billing.Customer{}, billing.Numbering{}, billing.Run{}, "",
		}},
	}, cfg.Config)
	if err != nil {
		return nil, err
	}
	return &Store{Log: l, ledger: l, model: m, paris: cfg.Paris, now: cfg.Now}, nil
}

// answerOf returns what the answer to the request that led to an event is made of.
func answerOf(e billing.Event, after billing.States) answer {
	about := e.About()
	a := answer{operation: cmp.Or(about.Operation, about.Purchase), made: about.Operation != ""}
	if about.Invoice != "" && !a.made {
		i, _ := after.Invoice(about.Invoice)
		a.invoice = &i
	}
	return a
}

// Snapshot takes a snapshot now; see journal.Journal.
func (s *Store) Snapshot(ctx context.Context) (offset int64, err error) {
	return s.ledger.Snapshot(ctx)
}

// Admin returns the log for the people who operate it.
func (s *Store) Admin() *admin.Log { return s.ledger.Admin() }

// Publication delivers every applied record at least once, in order for each customer.
func (s *Store) Publication() (*Publication, error) {
	return s.ledger.Publication(Positions, PublicationGroup)
}

// Decide decides a command and records the event. Req is nil for a command that billing itself
// makes.
func (s *Store) Decide(ctx context.Context, req *idempotency.Request, c billing.Command) (Outcome, error) {
	return s.ledger.Decide(ctx, req, streams(c.About()), func(v *ledger.View) (billing.Event, error) {
		e, err := billing.Decide(book{v, nil}, c, billing.Moment{Now: v.Now(), Paris: s.paris})
		if errors.Is(err, billing.ErrStale) || errors.Is(err, billing.ErrPeriodClosed) {
			// versions never go back, and closed periods are never opened again
			err = ledger.ForGood(err)
		}
		return e, err
	})
}

// Operate decides a purchase, a refund or a cancellation, and returns the operation as it was
// decided.
func (s *Store) Operate(ctx context.Context, req idempotency.Request, c billing.Command) (Operation, Outcome, error) {
	if p, ok := c.(billing.Purchase); ok {
		p.Earlier = s.purchases(p.Order())
		c = p
	}
	out, err := s.Decide(ctx, &req, c)
	if err != nil {
		return Operation{}, out, err
	}
	if out.Answer.operation == "" {
		return Operation{}, out, fmt.Errorf("key %s answered no operation", req.Key)
	}
	o, _, ok := s.Operation(out.Answer.operation)
	if !ok {
		return o, out, journal.ErrNotReady // the state was discarded meanwhile
	}
	if !out.Answer.made { // a cancellation, which is final
		return o, out, nil
	}
	return o.AsDecided(), out, nil
}

// Settle decides a step of collecting an invoice, and returns the invoice as it was after the step.
func (s *Store) Settle(ctx context.Context, req idempotency.Request, c billing.Command) (billing.Invoice, Outcome, error) {
	if err := s.issued(ctx, c.About().Invoice); err != nil {
		return billing.Invoice{}, Outcome{}, err
	}
	out, err := s.Decide(ctx, &req, c)
	if err != nil {
		return billing.Invoice{}, out, err
	}
	if out.Answer.invoice == nil {
		return billing.Invoice{}, out, fmt.Errorf("key %s answered no invoice", req.Key)
	}
	return *out.Answer.invoice, out, nil
}

// issued returns an error that wraps billing.ErrInvoiceUnknown if there is no such invoice. One
// that is not known here is looked up again past a barrier, because another instance may have
// issued it.
func (s *Store) issued(ctx context.Context, invoiceRef string) error {
	if _, _, ok := s.Invoice(invoiceRef); ok {
		return nil
	}
	if err := s.Barrier(ctx); err != nil {
		return err
	}
	if _, _, ok := s.Invoice(invoiceRef); ok {
		return nil
	}
	return fmt.Errorf("%w: %s", billing.ErrInvoiceUnknown, invoiceRef)
}

// Observe records a state of a contract. It is not an error if a state as new is known, unless that
// is billing.ErrBehind. Versions only grow, so what is known here already needs no decision.
func (s *Store) Observe(ctx context.Context, o billing.Observe) error {
	if known, _, ok := s.Subscription(o.Contract.Ref); ok {
		_, err := billing.DecideObserved(&known, o)
		switch {
		case errors.Is(err, billing.ErrStale) && !errors.Is(err, billing.ErrBehind):
			return nil
		case err != nil:
			return err
		}
	}
	_, err := s.Decide(ctx, nil, o)
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

// Unreadable records that a fact about a contract could not be read. It is not an error if the
// contract is not known, or if the fact was recorded before.
func (s *Store) Unreadable(ctx context.Context, u billing.NoteUnreadable) error {
	_, err := s.Decide(ctx, nil, u)
	return err
}

// Answered reports whether the request was answered before; see ledger.Ledger.
func (s *Store) Answered(ctx context.Context, req *idempotency.Request) (before bool, err error) {
	_, before, err = s.ledger.Answered(ctx, req)
	return before, err
}

// UnlessAnswered returns wrong unless the request was answered before; see ledger.Ledger.
func (s *Store) UnlessAnswered(ctx context.Context, req idempotency.Request, wrong error) error {
	_, err := s.ledger.UnlessAnswered(ctx, &req, wrong)
	return err
}
