package effect

import (
	"iter"
	"slices"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
)

// Generation changes when numbers lose their meaning: the model was emptied, or replaced.
func (m *Model) Generation() int { return m.generation }

// Names is contracts, in an order of their own.
type Names struct {
	refs []string // by the numbers of the contracts
	of   []uint32
}

// All iterates over the references of the contracts.
func (n Names) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, contract := range n.of {
			if !yield(n.refs[contract]) {
				return
			}
		}
	}
}

// Contracts lists the contracts in the order in which they were first heard of.
func (m *Model) Contracts() Names { return Names{m.refs, m.heard} }

// ContractsOf lists the contracts that were heard of with a customer.
func (m *Model) ContractsOf(customerRef string) Names {
	return Names{m.refs, m.customers[customerRef].contracts}
}

// CustomerContracts lists the contracts that were heard of with a customer of a seller.
func (m *Model) CustomerContracts(c billing.CustomerKey) Names { return Names{m.refs, m.byKey[c]} }

// Named lists a contract, if it is known.
func (m *Model) Named(ref string) Names {
	if n, ok := m.contractOf[ref]; ok {
		return Names{m.refs, []uint32{n}}
	}
	return Names{}
}

// Knows reports whether billing has heard of a contract.
func (m *Model) Knows(contractRef string) bool {
	n, ok := m.contractOf[contractRef]
	return ok && m.contracts[n].heard
}

// Open iterates over the contracts that have something in a period that is not closed for them, in
// no order.
func (m *Model) Open(p billing.Period) iter.Seq[string] {
	return func(yield func(string) bool) {
		for contract := range m.unbilled[month(p)] {
			if !yield(m.refs[contract]) {
				return
			}
		}
	}
}

// OpenPeriods lists the periods that some contract has something in and that are not closed for it,
// in no order.
func (m *Model) OpenPeriods() (open []billing.Period) {
	for month := range m.unbilled {
		open = append(open, period(month))
	}
	return open
}

// Invoices returns the numbers of all invoices, in the order of issue.
func (m *Model) Invoices() numbers.Set { return numbers.Upto(len(m.invoices)) }

// InvoicesOf returns the invoices of a customer.
func (m *Model) InvoicesOf(customerRef string) numbers.Set { return m.customers[customerRef].invoices }

// InvoicesOfPeriod returns the invoices of a period.
func (m *Model) InvoicesOfPeriod(p billing.Period) numbers.Set { return m.invoicesByMonth[month(p)] }

// InvoicesOfContract returns the invoices with a part of a contract.
func (m *Model) InvoicesOfContract(ref string) numbers.Set {
	var list numbers.List
	for _, c := range m.contractNamed(ref).closed {
		list = list.With(c.invoice)
	}
	return list
}

// contractNamed returns what is kept of a contract, the zero value if it is not known.
func (m *Model) contractNamed(ref string) contract {
	if n, ok := m.contractOf[ref]; ok {
		return m.contracts[n]
	}
	return contract{}
}

// InvoiceRef returns the reference of an invoice, and reports whether there is one of that number.
func (m *Model) InvoiceRef(n uint32) (string, bool) {
	if int(n) >= len(m.invoices) {
		return "", false
	}
	return m.invoices[n].Ref, true
}

// Operations returns the numbers of all operations.
func (m *Model) Operations() numbers.Upto { return numbers.Upto(m.count()) }

// Refused returns the purchases that were refused.
func (m *Model) Refused() numbers.Set { return m.refused }

// Cancelled returns the purchases that were cancelled.
func (m *Model) Cancelled() numbers.Set { return m.cancelled.set() }

// Accepted returns the operations that were accepted and are not cancelled.
func (m *Model) Accepted() numbers.Set {
	return numbers.Without{All: m.Operations(), Out: append(m.cancelled.set(), m.refused)}
}

// OfContract returns the operations of a contract.
func (m *Model) OfContract(ref string) numbers.Set { return m.contractNamed(ref).operations }

// OfPeriod returns the operations of a period that were not refused.
func (m *Model) OfPeriod(p billing.Period) numbers.Set { return m.byMonth[month(p)] }

// OfCustomer returns the operations of contracts when they were those of a customer.
func (m *Model) OfCustomer(ref string) numbers.Union {
	of := numbers.Union{}
	for _, n := range m.customers[ref].contracts {
		k := m.contracts[n]
		end := len(k.operations)
		for _, at := range slices.Backward(k.terms) {
			from := int(m.terms[at].From) - 1
			if m.terms[at].CustomerRef == ref && from < end {
				of = append(of, k.operations[from:end])
			}
			end = from
		}
	}
	return of
}

// OfInvoice returns the operations on an invoice, and those of its credit notes. They are the
// accepted ones that its contracts have in its period. The result is the sets that they are in all
// of.
func (m *Model) OfInvoice(i billing.Invoice) []numbers.Set {
	of := numbers.Union{}
	for _, p := range i.Parts {
		of = append(of, m.contractNamed(p.ContractRef).operations)
	}
	return []numbers.Set{of, m.OfPeriod(i.Period), m.Accepted()}
}

// OfOrder returns lists of operations, those of one order each. If there are operations of an
// order, they are one of the lists: the one whose first operation is of that order.
func (m *Model) OfOrder(ref string) []numbers.List { return m.history.ofOrder(ref) }

// Number returns the number of an operation, and reports whether there is such an operation.
func (m *Model) Number(ref string) (n uint32, ok bool) { return m.number(ref) }

// Pick is operations as they were when they were picked.
type Pick []picked

// picked is an operation that is not packed, or where one is that is packed.
type picked struct {
	recent
	block *block
	at    uint8
}

// Pick picks operations by their numbers. Numbers that no operation has are left out.
func (m *Model) Pick(list []uint32) Pick {
	p := make(Pick, 0, len(list))
	for _, n := range list {
		switch at := int(n) - len(m.blocks)*m.size; {
		case n >= m.count():
		case at >= 0:
			p = append(p, picked{recent: m.recent[at]})
		default:
			p = append(p, picked{block: m.blocks[int(n)/m.size], at: uint8(int(n) % m.size)})
		}
	}
	return p
}

// Unpack unpacks the operations. It takes about 30 µs for each block, and should be called
// outside of Ledger.Read.
func (p Pick) Unpack() {
	var at []uint8
	for from := 0; from < len(p); from += max(1, len(at)) {
		at = at[:0]
		b := p[from].block
		if b == nil {
			continue
		}
		for to := from; to < len(p) && p[to].block == b && (to == from || p[to].at >= p[to-1].at); to++ {
			at = append(at, p[to].at)
		}
		b.operations(at, func(n int, r recent) { p[from+n].recent = r })
	}
}

// OrderRef returns the order of an operation that was picked and unpacked.
func (p Pick) OrderRef(i int) string { return p[i].Operation.OrderRef }

// Complete returns operations that were picked and unpacked. If the generation is another one than
// when they were picked, they are not those of the model.
func (m *Model) Complete(p Pick) []Operation {
	all := make([]Operation, len(p))
	for i := range p {
		all[i] = m.complete(p[i].recent)
	}
	return all
}

// complete returns an operation with what the contract and the invoices say of it.
func (m *Model) complete(r recent) Operation {
	o, k := *r.Operation, &m.contracts[r.contract]
	o.ContractRef = m.refs[r.contract]
	o.Ref = billing.OperationRef(o.ContractRef, int64(r.of))
	for _, at := range slices.Backward(k.terms) {
		if t := m.terms[at]; t.From <= r.of {
			o.CustomerRef, o.SubscriptionRef = t.CustomerRef, t.SubscriptionRef
			break
		}
	}
	if n, isClosed := k.invoiceOf(month(o.Period)); isClosed && o.Status == billing.OperationAccepted {
		o.InvoiceRef = m.invoices[n].Ref
	}
	return o
}
