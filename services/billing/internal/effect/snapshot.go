package effect

import (
	"iter"
	"maps"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// item is one item of a snapshot of the read model: an operation or an entry of another list. The
// lists of operations by reference, contract, customer, invoice, order and open period follow from
// the operations.
type item struct {
	Operation *Operation
	Entry     *entry
}

// entry is an entry of the list that its place names.
type entry struct {
	List   place
	Ref    string // of a contract or a customer
	Seller string
	Period billing.Period
	Refs   []string
	Count  int
}

// place is one of the lists of the read model.
type place uint8

const (
	contracts place = iota
	contractsByCustomer
	customerContracts
	invoices
	invoicesByContract
	invoicesByCustomer
	invoicesByPeriod
	open
	running
	operations // only how many there are; it comes first
)

// items encodes items. A refused purchase holds why its mandate was not valid.
var items = func() *shape.Codec[item] {
	c, err := shape.Of[item](&billing.MandateError{})
	if err != nil {
		panic(err)
	}
	return c
}()

// Shape implements journal.ReadModel.
func (m *Model) Shape() string { return items.Shape() }

// modelCut is a model as it was at one record. Operations that change afterwards are copied first;
// the other lists are short enough to be copied at once, or only grow.
type modelCut struct {
	model  *Model
	all    []*Operation
	before map[int]Operation // by their place, until they are handed out
	next   int               // operation to hand out
	begun  bool

	entry func() (entry, bool)
	stop  func()
}

// Cut implements journal.ReadModel.
func (m *Model) Cut() journal.ModelCut {
	c := &modelCut{model: m, all: m.Operations[:len(m.Operations):len(m.Operations)], before: map[int]Operation{}}
	c.entry, c.stop = iter.Pull(m.entries())
	m.cut = c
	return c
}

// change is called before an operation is changed in place.
func (m *Model) change(o *Operation) {
	c := m.cut
	if c == nil || o.n < c.next || o.n >= len(c.all) {
		return
	}
	if _, kept := c.before[o.n]; !kept {
		c.before[o.n] = *o
	}
}

// entries returns the lists other than those of operations, as they are now.
func (m *Model) entries() iter.Seq[entry] {
	lists := []struct {
		list place
		refs []string
	}{{contracts, m.Contracts}, {invoices, m.Invoices}}
	byRef := []struct {
		list place
		of   map[string][]string
	}{
		{contractsByCustomer, maps.Clone(m.ContractsByCustomer)},
		{invoicesByContract, maps.Clone(m.InvoicesByContract)}, {invoicesByCustomer, maps.Clone(m.InvoicesByCustomer)},
	}
	customers, byPeriod, runs := maps.Clone(m.CustomerContracts), maps.Clone(m.InvoicesByPeriod), maps.Clone(m.Running)
	unbilled := make(map[billing.Period]map[billing.CustomerKey]int, len(m.Open))
	for p, counts := range m.Open {
		unbilled[p] = maps.Clone(counts)
	}
	return func(yield func(entry) bool) {
		for _, l := range lists {
			if !yield(entry{List: l.list, Refs: l.refs}) {
				return
			}
		}
		for _, l := range byRef {
			for ref, refs := range l.of {
				if !yield(entry{List: l.list, Ref: ref, Refs: refs}) {
					return
				}
			}
		}
		for c, refs := range customers {
			if !yield(entry{List: customerContracts, Ref: c.CustomerRef, Seller: c.SellerRef, Refs: refs}) {
				return
			}
		}
		for p, refs := range byPeriod {
			if !yield(entry{List: invoicesByPeriod, Period: p, Refs: refs}) {
				return
			}
		}
		for p := range runs {
			if !yield(entry{List: running, Period: p}) {
				return
			}
		}
		for p, counts := range unbilled {
			for c, n := range counts {
				if !yield(entry{List: open, Period: p, Ref: c.CustomerRef, Seller: c.SellerRef, Count: n}) {
					return
				}
			}
		}
	}
}

// Next implements journal.ModelCut.
func (c *modelCut) Next(dst []byte) (_ []byte, more bool, err error) {
	if !c.begun {
		c.begun = true
		dst, err = items.Append(dst, item{Entry: &entry{List: operations, Count: len(c.all)}})
		return dst, true, err
	}
	if n := c.next; n < len(c.all) {
		o := *c.all[n]
		if was, changed := c.before[n]; changed {
			o = was
			delete(c.before, n)
		}
		c.next++
		dst, err = items.Append(dst, item{Operation: &o})
		return dst, true, err
	}
	e, more := c.entry()
	if !more {
		return dst, false, nil
	}
	dst, err = items.Append(dst, item{Entry: &e})
	return dst, true, err
}

// End implements journal.ModelCut.
func (c *modelCut) End() {
	c.stop()
	if c.model.cut == c {
		c.model.cut = nil
	}
}

// Load implements journal.ReadModel.
func (m *Model) Load() journal.ModelLoading { return &loading{into: m, made: NewModel()} }

// loading is a model that is being made of items.
type loading struct{ into, made *Model }

// Use implements journal.ModelLoading.
func (l *loading) Use() { *l.into = *l.made }

// Add implements journal.ModelLoading.
func (l *loading) Add(data []byte) error {
	it, err := items.Decode(data)
	switch {
	case err != nil:
		return err
	case it.Operation != nil:
		l.made.restore(it.Operation)
	case it.Entry != nil:
		l.made.enter(*it.Entry)
	}
	return nil
}

// restore adds an operation as it is.
func (m *Model) restore(o *Operation) {
	m.list(o)
	if o.InvoiceRef != "" {
		m.OperationsByInvoice[o.InvoiceRef] = append(m.OperationsByInvoice[o.InvoiceRef], o)
	} else if o.Status == billing.OperationAccepted {
		k := unbilledKey{o.ContractRef, o.Period}
		m.unbilled[k] = append(m.unbilled[k], o)
	}
}

// enter adds an entry.
func (m *Model) enter(e entry) {
	customer := billing.CustomerKey{CustomerRef: e.Ref, SellerRef: e.Seller}
	switch e.List {
	case contracts:
		m.Contracts = e.Refs
		for _, ref := range e.Refs {
			if !m.Knows(ref) {
				m.OperationsByContract[ref] = nil
			}
		}
	case contractsByCustomer:
		m.ContractsByCustomer[e.Ref] = e.Refs
	case customerContracts:
		m.CustomerContracts[customer] = e.Refs
	case invoices:
		m.Invoices = e.Refs
	case invoicesByContract:
		m.InvoicesByContract[e.Ref] = e.Refs
	case invoicesByCustomer:
		m.InvoicesByCustomer[e.Ref] = e.Refs
	case invoicesByPeriod:
		m.InvoicesByPeriod[e.Period] = e.Refs
	case open:
		if m.Open[e.Period] == nil {
			m.Open[e.Period] = map[billing.CustomerKey]int{}
		}
		m.Open[e.Period][customer] = e.Count
	case running:
		m.Running[e.Period] = true
	case operations:
		m.expect(e.Count)
	}
}

// expect makes room for so many operations. A number that is out of place must not take all memory.
func (m *Model) expect(n int) {
	n = max(0, min(n, 1<<24))
	m.Operations = make([]*Operation, 0, n)
	m.OperationByRef = make(map[string]*Operation, n)
	m.OperationsByOrder = make(map[string][]*Operation, n)
}
