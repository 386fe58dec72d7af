package store

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
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
	found, position := s.operations(func() []uint32 {
		if n, ok := s.model.Number(ref); ok {
			return []uint32{n}
		}
		return nil
	})
	if len(found) == 0 {
		return o, position, false
	}
	return found[0], position, true
}

// operations returns the operations whose numbers choose returns, which it calls in a read, and a
// position that they show at least.
func (s *Store) operations(choose func() []uint32) (all []Operation, position int64) {
	for {
		var list []uint32
		var of int
		position = s.read(func(billing.States) { list, of = choose(), s.model.Generation() })
		if all, ok := s.complete(of, list); ok {
			return all, position
		}
	}
}

// complete returns operations by numbers of a generation of the model. It reports false if the
// model is of another one. Operations are unpacked outside of the lock of the state, because
// decisions wait for that.
func (s *Store) complete(generation int, list []uint32) (all []Operation, ok bool) {
	for some := range slices.Chunk(list, atOnce) {
		pick, ok := s.pick(generation, some)
		if !ok {
			return nil, false
		}
		pick.Unpack()
		operations, ok := s.finish(generation, pick)
		if !ok {
			return nil, false
		}
		all = append(all, operations...)
	}
	return all, true
}

// readOf is read for a generation of the model. It reports false, and does not call fn, if the
// model is of another one.
func (s *Store) readOf(generation int, fn func(st billing.States)) (ok bool) {
	s.read(func(st billing.States) {
		if ok = s.model.Generation() == generation; ok {
			fn(st)
		}
	})
	return ok
}

// pick picks operations by numbers of a generation of the model. It reports false if the model is
// of another one.
func (s *Store) pick(generation int, list []uint32) (p effect.Pick, ok bool) {
	ok = s.readOf(generation, func(billing.States) { p = s.model.Pick(list) })
	return p, ok
}

// finish returns operations that were picked in a generation of the model, and unpacked. It reports
// false if the model is of another one.
func (s *Store) finish(generation int, p effect.Pick) (all []Operation, ok bool) {
	ok = s.readOf(generation, func(billing.States) { all = s.model.Complete(p) })
	return all, ok
}

// Operations lists operations in the order of the log.
func (s *Store) Operations(f OperationFilter, page Page) (l List[Operation]) {
	for ok := false; !ok; {
		sets, of, position := s.candidates(f)
		var list []uint32
		list, l.Total = numbers.Page(page.Offset, page.Limit, sets...)
		l.Position = position
		l.Items, ok = s.complete(of, list)
	}
	if f.Status == billing.OperationAccepted { // some may have been cancelled meanwhile
		l.Items = slices.DeleteFunc(l.Items, func(o Operation) bool { return o.Status != f.Status })
	}
	return l
}

// candidates returns sets of numbers, the generation of the model that they are of, and the
// position. The operations that match a filter are those that are in all of the sets.
func (s *Store) candidates(f OperationFilter) (sets []numbers.Set, generation int, position int64) {
	var orders []numbers.List
	var firsts effect.Pick
	position = s.read(func(st billing.States) {
		m := s.model
		generation = m.Generation()
		sets = f.sets(m)
		if f.InvoiceRef != "" {
			i, _ := st.Invoice(f.InvoiceRef)
			sets = append(sets, m.OfInvoice(i)...)
		}
		if f.OrderRef != "" {
			orders = m.OfOrder(f.OrderRef)
			for _, list := range orders {
				firsts = append(firsts, m.Pick(list[:1])...)
			}
		}
		if len(sets) == 0 {
			sets = append(sets, m.Operations())
		}
	})
	if f.OrderRef != "" {
		sets = append(sets, ofOrder(f.OrderRef, orders, firsts))
	}
	return sets, generation, position
}

// sets returns the sets that follow from the model alone.
func (f OperationFilter) sets(m *effect.Model) (sets []numbers.Set) {
	if f.ContractRef != "" {
		sets = append(sets, m.OfContract(f.ContractRef))
	}
	if f.CustomerRef != "" {
		sets = append(sets, m.OfCustomer(f.CustomerRef))
	}
	if f.Of != nil {
		of := numbers.Union{}
		for _, ref := range distinct(f.Of) {
			of = append(of, m.OfCustomer(ref)...)
		}
		sets = append(sets, of)
	}
	if f.Period != (billing.Period{}) {
		sets = append(sets, m.OfPeriod(f.Period))
	}
	switch f.Status {
	case "":
	case billing.OperationAccepted:
		sets = append(sets, m.Accepted())
	case billing.OperationRefused:
		sets = append(sets, m.Refused())
	case billing.OperationCancelled:
		sets = append(sets, m.Cancelled())
	default:
		sets = append(sets, numbers.List{})
	}
	return sets
}

func distinct(c Customers) []string { return slices.Compact(slices.Sorted(slices.Values(c))) }

// ofOrder returns the list of an order, one of those whose first operations were picked.
func ofOrder(ref string, orders []numbers.List, firsts effect.Pick) numbers.List {
	firsts.Unpack()
	for i := range firsts {
		if firsts.OrderRef(i) == ref {
			return orders[i]
		}
	}
	return nil
}

// purchases lists the accepted purchases of an order.
func (s *Store) purchases(k billing.OrderKey) (refs []string) {
	accepted := OperationFilter{ContractRef: k.ContractRef, OrderRef: k.OrderRef, Status: billing.OperationAccepted}
	for _, o := range s.Operations(accepted, Page{Limit: math.MaxInt}).Items {
		if o.Kind == billing.KindPurchase {
			refs = append(refs, o.Ref)
		}
	}
	return refs
}

// atOnce is how many entries of a list are looked at while the state is locked.
const atOnce = 256

// list returns a page of the entries that match. They are those of a generation of the model, and
// must neither be removed nor brought into another order. list reports false if the model is of
// another generation.
//
// Decisions wait for the lock of the state, so list takes it for a few entries at a time. The page
// may therefore show what was decided after its position.
func list[K, T any](s *Store, generation int, entries iter.Seq[K], page Page, match func(billing.States, K) bool, convert func(billing.States, K) T) (l List[T], ok bool) {
	some := make([]K, 0, atOnce)
	look := func() {
		ok = s.readOf(generation, func(st billing.States) {
			for _, e := range some {
				if !match(st, e) {
					continue
				}
				if l.Total >= page.Offset && len(l.Items) < page.Limit {
					l.Items = append(l.Items, convert(st, e))
				}
				l.Total++
			}
		})
		some = some[:0]
	}
	for e := range entries {
		if some = append(some, e); len(some) < atOnce {
			continue
		}
		if look(); !ok {
			return l, false
		}
	}
	look()
	return l, ok
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
func (s *Store) Subscriptions(f SubscriptionFilter, page Page) (l List[billing.Account]) {
	account := func(st billing.States, ref string) billing.Account { a, _ := st.Account(ref); return a }
	for ok := false; !ok; {
		refs, of, position := s.named(f)
		l, ok = list(s, of, refs.All(), page, func(st billing.States, ref string) bool {
			c := account(st, ref).Contract
			return c.Ref != "" &&
				(f.ContractRef == "" || c.Ref == f.ContractRef) && (f.CustomerRef == "" || c.CustomerRef == f.CustomerRef) && (f.Status == "" || c.Status == f.Status) &&
				f.Of.has(c.CustomerRef)
		}, account)
		l.Position = position
	}
	return l
}

// named returns the contracts that a list with a filter looks at, the generation of the model that
// they are of, and the position.
func (s *Store) named(f SubscriptionFilter) (refs effect.Names, generation int, position int64) {
	position = s.read(func(billing.States) {
		generation = s.model.Generation()
		switch {
		case f.ContractRef != "" && s.model.Knows(f.ContractRef):
			refs = s.model.Named(f.ContractRef)
		case f.CustomerRef != "":
			refs = s.model.ContractsOf(f.CustomerRef)
		default:
			refs = s.model.Contracts()
		}
	})
	return refs, generation, position
}

// Now is the time by which a forecast is judged.
func (s *Store) Now() time.Time { return s.now() }

// Invoice reads an invoice.
func (s *Store) Invoice(ref string) (i billing.Invoice, position int64, ok bool) {
	position = s.read(func(st billing.States) { i, ok = st.Invoice(ref) })
	return i, position, ok
}

// Outstanding returns what all contracts owe together, by currency. It looks at those that have
// changed since it was called last, a few at a time, because decisions wait for the lock of the
// state. What is decided meanwhile may be in the sums or not.
func (s *Store) Outstanding() (sums []effect.Owed) {
	s.summing.Lock()
	defer s.summing.Unlock()
	for more := true; more; {
		s.read(func(st billing.States) { sums, more = s.model.Sum(st, atOnce) })
	}
	return sums
}

// Packed returns how many operations are packed in memory, and how much they take there.
func (s *Store) Packed() (operations int, bytes int64) {
	s.read(func(billing.States) { operations, bytes = s.model.Packed() })
	return operations, bytes
}

// InvoiceFilter leaves out what does not match.
type InvoiceFilter struct {
	ContractRef, CustomerRef string
	Period                   billing.Period
	Status                   billing.InvoiceStatus
	Of                       Customers
}

// Invoices lists invoices in the order of issue. A search by status looks at all invoices that the
// other criteria leave.
func (s *Store) Invoices(f InvoiceFilter, page Page) (l List[billing.Invoice]) {
	invoice := func(st billing.States, n uint32) billing.Invoice {
		ref, _ := s.model.InvoiceRef(n)
		i, _ := st.Invoice(ref)
		return i
	}
	for ok := false; !ok; {
		var sets []numbers.Set
		var of int
		position := s.read(func(billing.States) { sets, of = f.sets(s.model), s.model.Generation() })
		entries, rest, total := f.entries(sets, page)
		l, ok = list(s, of, entries, rest, func(st billing.States, n uint32) bool {
			return f.Status == "" || invoice(st, n).Status() == f.Status
		}, invoice)
		if f.Status == "" {
			l.Total = total
		}
		l.Position = position
	}
	return l
}

// entries returns the invoices that have to be looked at for a page, and the page among them. If
// the filter has no status, it also returns how many invoices match.
func (f InvoiceFilter) entries(sets []numbers.Set, page Page) (entries iter.Seq[uint32], rest Page, total int) {
	if f.Status != "" {
		return numbers.All(sets...), page, 0
	}
	some, total := numbers.Page(page.Offset, page.Limit, sets...)
	return slices.Values(some), Page{Limit: page.Limit}, total
}

// sets returns sets of numbers. The invoices that match all but the status are those that are in
// all of them.
func (f InvoiceFilter) sets(m *effect.Model) (sets []numbers.Set) {
	if f.ContractRef != "" {
		sets = append(sets, m.InvoicesOfContract(f.ContractRef))
	}
	if f.CustomerRef != "" {
		sets = append(sets, m.InvoicesOf(f.CustomerRef))
	}
	if f.Of != nil {
		of := numbers.Union{}
		for _, ref := range distinct(f.Of) {
			of = append(of, m.InvoicesOf(ref))
		}
		sets = append(sets, of)
	}
	if f.Period != (billing.Period{}) {
		sets = append(sets, m.InvoicesOfPeriod(f.Period))
	}
	if len(sets) == 0 {
		sets = append(sets, m.Invoices())
	}
	return sets
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
		for n := range numbers.All(s.model.InvoicesOfPeriod(p)) {
			ref, _ := s.model.InvoiceRef(n)
			i, _ := st.Invoice(ref)
			all = append(all, issued(i))
		}
		r.Invoiced = len(all)
		for c := range s.open(st, p) {
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

// open returns the customers that have something in a period that is not closed.
func (s *Store) open(st billing.States, p billing.Period) map[billing.CustomerKey]bool {
	customers := map[billing.CustomerKey]bool{}
	for ref := range s.model.Open(p) {
		a, _ := st.Account(ref)
		customers[a.Contract.Customer()] = true
	}
	return customers
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
	return slices.SortedFunc(s.model.CustomerContracts(c).All(), billing.CompareRefs)
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
		for c := range s.open(st, p) {
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

// LeftOut returns how many customers the last runs of all months left out, once for each month,
// that are not billed for it yet.
func (s *Store) LeftOut() (n int) {
	s.read(func(st billing.States) {
		for _, p := range s.model.OpenPeriods() {
			left := st.Run(p).LeftOut
			if len(left) == 0 {
				continue
			}
			open := s.open(st, p)
			for _, l := range left {
				if open[l.Customer] {
					n++
				}
			}
		}
	})
	return n
}

// OldestRun returns for how long the oldest run that is not completed has been going on, or 0.
func (s *Store) OldestRun() (d time.Duration) {
	now := s.now()
	s.read(func(st billing.States) {
		for p := range s.model.Running {
			d = max(d, now.Sub(st.Run(p).StartedAt))
		}
	})
	return d
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
		for _, p := range s.model.OpenPeriods() {
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
