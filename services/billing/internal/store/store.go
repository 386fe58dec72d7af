package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
	"github.com/deferpay/deferpay/services/internal/trace"
)

// The private topics that the store uses.
const (
	Log       = billinginternal.LogTopic
	Positions = billinginternal.PositionsTopic
)

// Config says where the log is.
type Config struct {
	Writer          string    // name of this instance
	ClientOptions   []kgo.Opt // how to reach the broker
	Paris           *time.Location
	Now             func() time.Time
	AllowUnverified bool
	Logger          *slog.Logger
}

// Store is billing's memory. Its methods may be called at the same time.
type Store struct {
	j     *journal.Journal[State, Body]
	m     *model
	paris *time.Location
	now   func() time.Time
}

// New makes a store without touching the network; Run makes it live.
func New(cfg Config) (*Store, error) {
	s := &Store{m: newModel(), paris: cfg.Paris, now: cfg.Now}
	j, err := journal.New(journal.Config[State, Body]{
		Topic: Log, Writer: cfg.Writer, ClientOptions: cfg.ClientOptions, Codec: codec{}, Fold: fold,
		Project: func(e entry, after *view) { s.m.project(e, after) },
		Reset:   func() { *s.m = *newModel() },
		Key:     key, Now: cfg.Now, Traceparent: trace.From, AllowUnverified: cfg.AllowUnverified, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	s.j = j
	return s, nil
}

// Run reads the log and keeps reading; see journal.Run.
func (s *Store) Run(ctx context.Context) error { return s.j.Run(ctx) }

// Ready is nil, or why nothing is served.
func (s *Store) Ready() error { return s.j.Ready() }

// Topic is the name of the log.
func (s *Store) Topic() string { return s.j.Topic() }

// Position is the offset of the last record read.
func (s *Store) Position() int64 { return s.j.Position() }

// Stats are the journal's counters.
func (s *Store) Stats() journal.Stats { return s.j.Stats() }

// WaitFor returns when the record at offset is read.
func (s *Store) WaitFor(ctx context.Context, offset int64) error { return s.j.WaitFor(ctx, offset) }

// Answer is what a command led to, and where.
type Answer[T any] struct {
	Value    T
	Offset   int64
	Replayed bool // the answer to an earlier request with the same key
}

// decide appends what rule decides from the book. Named streams come first; the key's stream is one
// of them. When the request was answered before, replayed is true and nothing is appended.
func (s *Store) decide(ctx context.Context, req *idempotency.Request, on []journal.Stream, rule func(b book, now time.Time) (billing.Event, error)) (v journal.Verdict[State, Body], replayed bool, err error) {
	if req != nil {
		on = append(on, keyStream(*req))
	}
	v, err = s.j.Decide(ctx, on, func(v *view) (Body, error) {
		if req != nil {
			if was, ok := get[answered](v, keyStream(*req)); ok {
				if err := req.Check(was.request); err != nil {
					return Body{}, err
				}
				return Body{}, journal.ErrAlready
			}
		}
		b := book{v}
		e, err := rule(b, v.Now())
		if err != nil {
			return Body{}, err
		}
		expect(b, e)
		return Body{Event: e, Request: req}, nil
	})
	if errors.Is(err, journal.ErrAlready) {
		return v, true, nil
	}
	return v, false, err
}

// Purchase decides a purchase on a contract.
func (s *Store) Purchase(ctx context.Context, req idempotency.Request, contractRef string, p billing.Purchase) (Answer[Operation], error) {
	return s.operate(ctx, req, on(contractRef), func(b book, now time.Time) (billing.Event, error) {
		a, ok := b.Account(contractRef)
		if !ok {
			return nil, fmt.Errorf("%w: %s", billing.ErrContractUnknown, contractRef)
		}
		return billing.DecidePurchase(a, p, now, s.paris)
	})
}

// Refund gives back part of a purchase.
func (s *Store) Refund(ctx context.Context, req idempotency.Request, purchaseRef string, r billing.Refund) (Answer[Operation], error) {
	contractRef := billing.ContractOf(purchaseRef)
	streams := append(on(contractRef), operationStream(purchaseRef))
	return s.operate(ctx, req, streams, func(b book, _ time.Time) (billing.Event, error) {
		purchase, ok := b.Operation(purchaseRef)
		if !ok {
			return nil, fmt.Errorf("%w: %s", billing.ErrOperationUnknown, purchaseRef)
		}
		a, _ := b.Account(contractRef)
		return billing.DecideRefund(a, purchase, r)
	})
}

func on(contractRef string) []journal.Stream { return []journal.Stream{contractStream(contractRef)} }

func (s *Store) operate(ctx context.Context, req idempotency.Request, streams []journal.Stream, rule func(book, time.Time) (billing.Event, error)) (Answer[Operation], error) {
	v, replayed, err := s.decide(ctx, &req, streams, rule)
	if err != nil {
		return Answer[Operation]{}, err
	}
	if !replayed {
		return Answer[Operation]{Value: operation(book{v.After}, v.Body.Event, v.DecidedAt), Offset: v.Offset}, nil
	}
	out := Answer[Operation]{Replayed: true}
	out.Offset = s.read(func(st states) {
		var was answered
		if was, err = st.answered(req); err != nil {
			return
		}
		if o, ok := s.m.byRef[was.operation]; ok {
			out.Value = o.asDecided()
		} else {
			err = fmt.Errorf("key %s answered no operation", req.Key)
		}
	})
	return out, err
}

// Step is one step of collecting an invoice.
type Step struct {
	Step   billing.Step
	Reason string // SEPA reason code of a rejection
}

// Settle records a step of collecting an invoice.
func (s *Store) Settle(ctx context.Context, req idempotency.Request, invoiceRef string, step Step) (Answer[billing.Invoice], error) {
	contractRef, err := s.contractOfInvoice(ctx, invoiceRef)
	if err != nil {
		return Answer[billing.Invoice]{}, err
	}
	v, replayed, err := s.decide(ctx, &req, append(on(contractRef), invoiceStream(invoiceRef)), func(b book, now time.Time) (billing.Event, error) {
		i, ok := b.Invoice(invoiceRef)
		if !ok {
			return nil, fmt.Errorf("%w: %s", billing.ErrInvoiceUnknown, invoiceRef)
		}
		a, _ := b.Account(contractRef)
		switch step.Step {
		case billing.StepPresented:
			return billing.DecidePresent(a, i, now)
		case billing.StepCollected:
			return billing.DecideCollected(i)
		}
		return billing.DecideRejected(i, step.Reason)
	})
	if err != nil {
		return Answer[billing.Invoice]{}, err
	}
	if !replayed {
		i, _ := book{v.After}.Invoice(invoiceRef)
		return Answer[billing.Invoice]{Value: i, Offset: v.Offset}, nil
	}
	out := Answer[billing.Invoice]{Replayed: true}
	out.Offset = s.read(func(st states) {
		var was answered
		if was, err = st.answered(req); err != nil {
			return
		}
		if was.invoice != nil {
			out.Value = *was.invoice
		} else {
			err = fmt.Errorf("key %s answered no invoice", req.Key)
		}
	})
	return out, err
}

// contractOfInvoice finds whose invoice it is, which never changes. An unknown one is looked for
// again past a barrier, since another instance may have issued it.
func (s *Store) contractOfInvoice(ctx context.Context, invoiceRef string) (string, error) {
	for again := range 2 {
		if i, _, ok := s.Invoice(invoiceRef); ok {
			return i.ContractRef, nil
		}
		if again == 0 {
			if err := s.j.Barrier(ctx); err != nil {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("%w: %s", billing.ErrInvoiceUnknown, invoiceRef)
}

// Observe takes in a state of a contract. One that is not newer than the one known is left aside
// without an error.
func (s *Store) Observe(ctx context.Context, o billing.ContractObserved) error {
	_, _, err := s.decide(ctx, nil, on(o.Contract.Ref), func(b book, _ time.Time) (billing.Event, error) {
		if a, ok := b.Account(o.Contract.Ref); ok {
			return billing.DecideObserved(&a, o)
		}
		return billing.DecideObserved(nil, o)
	})
	return leaveAside(err)
}

// Unreadable notes that a fact about a contract could not be read. For a contract that is not known
// there is nothing to note.
func (s *Store) Unreadable(ctx context.Context, u billing.ContractUnreadable) error {
	_, _, err := s.decide(ctx, nil, on(u.ContractRef), func(b book, _ time.Time) (billing.Event, error) {
		a, ok := b.Account(u.ContractRef)
		if !ok {
			return nil, fmt.Errorf("%w: %s", billing.ErrContractUnknown, u.ContractRef)
		}
		return billing.DecideUnreadable(a, u)
	})
	if errors.Is(err, billing.ErrContractUnknown) {
		return nil
	}
	return leaveAside(err)
}

func leaveAside(err error) error {
	if errors.Is(err, billing.ErrStale) {
		return nil
	}
	return err
}

// Answered reads everything that is in the log, and says whether the request was answered before. A
// key that was used for another gives idempotency.ErrReused. A nil request was not answered before.
func (s *Store) Answered(ctx context.Context, req *idempotency.Request) (before bool, err error) {
	if err := s.j.Barrier(ctx); err != nil || req == nil {
		return false, err
	}
	s.read(func(st states) {
		v, _ := st(keyStream(*req))
		var was answered
		if was, before = v.(answered); before {
			err = req.Check(was.request)
		}
	})
	return before, err
}

// StartRun records that the billing of a period begins, unless it was started since the caller saw
// it (starts). Replayed is true when the request began it before. A run that is going on gives
// billing.ErrRunning.
func (s *Store) StartRun(ctx context.Context, req *idempotency.Request, p billing.Period, starts int64) (replayed bool, err error) {
	_, replayed, err = s.decide(ctx, req, []journal.Stream{runStream(p)}, func(b book, now time.Time) (billing.Event, error) {
		return billing.DecideRun(b.Run(p), starts, p, now, s.paris)
	})
	return replayed, err
}

// ClosePeriod closes a period of a contract and issues its invoice.
func (s *Store) ClosePeriod(ctx context.Context, contractRef string, p billing.Period) (invoiceRef string, err error) {
	v, _, err := s.decide(ctx, nil, append(on(contractRef), numberingStream), func(b book, now time.Time) (billing.Event, error) {
		a, ok := b.Account(contractRef)
		if !ok {
			return nil, fmt.Errorf("%w: %s", billing.ErrContractUnknown, contractRef)
		}
		return billing.DecideClose(a, b.Numbering(), p, now, s.paris)
	})
	if err != nil {
		return "", err
	}
	return v.Body.Event.(billing.PeriodClosed).InvoiceRef, nil
}

// CompleteRun records that a run went over every contract.
func (s *Store) CompleteRun(ctx context.Context, done billing.RunCompleted) error {
	_, _, err := s.decide(ctx, nil, []journal.Stream{runStream(done.Period)}, func(b book, _ time.Time) (billing.Event, error) {
		return billing.DecideRunCompleted(b.Run(done.Period), done)
	})
	return err
}

// PublicationGroup is the consumer group that chooses the instance that publishes.
const PublicationGroup = "billing.publication"

// Publication delivers every applied record, in order for each contract, at least once; see
// journal.Subscriber. FromMessage reads them.
func (s *Store) Publication() (*journal.Subscriber[State, Body], error) {
	return s.j.Subscriber(journal.SubscriberConfig{Name: "publication", Positions: Positions, Group: PublicationGroup})
}

// FromMessage gives the record that a message of the Subscriber carries.
func FromMessage(m *message.Message) (Published, error) {
	e, after, ok := journal.FromMessage[State, Body](m)
	if !ok {
		return Published{}, fmt.Errorf("message %s is not from the log", m.UUID)
	}
	p := Published{Event: e.Body.Event, Attempt: e.Attempt.String(), DecidedAt: e.DecidedAt, Trace: e.Traceparent}
	b, about := book{after}, e.Body.Event.About()
	if about.Contract != "" {
		p.Account, _ = b.Account(about.Contract)
	}
	if about.Purchase != "" {
		p.Purchase, _ = b.Operation(about.Purchase)
	}
	if about.Invoice != "" {
		p.Invoice, _ = b.Invoice(about.Invoice)
	}
	return p, nil
}
