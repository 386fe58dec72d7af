package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// decisionTime bounds one attempt to decide about an event; the event is tried again after it.
const decisionTime = 15 * time.Second

// maxID is how many bytes the id of an event may have.
const maxID = 256

// What billing's documents say of every failed debit, and this service's own of what they show of
// one. Nothing else is recorded: it would be in the log for ever, and in answers and facts.
var (
	invoiceForm = regexp.MustCompile(`^[A-Z0-9-]{1,32}$`)
	reasonForm  = regexp.MustCompile(`^[A-Z]{2}[A-Z0-9]{2}$`)
)

// React adds the reaction to billing's events to a router. An event is acknowledged once its effect
// is applied to the log, or once it is certain that it has none. One about a contract that does not
// exist is a permanent error: this service made every contract there is, so the event is wrong.
// Events of the former version have the contract as their key, not the customer.
func React(router *message.Router, events message.Subscriber, s *store.Store, options ...bus.ReceiveOption) error {
	return contractbus.Register(router, events, reactor{s}, append(options, bus.AnyKey())...)
}

type reactor struct{ store *store.Store }

// DirectDebitRejected suspends the contract of the invoice if it is active and this presentation
// has not suspended it before.
func (r reactor) DirectDebitRejected(ctx context.Context, m *contractbus.DirectDebitRejectedMessage) error {
	ctx, cancel := context.WithTimeout(ctx, decisionTime)
	defer cancel()
	e := m.Value
	if err := check(&e, m.Headers.ID); err != nil {
		return bus.Permanentf("direct debit of %.100q: %w", e.InvoiceRef, err)
	}
	err := r.store.React(ctx, contract.Ref(e.ContractRef), contract.ReactToDebit{
		Debit:       contract.Debit{EventID: m.Headers.ID, InvoiceRef: e.InvoiceRef, Presentation: int(e.Presentation), Reason: e.Reason},
		CustomerRef: e.CustomerRef, Returned: e.Phase == event.DebitPhaseReturned, OccurredAt: e.OccurredAt,
	})
	switch {
	case errors.Is(err, contract.ErrUnknown), errors.Is(err, contract.ErrOtherCustomer), errors.Is(err, store.ErrContradiction), errors.Is(err, journal.ErrTooLarge), errors.Is(err, journal.ErrImpossible):
		return bus.Permanentf("direct debit of %s: contract %s: %w", e.InvoiceRef, e.ContractRef, err)
	}
	return err
}

// check returns why an event cannot be true.
func check(e *event.DirectDebitRejected, id string) error {
	n := len(id)
	switch {
	case n > maxID:
		return fmt.Errorf("its id has %d bytes, more than %d", n, maxID)
	case !invoiceForm.MatchString(e.InvoiceRef):
		return fmt.Errorf("the invoice is not %s", invoiceForm)
	case !reasonForm.MatchString(e.Reason):
		return fmt.Errorf("the reason is %.100q, which is not %s", e.Reason, reasonForm)
	case e.Presentation < 1:
		return fmt.Errorf("the presentation is %d", e.Presentation)
	}
	return nil
}
