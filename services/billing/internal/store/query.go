package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// Page is the part of a list that is asked for.
type Page struct{ Limit, Offset int }

// List is a page of what matches, and a position of the log that it shows at least.
type List[T any] struct {
	Items    []T
	Total    int
	Position int64
}

// Customers are those that a list is about. Nil is all of them.
type Customers []string

func (c Customers) has(customerRef string) bool { return c == nil || slices.Contains(c, customerRef) }

// OperationFilter leaves out what does not match; empty members match everything.
type OperationFilter struct {
	ContractRef, CustomerRef, InvoiceRef, OrderRef string
	Period                                         billing.Period
	Status                                         billing.OperationStatus
	Of                                             Customers
}

// Operation is an operation as queries show it.
type Operation = effect.Operation

// Refused is what a contract was when a purchase on it was refused.
type Refused = effect.Refused

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
func (s *Store) Operations(f OperationFilter, page Page) List[Operation] {
	match := func(_ billing.States, o *Operation) bool {
		return (f.ContractRef == "" || o.ContractRef == f.ContractRef) && (f.CustomerRef == "" || o.CustomerRef == f.CustomerRef) &&
			(f.InvoiceRef == "" || o.InvoiceRef == f.InvoiceRef) && (f.OrderRef == "" || o.OrderRef == f.OrderRef) &&
			(f.Period == billing.Period{} || o.Period == f.Period) &&
			(f.Status == "" || o.Status == f.Status) && f.Of.has(o.CustomerRef)
	}
	entries := func() ([]*Operation, int) { return f.candidates(s.model) }
	return list(s, entries, page, match, func(_ billing.States, o *Operation) Operation { return *o })
}

// candidates returns the shortest list of the model that holds all operations that can match, and
// how many of it do, -1 if that is not known.
func (f OperationFilter) candidates(m *effect.Model) (shortest []*Operation, matching int) {
	var lists [][]*Operation
	for _, by := range []struct {
		ref string
		of  map[string][]*Operation
	}{
		{f.OrderRef, m.OperationsByOrder}, {f.InvoiceRef, m.OperationsByInvoice}, {f.ContractRef, m.OperationsByContract}, {f.CustomerRef, m.OperationsByCustomer},
	} {
		if by.ref != "" {
			lists = append(lists, by.of[by.ref])
		}
	}
	if f.Period != (billing.Period{}) {
		lists = append(lists, m.OperationsByPeriod[f.Period])
	}
	accepted := f.Status == billing.OperationAccepted
	switch f.Status {
	case billing.OperationRefused:
		lists = append(lists, m.Refused)
	case billing.OperationCancelled:
		lists = append(lists, slices.Clone(m.Cancelled)) // it changes in place
	}
	switch {
	case len(lists) == 0 && accepted && f.Of == nil:
		return m.Operations, len(m.Operations) - len(m.Refused) - len(m.Cancelled)
	case len(lists) == 0:
		lists = append(lists, m.Operations)
	}
	shortest = slices.MinFunc(lists, func(a, b []*Operation) int { return len(a) - len(b) })
	if len(lists) == 1 && !accepted && f.Of == nil {
		return shortest, len(shortest)
	}
	return shortest, -1
}

// purchases lists the accepted purchases of an order.
func (s *Store) purchases(k billing.OrderKey) (refs []string) {
	s.read(func(billing.States) {
		for _, o := range s.model.OperationsByOrder[k.OrderRef] {
			if o.ContractRef == k.ContractRef && o.Kind == billing.KindPurchase && o.Status == billing.OperationAccepted {
				refs = append(refs, o.Ref)
			}
		}
	})
	return refs
}

// atOnce is how many entries of a list are looked at while the state is locked.
const atOnce = 256

// list returns a page of the entries that match. All returns the entries, which are never removed,
// nor brought into another order, and how many of them match, -1 if that is not known. If it is
// known, list looks at no entry behind the page, and if all match, at none before it.
//
// Decisions wait for the lock of the state, so list takes it for a few entries at a time. The page
// may therefore show what was decided after its position.
func list[K, T any](s *Store, all func() ([]K, int), page Page, match func(billing.States, K) bool, convert func(billing.States, K) T) (l List[T]) {
	var entries []K
	known := -1
	l.Position = s.read(func(billing.States) { entries, known = all() })
	skip := page.Offset
	if known == len(entries) {
		from := min(page.Offset, len(entries))
		entries, skip = entries[from:min(from+page.Limit, len(entries))], 0
	}
	matching := 0
	for some := range slices.Chunk(entries, atOnce) {
		s.read(func(st billing.States) {
			for _, e := range some {
				if !match(st, e) {
					continue
				}
				if matching >= skip && len(l.Items) < page.Limit {
					l.Items = append(l.Items, convert(st, e))
				}
				matching++
			}
		})
		if known >= 0 && len(l.Items) == page.Limit {
			break
		}
	}
	l.Total = matching
	if known >= 0 {
		l.Total = known
	}
	return l
}

// cut returns a page of a list.
func cut[T any](all []T, page Page) []T {
	from := min(page.Offset, len(all))
	return all[from:min(from+page.Limit, len(all))]
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
	Of                       Customers
}

// Subscriptions lists billing's copies of contracts in the order in which they were first heard of.
func (s *Store) Subscriptions(f SubscriptionFilter, page Page) List[billing.Account] {
	refs := func() ([]string, int) {
		switch {
		case f.ContractRef != "" && s.model.Knows(f.ContractRef):
			return []string{f.ContractRef}, -1
		case f.CustomerRef != "":
			return s.model.ContractsByCustomer[f.CustomerRef], -1
		}
		return s.model.Contracts, -1
	}
	account := func(st billing.States, ref string) billing.Account { a, _ := st.Account(ref); return a }
	return list(s, refs, page, func(st billing.States, ref string) bool {
		c := account(st, ref).Contract
		return c.Ref != "" && // or the state was discarded meanwhile
			(f.ContractRef == "" || c.Ref == f.ContractRef) && (f.CustomerRef == "" || c.CustomerRef == f.CustomerRef) && (f.Status == "" || c.Status == f.Status) &&
			f.Of.has(c.CustomerRef)
	}, account)
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
	Of                       Customers
}

// Invoices lists invoices in the order of issue.
func (s *Store) Invoices(f InvoiceFilter, page Page) List[billing.Invoice] {
	refs := func() ([]string, int) {
		switch {
		case f.ContractRef != "":
			return s.model.InvoicesByContract[f.ContractRef], -1
		case f.CustomerRef != "":
			return s.model.InvoicesByCustomer[f.CustomerRef], -1
		case f.Period != billing.Period{}:
			return s.model.InvoicesByPeriod[f.Period], -1
		}
		return s.model.Invoices, -1
	}
	invoice := func(st billing.States, ref string) billing.Invoice { i, _ := st.Invoice(ref); return i }
	return list(s, refs, page, func(st billing.States, ref string) bool {
		i := invoice(st, ref)
		_, part := i.Part(f.ContractRef)
		return i.Ref != "" && // or the state was discarded meanwhile
			(f.ContractRef == "" || part) && (f.CustomerRef == "" || i.CustomerRef == f.CustomerRef) &&
			(f.Period == billing.Period{} || i.Period == f.Period) && (f.Status == "" || i.Status() == f.Status) &&
			f.Of.has(i.CustomerRef)
	}, invoice)
}

// RunView is a billing run as queries show it: its state, and every invoice of the period, issued
// or not.
type RunView struct {
	Run       billing.Run
	Known     bool // there was a run
	Invoiced  int
	ToInvoice int // not issued, whether that is possible now or not
	Possible  int // of these, how many can be issued once the period has ended
	Lines     []RunLine
	Position  int64
}

// RunLine is one invoice of a run. Err says why it cannot be issued now, nil when it can or is.
type RunLine struct {
	Customer   billing.CustomerKey
	InvoiceRef string // once issued
	Total      billing.Money
	Operations int64
	Parts      []RunPart
	Err        error
}

// RunPart is one contract on an invoice of a run.
type RunPart struct {
	ContractRef string
	Total       billing.Money
	Operations  int64
}

// RunOf shows the run of a period with a page of its invoices, in the order of their first
// contracts, judged by the time now.
func (s *Store) RunOf(p billing.Period, page Page) (r RunView) {
	now, parked := s.now(), s.ledger.Parked()
	r.Position = s.read(func(st billing.States) {
		r.Run = st.Run(p)
		r.Known = r.Run.Starts > 0
		var all []RunLine
		for _, ref := range s.model.InvoicesByPeriod[p] {
			i, _ := st.Invoice(ref)
			all = append(all, issued(i))
		}
		r.Invoiced = len(all)
		for c := range s.model.Open[p] {
			accounts := s.accounts(st, c)
			all = append(all, toIssue(accounts, p, s.canClose(accounts, p, now, parked))...)
		}
		r.ToInvoice = len(all) - r.Invoiced
		for _, l := range all[r.Invoiced:] {
			if l.Err == nil || errors.Is(l.Err, billing.ErrPeriodNotEnded) {
				r.Possible++
			}
		}
		slices.SortStableFunc(all, func(a, b RunLine) int {
			return billing.CompareRefs(a.Parts[0].ContractRef, b.Parts[0].ContractRef)
		})
		r.Lines = cut(all, page)
	})
	return r
}

// accounts returns the accounts of the contracts that a customer is known to have, in the order of
// their references.
func (s *Store) accounts(st billing.States, c billing.CustomerKey) []billing.Account {
	refs := s.contracts(c)
	accounts := make([]billing.Account, 0, len(refs))
	for _, ref := range refs {
		a, _ := st.Account(ref)
		accounts = append(accounts, a)
	}
	return accounts
}

// contracts lists the contracts that a customer is known to have, in the order of their references.
func (s *Store) contracts(c billing.CustomerKey) []string {
	return slices.SortedFunc(slices.Values(s.model.CustomerContracts[c]), billing.CompareRefs)
}

func issued(i billing.Invoice) RunLine {
	l := RunLine{
		Customer: billing.CustomerKey{CustomerRef: i.CustomerRef, SellerRef: i.SellerRef}, InvoiceRef: i.Ref,
		Total: billing.Money{Amount: i.Total(), Currency: i.Currency}, Operations: i.Lines(),
	}
	for _, p := range i.Parts {
		l.Parts = append(l.Parts, RunPart{ContractRef: p.ContractRef, Total: billing.Money{Amount: p.Total(), Currency: i.Currency}, Operations: p.Lines})
	}
	return l
}

// canClose returns why a period of a customer cannot be closed now, nil if it can. A customer with
// a parked contract waits as a whole.
func (s *Store) canClose(of []billing.Account, p billing.Period, now time.Time, parked map[journal.Stream]error) error {
	_, err := billing.PlanClose(of, p, now, s.paris)
	if err != nil && !errors.Is(err, billing.ErrPeriodNotEnded) {
		return err
	}
	for _, a := range of {
		if parked[accounts.Stream(a.Contract.Ref)] != nil {
			return fmt.Errorf("%w: %s waits for a correction by an operator", journal.ErrParked, a.Contract.Ref)
		}
	}
	return err
}

// toIssue returns the invoices that a customer would get for a period: one for each currency. Err
// is why they cannot be issued now.
func toIssue(accounts []billing.Account, p billing.Period, err error) (lines []RunLine) {
	for _, a := range accounts {
		open, found := a.OpenPeriod(p)
		if !found {
			continue
		}
		n := slices.IndexFunc(lines, func(l RunLine) bool { return l.Total.Currency == a.Currency })
		if n < 0 {
			n = len(lines)
			lines = append(lines, RunLine{Customer: a.Contract.Customer(), Total: billing.Money{Currency: a.Currency}, Err: err})
		}
		l := &lines[n]
		total := billing.Money{Amount: open.Total(), Currency: a.Currency}
		l.Total.Amount += total.Amount
		l.Operations += open.Lines
		l.Parts = append(l.Parts, RunPart{ContractRef: a.Contract.Ref, Total: total, Operations: open.Lines})
	}
	return lines
}

// ToClose lists the customers with operations in a period that is not closed, in the order of their
// references: those that can be billed now, and for the others why they cannot.
func (s *Store) ToClose(p billing.Period) (possible []billing.Close, waiting []Waiting) {
	now, parked := s.now(), s.ledger.Parked()
	s.read(func(st billing.States) {
		for c := range s.model.Open[p] {
			contracts := s.contracts(c)
			if err := s.canClose(s.accounts(st, c), p, now, parked); err != nil {
				waiting = append(waiting, Waiting{Customer: c, ContractRef: contracts[0], Err: err})
				continue
			}
			possible = append(possible, billing.Close{Customer: c, Contracts: contracts, Period: p})
		}
	})
	slices.SortFunc(possible, func(a, b billing.Close) int { return compareCustomers(a.Customer, b.Customer) })
	slices.SortFunc(waiting, func(a, b Waiting) int { return compareCustomers(a.Customer, b.Customer) })
	return possible, waiting
}

// Waiting is a customer that cannot be billed now.
type Waiting struct {
	Customer    billing.CustomerKey
	ContractRef string // one of its contracts
	Err         error
}

func compareCustomers(a, b billing.CustomerKey) int {
	return cmp.Or(cmp.Compare(a.CustomerRef, b.CustomerRef), cmp.Compare(a.SellerRef, b.SellerRef))
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
