package store

import (
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// Page is a part of a list, and how long the whole list is.
type Page struct{ Limit, Offset int }

// List is a page of what matches, and where in the log it was read.
type List[T any] struct {
	Items    []T
	Total    int
	Position int64
}

// OperationFilter leaves out what does not match; empty members match everything.
type OperationFilter struct {
	ContractRef, CustomerRef, InvoiceRef string
	Period                               billing.Period
	Status                               billing.OperationStatus
}

type states func(journal.Stream) (State, bool)

// read runs fn on applied states and the read model, and gives the position that they belong to.
func (s *Store) read(fn func(st states)) (position int64) {
	s.j.Read(func(state func(journal.Stream) (State, bool)) {
		fn(state)
		position = s.j.Position()
	})
	return position
}

// answered finds what was answered to a request whose key is known to be used.
func (st states) answered(req idempotency.Request) (answered, error) {
	v, _ := st(keyStream(req))
	if was, ok := v.(answered); ok {
		return was, nil
	}
	return answered{}, journal.ErrNotReady // the state was discarded meanwhile
}

func (st states) account(ref string) (billing.Account, bool) {
	v, _ := st(contractStream(ref))
	a, ok := v.(billing.Account)
	return a, ok
}

func (st states) invoice(ref string) (billing.Invoice, bool) {
	v, _ := st(invoiceStream(ref))
	i, ok := v.(billing.Invoice)
	return i, ok
}

// Operation reads an operation.
func (s *Store) Operation(ref string) (o Operation, position int64, ok bool) {
	position = s.read(func(states) {
		var p *Operation
		if p, ok = s.m.byRef[ref]; ok {
			o = *p
		}
	})
	return o, position, ok
}

// Operations lists operations in the order of the log.
func (s *Store) Operations(f OperationFilter, page Page) (l List[Operation]) {
	l.Position = s.read(func(states) {
		match := func(o *Operation) bool {
			return (f.ContractRef == "" || o.ContractRef == f.ContractRef) && (f.CustomerRef == "" || o.CustomerRef == f.CustomerRef) &&
				(f.InvoiceRef == "" || o.InvoiceRef == f.InvoiceRef) && (f.Period == billing.Period{} || o.Period == f.Period) &&
				(f.Status == "" || o.Status == f.Status)
		}
		l.Items, l.Total = cut(s.m.candidates(f), page, match, func(o *Operation) Operation { return *o })
	})
	return l
}

// candidates is the shortest list that holds all that can match.
func (m *model) candidates(f OperationFilter) []*Operation {
	switch {
	case f.InvoiceRef != "":
		return m.byInvoice[f.InvoiceRef]
	case f.ContractRef != "":
		return m.byContract[f.ContractRef]
	case f.CustomerRef != "":
		return m.byCustomer[f.CustomerRef]
	}
	return m.operations
}

// cut counts what matches and converts one page of it.
func cut[S, T any](all []S, page Page, match func(S) bool, convert func(S) T) (items []T, total int) {
	for _, x := range all {
		if !match(x) {
			continue
		}
		if total >= page.Offset && len(items) < page.Limit {
			items = append(items, convert(x))
		}
		total++
	}
	return items, total
}

// Subscription reads billing's copy of a contract.
func (s *Store) Subscription(contractRef string) (a billing.Account, position int64, ok bool) {
	position = s.read(func(st states) { a, ok = st.account(contractRef) })
	return a, position, ok
}

// SubscriptionFilter leaves out what does not match.
type SubscriptionFilter struct {
	ContractRef, CustomerRef string
	Status                   billing.Status
}

// Subscriptions lists billing's copies of contracts in the order in which they were first heard of.
func (s *Store) Subscriptions(f SubscriptionFilter, page Page) (l List[billing.Account]) {
	l.Position = s.read(func(st states) {
		refs := s.m.contracts
		switch {
		case f.ContractRef != "" && s.m.known(f.ContractRef):
			refs = []string{f.ContractRef}
		case f.CustomerRef != "":
			refs = s.m.ofCustomer[f.CustomerRef]
		}
		account := func(ref string) billing.Account { a, _ := st.account(ref); return a }
		l.Items, l.Total = cut(refs, page, func(ref string) bool {
			c := account(ref).Contract
			return (f.ContractRef == "" || c.Ref == f.ContractRef) && (f.CustomerRef == "" || c.CustomerRef == f.CustomerRef) && (f.Status == "" || c.Status == f.Status)
		}, account)
	})
	return l
}

// Now is the time by which a forecast is judged.
func (s *Store) Now() time.Time { return s.now() }

// Invoice reads an invoice.
func (s *Store) Invoice(ref string) (i billing.Invoice, position int64, ok bool) {
	position = s.read(func(st states) { i, ok = st.invoice(ref) })
	return i, position, ok
}

// InvoiceFilter leaves out what does not match.
type InvoiceFilter struct {
	ContractRef, CustomerRef string
	Period                   billing.Period
	Status                   billing.InvoiceStatus
}

// Invoices lists invoices in the order of issue.
func (s *Store) Invoices(f InvoiceFilter, page Page) (l List[billing.Invoice]) {
	l.Position = s.read(func(st states) {
		refs := s.m.invoices
		switch {
		case f.ContractRef != "":
			refs = s.m.ofContract[f.ContractRef]
		case f.Period != billing.Period{}:
			refs = s.m.invoicesIn[f.Period]
		}
		invoice := func(ref string) billing.Invoice { i, _ := st.invoice(ref); return i }
		l.Items, l.Total = cut(refs, page, func(ref string) bool {
			i := invoice(ref)
			return (f.ContractRef == "" || i.ContractRef == f.ContractRef) && (f.CustomerRef == "" || i.CustomerRef == f.CustomerRef) &&
				(f.Period == billing.Period{} || i.Period == f.Period) && (f.Status == "" || i.Status == f.Status)
		}, invoice)
	})
	return l
}

// RunView is a billing run as it can be read: where it stands, and every contract with operations
// in the period.
type RunView struct {
	Run       billing.Run
	Known     bool // there was a run
	Invoiced  int
	ToInvoice int
	Lines     []RunLine
	Position  int64
}

// RunLine is one contract of a run. Err says why it cannot be invoiced now, nil when it can or is.
type RunLine struct {
	ContractRef string
	InvoiceRef  string // once invoiced
	Total       billing.Money
	Operations  int64
	Err         error
}

// RunOf shows the run of a period with a page of its contracts, in the order of their references,
// judged by the time now.
func (s *Store) RunOf(p billing.Period, page Page) (r RunView) {
	now := s.now()
	r.Position = s.read(func(st states) {
		v, _ := st(runStream(p))
		r.Run, r.Known = v.(billing.Run)
		var all []RunLine
		for _, ref := range s.m.invoicesIn[p] {
			i, _ := st.invoice(ref)
			all = append(all, RunLine{ContractRef: i.ContractRef, InvoiceRef: ref, Total: billing.Money{Amount: i.Total(), Currency: i.Currency}, Operations: i.Lines})
		}
		r.Invoiced = len(all)
		for ref := range s.m.periodsOpen[p] {
			a, _ := st.account(ref)
			o, _ := a.OpenPeriod(p)
			all = append(all, RunLine{
				ContractRef: ref, Total: billing.Money{Amount: o.Total(), Currency: a.Currency}, Operations: o.Lines, Err: billing.CanClose(a, p, now, s.paris),
			})
		}
		r.ToInvoice = len(all) - r.Invoiced
		slices.SortFunc(all, func(a, b RunLine) int { return compareRefs(a.ContractRef, b.ContractRef) })
		r.Lines, _ = cut(all, page, func(RunLine) bool { return true }, func(l RunLine) RunLine { return l })
	})
	return r
}

// ToClose lists the contracts with operations in a period that is not closed, in the order of their
// references.
func (s *Store) ToClose(p billing.Period) (refs []string) {
	s.read(func(states) {
		for ref := range s.m.periodsOpen[p] {
			refs = append(refs, ref)
		}
	})
	slices.SortFunc(refs, compareRefs)
	return refs
}

// PeriodsDue lists the periods that have ended and have operations that are not invoiced, or a run
// that is not completed, oldest first.
func (s *Store) PeriodsDue() (due []billing.Period) {
	now := s.now()
	s.read(func(states) {
		for p := range s.m.periodsOpen {
			if !now.Before(p.End(s.paris)) {
				due = append(due, p)
			}
		}
		for p := range s.m.running {
			if !slices.Contains(due, p) {
				due = append(due, p)
			}
		}
	})
	slices.SortFunc(due, func(a, b billing.Period) int { return strings.Compare(a.String(), b.String()) })
	return due
}

// compareRefs orders CTR-9 before CTR-10.
func compareRefs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
