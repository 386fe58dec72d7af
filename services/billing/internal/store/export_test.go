package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// ListOf lists n entries and calls match for each, as the lists of invoices do.
func (s *Store) ListOf(n int, match func()) (List[int], bool) {
	entries := func(yield func(int) bool) {
		for i := 0; i < n && yield(i); i++ {
		}
	}
	return list(s, s.model.Generation(), entries, Page{Limit: 10, Offset: 5}, func(billing.States, int) bool {
		match()
		return true
	}, func(_ billing.States, i int) int { return i })
}

// FoldVersion is the version of the fold and the read model.
const FoldVersion = foldVersion

// Config returns what the store's journal is made of.
func (s *Store) Config() journal.Config[ledger.State, effect.Body] { return s.ledger.Config() }

// Once reports whether a stream of purchases is changed by one record alone.
func Once(s journal.Stream) bool {
	return strings.HasPrefix(string(s), string(operations)) || strings.HasPrefix(string(s), string(orders)) || strings.HasPrefix(string(s), idempotency.Streams)
}

// Rule returns the streams of a command and how it is decided, without a look at the key.
func (s *Store) Rule(req *idempotency.Request, c billing.Command) ([]journal.Stream, func(*ledger.View) (effect.Body, error)) {
	on := streams(c.About())
	if req != nil {
		on = append(on, journal.Stream(req.Stream()))
	}
	return on, func(v *ledger.View) (effect.Body, error) {
		e, err := billing.Decide(book{v, nil}, c, billing.Moment{Now: v.Now(), Paris: s.paris})
		if err != nil {
			return effect.Body{}, err
		}
		for _, s := range streams(e.About()) {
			v.State(s)
		}
		return effect.Body{Event: e, Request: req.Recorded()}, nil
	}
}

// Candidates returns the sets that a list with a filter looks at.
func (s *Store) Candidates(f OperationFilter) []numbers.Set {
	sets, _, _ := s.candidates(f)
	return sets
}

// InvoiceEntries returns how many invoices are looked at for a page, and how many there are of the
// filter's if that is known.
func (s *Store) InvoiceEntries(f InvoiceFilter, page Page) (looked, total int) {
	s.read(func(billing.States) {
		entries, _, known := f.entries(f.sets(s.model), page)
		for range entries {
			looked++
		}
		total = known
	})
	return looked, total
}

// Discard empties the read model as the journal does before it reads the log again.
func (s *Store) Discard() { s.model.Reset() }

// Finishes reports whether operations are returned that were picked before between was called.
func (s *Store) Finishes(between func()) bool {
	of := s.model.Generation()
	p, _ := s.pick(of, []uint32{0})
	p.Unpack()
	between()
	_, ok := s.finish(of, p)
	return ok
}

// Picks reports whether operations are picked whose numbers were chosen before between was called.
func (s *Store) Picks(between func()) bool {
	of := s.model.Generation()
	between()
	_, ok := s.pick(of, []uint32{0})
	return ok
}

// PackAll makes the read model pack operations early.
func (s *Store) PackAll(size, last int) { s.model.PackAll(size, last) }

// Content is what the read model shows, however it keeps it.
type Content struct {
	Operations, Refused, Cancelled, Accepted []uint32
	All                                      []Operation
	Lists                                    map[string][]uint32 // of operations and invoices
	Refs                                     map[string][]string // of contracts and invoices
	Running                                  map[billing.Period]bool
}

// Content returns what the read model shows.
func (s *Store) Content() any {
	m := s.model
	list := func(sets ...numbers.Set) []uint32 { return slices.Collect(numbers.All(sets...)) }
	c := Content{
		Operations: list(m.Operations()), Refused: list(m.Refused()), Cancelled: list(m.Cancelled()), Accepted: list(m.Accepted()),
		Lists: map[string][]uint32{}, Refs: map[string][]string{"contracts": slices.Collect(m.Contracts().All())}, Running: m.Running,
	}
	pick := m.Pick(c.Operations)
	pick.Unpack()
	c.All = m.Complete(pick)
	for n := range numbers.All(m.Invoices()) {
		ref, _ := m.InvoiceRef(n)
		c.Refs["invoices"] = append(c.Refs["invoices"], ref)
	}
	for ref := range m.Contracts().All() {
		c.Lists["contract "+ref], c.Lists["invoices of "+ref] = list(m.OfContract(ref)), list(m.InvoicesOfContract(ref))
	}
	for _, o := range c.All {
		key := billing.CustomerKey{CustomerRef: o.CustomerRef, SellerRef: "AGENCY-1"}
		c.Refs["contracts of "+o.CustomerRef] = slices.Collect(m.ContractsOf(o.CustomerRef).All())
		c.Refs["contracts with "+key.SellerRef+" of "+o.CustomerRef] = slices.Collect(m.CustomerContracts(key).All())
		c.Lists["customer "+o.CustomerRef], c.Lists["invoices of "+o.CustomerRef] = list(m.OfCustomer(o.CustomerRef)), list(m.InvoicesOf(o.CustomerRef))
		for i, of := range m.OfOrder(o.OrderRef) {
			c.Lists[fmt.Sprint("order ", o.OrderRef, " ", i)] = list(of)
		}
		p := o.Period.String()
		c.Lists["period "+p], c.Lists["invoices of "+p] = list(m.OfPeriod(o.Period)), list(m.InvoicesOfPeriod(o.Period))
		c.Refs["open in "+p] = slices.Sorted(m.Open(o.Period))
		n, _ := m.Number(o.Ref)
		c.Lists["operation "+o.Ref] = []uint32{n}
	}
	for _, p := range m.OpenPeriods() {
		c.Refs["open"] = append(c.Refs["open"], p.String())
	}
	slices.Sort(c.Refs["open"])
	return c
}
