package store

import (
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/internal/ledger"
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

// Operation is an operation as queries show it.
type Operation = effect.Operation

// read runs fn on applied states and the read model, and returns the position that they belong to.
func (s *Store) read(fn func(st billing.States)) (position int64) {
	return s.ledger.Read(func(st ledger.States) { fn(book{st, nil}) })
}

// Operation reads an operation.
func (s *Store) Operation(ref string) (o Operation, position int64, ok bool) {
	position = s.read(func(billing.States) {
		var p *Operation
		if p, ok = s.model.OperationByRef[ref]; ok {
			o = *p
		}
	})
	return o, position, ok
}

// Operations lists operations in the order of the log.
func (s *Store) Operations(f OperationFilter, page Page) (l List[Operation]) {
	l.Position = s.read(func(billing.States) {
		match := func(o *Operation) bool {
			return (f.ContractRef == "" || o.ContractRef == f.ContractRef) && (f.CustomerRef == "" || o.CustomerRef == f.CustomerRef) &&
				(f.InvoiceRef == "" || o.InvoiceRef == f.InvoiceRef) && (f.Period == billing.Period{} || o.Period == f.Period) &&
				(f.Status == "" || o.Status == f.Status)
		}
		l.Items, l.Total = cut(candidates(s.model, f), page, match, func(o *Operation) Operation { return *o })
	})
	return l
}

// candidates is the shortest list that holds all that can match.
func candidates(m *effect.Model, f OperationFilter) []*Operation {
	switch {
	case f.InvoiceRef != "":
		return m.OperationsByInvoice[f.InvoiceRef]
	case f.ContractRef != "":
		return m.OperationsByContract[f.ContractRef]
	case f.CustomerRef != "":
		return m.OperationsByCustomer[f.CustomerRef]
	}
	return m.Operations
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
	position = s.read(func(st billing.States) { a, ok = st.Account(contractRef) })
	return a, position, ok
}

// SubscriptionFilter leaves out what does not match.
type SubscriptionFilter struct {
	ContractRef, CustomerRef string
	Status                   billing.Status
}

// Subscriptions lists billing's copies of contracts in the order in which they were first heard of.
func (s *Store) Subscriptions(f SubscriptionFilter, page Page) (l List[billing.Account]) {
	l.Position = s.read(func(st billing.States) {
		refs := s.model.Contracts
		switch {
		case f.ContractRef != "" && s.model.Knows(f.ContractRef):
			refs = []string{f.ContractRef}
		case f.CustomerRef != "":
			refs = s.model.ContractsByCustomer[f.CustomerRef]
		}
		account := func(ref string) billing.Account { a, _ := st.Account(ref); return a }
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
	position = s.read(func(st billing.States) { i, ok = st.Invoice(ref) })
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
	l.Position = s.read(func(st billing.States) {
		refs := s.model.Invoices
		switch {
		case f.ContractRef != "":
			refs = s.model.InvoicesByContract[f.ContractRef]
		case f.Period != billing.Period{}:
			refs = s.model.InvoicesByPeriod[f.Period]
		}
		invoice := func(ref string) billing.Invoice { i, _ := st.Invoice(ref); return i }
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
	r.Position = s.read(func(st billing.States) {
		r.Run = st.Run(p)
		r.Known = r.Run.Starts > 0
		var all []RunLine
		for _, ref := range s.model.InvoicesByPeriod[p] {
			i, _ := st.Invoice(ref)
			all = append(all, RunLine{ContractRef: i.ContractRef, InvoiceRef: ref, Total: billing.Money{Amount: i.Total(), Currency: i.Currency}, Operations: i.Lines})
		}
		r.Invoiced = len(all)
		for ref := range s.model.Open[p] {
			a, _ := st.Account(ref)
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
	s.read(func(billing.States) {
		for ref := range s.model.Open[p] {
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
	s.read(func(billing.States) {
		for p := range s.model.Open {
			if !now.Before(p.End(s.paris)) {
				due = append(due, p)
			}
		}
		for p := range s.model.Running {
			if !slices.Contains(due, p) {
				due = append(due, p)
			}
		}
	})
	slices.SortFunc(due, billing.Period.Compare)
	return due
}

// compareRefs orders CTR-9 before CTR-10.
func compareRefs(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
