package store

import (
	"fmt"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// State is the state of one stream: a billing.Account, Operation, Invoice, Numbering or Run, or an
// answered request.
type State any

// Body is what a record holds: an event, and the request that led to it, if one did.
type Body struct {
	Event   billing.Event
	Request *idempotency.Request
}

// answered is the state of a key: the request, and what its answer is rebuilt from.
type answered struct {
	request   idempotency.Request
	operation string           // reference of the operation it made
	invoice   *billing.Invoice // as it was after this step of its collection
}

type (
	view  = journal.View[State]
	entry = journal.Entry[Body]
)

const numberingStream journal.Stream = "numbering/invoice"

func contractStream(ref string) journal.Stream       { return journal.Stream("contract/" + ref) }
func operationStream(ref string) journal.Stream      { return journal.Stream("operation/" + ref) }
func invoiceStream(ref string) journal.Stream        { return journal.Stream("invoice/" + ref) }
func runStream(p billing.Period) journal.Stream      { return journal.Stream("run/" + p.String()) }
func keyStream(r idempotency.Request) journal.Stream { return journal.Stream(r.Stream()) }

// book is a billing.Book over the streams of one decision or record.
type book struct{ v *view }

func get[T any](v *view, s journal.Stream) (T, bool) {
	st, ok := v.State(s)
	if !ok {
		var zero T
		return zero, false
	}
	t, ok := st.(T)
	return t, ok
}

func (b book) Account(ref string) (billing.Account, bool) {
	return get[billing.Account](b.v, contractStream(ref))
}

func (b book) Operation(ref string) (billing.Operation, bool) {
	return get[billing.Operation](b.v, operationStream(ref))
}

func (b book) Invoice(ref string) (billing.Invoice, bool) {
	return get[billing.Invoice](b.v, invoiceStream(ref))
}

func (b book) Numbering() billing.Numbering {
	n, _ := get[billing.Numbering](b.v, numberingStream)
	return n
}

func (b book) Run(p billing.Period) billing.Run {
	r, _ := get[billing.Run](b.v, runStream(p))
	return r
}

func (b book) PutAccount(a billing.Account)     { b.v.Set(contractStream(a.Contract.Ref), a) }
func (b book) PutOperation(o billing.Operation) { b.v.Set(operationStream(o.Ref), o) }
func (b book) PutInvoice(i billing.Invoice)     { b.v.Set(invoiceStream(i.Ref), i) }
func (b book) PutNumbering(n billing.Numbering) { b.v.Set(numberingStream, n) }
func (b book) PutRun(r billing.Run)             { b.v.Set(runStream(r.Period), r) }

// expect reads the streams that the event's fold sets and that have a name only once it is decided,
// so that the record stands on them.
func expect(b book, e billing.Event) {
	about := e.About()
	if about.Operation != "" {
		b.Operation(about.Operation)
	}
	if about.Invoice != "" {
		b.Invoice(about.Invoice)
	}
}

// fold brings a record into the states of its streams.
func fold(v *view, e entry) error {
	b := book{v}
	if err := billing.Apply(b, e.Body.Event, e.DecidedAt); err != nil {
		return fmt.Errorf("%s: %w", e.Kind, err)
	}
	if e.Body.Request == nil {
		return nil
	}
	key := keyStream(*e.Body.Request)
	if _, used := v.State(key); used {
		return fmt.Errorf("%s: key %s was used before", e.Kind, key)
	}
	v.Set(key, answer(b, e.Body))
	return nil
}

func answer(b book, body Body) answered {
	about := body.Event.About()
	a := answered{request: *body.Request, operation: about.Operation}
	if about.Invoice != "" {
		i, _ := b.Invoice(about.Invoice)
		a.invoice = &i
	}
	return a
}

// key orders publication: by contract, and runs by period.
func key(e *entry) string {
	if ref := e.Body.Event.About().Contract; ref != "" {
		return ref
	}
	return string(e.Streams[0]) // that of the run
}

// Published is an applied record as the publisher of public events sees it.
type Published struct {
	Event     billing.Event
	Attempt   string // identity of the record; ids of public events derive from it
	DecidedAt time.Time
	Trace     string            // W3C trace context, or ""
	Account   billing.Account   // right after it; the zero value for a run
	Purchase  billing.Operation // of a refund: the purchase it gives back
	Invoice   billing.Invoice   // of a closed period or a step of collection, right after it
}
