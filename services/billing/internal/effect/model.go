package effect

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
)

// Operation is an operation as queries show it.
type Operation struct {
	Ref             string
	Kind            billing.Kind
	Status          billing.OperationStatus
	ContractRef     string
	SubscriptionRef string
	CustomerRef     string
	OrderRef        string // of a refund, that of its purchase
	PurchaseRef     string // of a refund
	Text            string // what was bought, or why it was given back
	Amount          billing.Money
	Refunded        int64          // of a purchase
	Period          billing.Period // zero when refused
	InvoiceRef      string         // once its period is closed; of a credit note, the one it lowers
	CreditNoteRef   string         // of a refund after its purchase was invoiced
	DecidedAt       time.Time
	Judgement       Judgement // of a purchase
}

// Judgement is what a purchase was judged by, and the figures after it.
type Judgement struct {
	ContractVersion int64
	Outstanding     billing.Money
	Ceiling         billing.Money
	Available       billing.Money
	Reasons         []billing.Reason
	Refused         *Refused // nil if it was accepted
}

// Refused is what a contract was when a purchase on it was refused.
type Refused struct {
	Status                billing.Status
	ValidFrom, ValidUntil time.Time
	Mandate               error // a billing.MandateError, nil if the mandate was valid
}

// AsDecided returns the operation as it was first answered.
func (o Operation) AsDecided() Operation {
	o.Refunded = 0
	if o.CreditNoteRef == "" {
		o.InvoiceRef = ""
	}
	if o.Status == billing.OperationCancelled {
		o.Status = billing.OperationAccepted
	}
	return o
}

// Model is the read model: what queries need and the states of streams do not show. The ledger
// calls Project and Reset under its write lock, and queries read it inside Ledger.Read, so it needs
// no lock of its own. Sum is the exception: it changes the totals inside Ledger.Read, where nothing
// else looks at them, so two calls of Sum must not run at the same time. The sets and lists that
// its methods return do not change, and may be looked at outside of Ledger.Read.
//
// Contracts, operations and invoices have numbers, in the order of the log, and the lists of the
// model are sets of these numbers. Each table of it is either only appended to, or its entries are
// replaced and never changed in place, so that a cut needs no copies of them.
type Model struct {
	Running map[billing.Period]bool // runs that are not completed

	generation int
	history

	refs       []string          // of contracts
	contractOf map[string]uint32 // contracts by their references
	contracts  []contract
	heard      []uint32 // contracts in the order in which a version of them was first heard of
	pairs      []pair
	terms      []terms
	customers  map[string]customer
	byKey      map[billing.CustomerKey][]uint32 // contracts

	invoices        []invoice
	parts           []uint32 // contracts of the invoices
	invoicesByMonth map[uint32]numbers.List

	// how many accepted operations each contract has in months that are not closed for it
	unbilled map[uint32]map[uint32]int

	totals
}

// contract is what the model keeps of a contract.
type contract struct {
	operations numbers.List
	terms      []uint32 // their places in the model
	closed     []closed // the oldest month first
	heard      bool
}

// closed is a month that was closed for a contract.
type closed struct{ month, invoice uint32 }

// pair is a contract and the customer that it was first heard of with.
type pair struct {
	Contract uint32
	Customer billing.CustomerKey
}

// terms are what a contract was when its operations were decided, from the so manyth on.
type terms struct {
	Contract, From               uint32
	CustomerRef, SubscriptionRef string
}

// customer is what the model keeps of a customer.
type customer struct {
	contracts []uint32
	invoices  numbers.List
}

// invoice is what the model keeps of an invoice.
type invoice struct {
	Ref, CustomerRef string
	Month            uint32
	// End is where its contracts end; they begin where those of the invoice before it end.
	End uint32
}

// inBlock is how many operations are packed together.
const inBlock = 128

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.PackAll(inBlock, 2*inBlock)
	return m
}

// PackAll makes the model pack the operations that there will be in blocks of so many, but for the
// last ones. Tests call it, before the first record, so that they need few operations.
func (m *Model) PackAll(size, last int) {
	m.size, m.last = size, last
	m.Reset()
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{
		Running: map[billing.Period]bool{}, generation: m.generation + 1, history: newHistory(m.size, m.last), contractOf: map[string]uint32{},
		customers: map[string]customer{}, byKey: map[billing.CustomerKey][]uint32{}, invoicesByMonth: map[uint32]numbers.List{},
		unbilled: map[uint32]map[uint32]int{},
	}
}

// Project brings an applied record into the model.
func (m *Model) Project(a Applied) {
	e := a.Event()
	_ = e.Visit(projector{m, a.After, a.DecidedAt}) // no method of it returns an error
	about := e.About()
	m.touch(about.Contract)
	for _, ref := range about.Contracts {
		m.touch(ref)
	}
}

// projector is a visitor that brings an event into the read model.
type projector struct {
	*Model
	after billing.States
	at    time.Time
}

// contract returns the number of a contract, which it gets if it has none.
func (m *Model) contract(ref string) uint32 {
	n, ok := m.contractOf[ref]
	if !ok {
		n = uint32(len(m.refs))
		m.refs, m.contracts = append(m.refs, ref), append(m.contracts, contract{})
		m.contractOf[ref] = n
		m.totals.add(n)
	}
	return n
}

// addContract adds a contract unless it is known.
func (m *Model) addContract(c billing.Contract) {
	n := m.contract(c.Ref)
	if !slices.Contains(m.customers[c.CustomerRef].contracts, n) {
		m.addPair(pair{n, c.Customer()})
	}
	if c.Version >= 1 && !m.contracts[n].heard {
		m.hear(n)
	}
}

func (m *Model) hear(contract uint32) {
	m.heard = append(m.heard, contract)
	m.contracts[contract].heard = true
}

func (m *Model) addPair(p pair) {
	m.pairs = append(m.pairs, p)
	c := m.customers[p.Customer.CustomerRef]
	c.contracts = append(c.contracts, p.Contract)
	m.customers[p.Customer.CustomerRef] = c
	m.byKey[p.Customer] = append(m.byKey[p.Customer], p.Contract)
}

// addOperation adds an operation, with the figures right after its record and the reasons of a
// refused purchase.
func (m projector) addOperation(o Operation, reasons []billing.Reason) {
	a, _ := m.after.Account(o.ContractRef)
	o.DecidedAt = m.at
	o.Judgement = Judgement{
		ContractVersion: a.Contract.Version, Outstanding: a.Outstanding(), Ceiling: a.Contract.Ceiling, Available: a.Available(), Reasons: reasons,
	}
	if len(reasons) > 0 {
		c := a.Contract
		o.Judgement.Refused = &Refused{Status: c.Status, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, Mandate: a.CheckMandate(m.at)}
	}
	if o.PurchaseRef != "" {
		purchase, _ := m.after.Operation(o.PurchaseRef)
		m.change(purchase)
		o.OrderRef = purchase.OrderRef
	}
	n := m.contract(o.ContractRef)
	m.keepTerms(n, a.Contract)
	m.append(&o, n)
}

// keepTerms notes what a contract is when its next operation is decided.
func (m *Model) keepTerms(contract uint32, c billing.Contract) {
	k := &m.contracts[contract]
	if last := len(k.terms) - 1; last >= 0 {
		if t := m.terms[k.terms[last]]; t.CustomerRef == c.CustomerRef && t.SubscriptionRef == c.SubscriptionRef {
			return
		}
	}
	m.addTerms(terms{contract, uint32(len(k.operations)) + 1, c.CustomerRef, c.SubscriptionRef})
}

func (m *Model) addTerms(t terms) {
	k := &m.contracts[t.Contract]
	k.terms = append(k.terms, uint32(len(m.terms)))
	m.terms = append(m.terms, t)
}

// append adds an operation of a contract, as the last one of the log. Its reference is that of the
// next operation of the contract; the fold sees to that.
func (m *Model) append(o *Operation, contract uint32) {
	n := m.count()
	r := recent{Operation: o, contract: contract, of: uint32(len(m.contracts[contract].operations)) + 1}
	if first, known := m.firstOf(o.OrderRef); known {
		r.back = n - first
	} else {
		m.enterOrder(n, o.OrderRef)
	}
	m.recent = append(m.recent, r)
	m.enter(n, r.contract, r.back, month(o.Period), o.Status)
	m.pack()
}

// enter enters an operation in the lists.
func (m *Model) enter(n, contract, back, month uint32, status billing.OperationStatus) {
	k := &m.contracts[contract]
	k.operations = k.operations.With(n)
	m.history.enter(n, back, month, status)
	m.countUnbilled(contract, month, status)
}

// countUnbilled counts an operation if it was accepted and its month is not closed for its
// contract.
func (m *Model) countUnbilled(contract, month uint32, status billing.OperationStatus) {
	if _, isClosed := m.contracts[contract].invoiceOf(month); isClosed || month == 0 || status != billing.OperationAccepted {
		return
	}
	if m.unbilled[month] == nil {
		m.unbilled[month] = map[uint32]int{}
	}
	m.unbilled[month][contract]++
}

// invoiceOf returns the invoice of a month, and reports whether the month is closed.
func (k *contract) invoiceOf(month uint32) (invoice uint32, ok bool) {
	at, ok := slices.BinarySearchFunc(k.closed, month, func(c closed, month uint32) int { return cmp.Compare(c.month, month) })
	if !ok {
		return 0, false
	}
	return k.closed[at].invoice, true
}

// cancel takes a purchase out of its period.
func (m *Model) cancel(purchase billing.Operation) {
	n, ok := m.change(purchase)
	if !ok {
		return
	}
	m.cancelled = m.cancelled.with(n)
	contract, month := m.contract(purchase.ContractRef), month(purchase.Period)
	if m.unbilled[month][contract]--; m.unbilled[month][contract] == 0 {
		m.noLongerOpen(contract, month)
	}
}

// issueInvoice adds an invoice and closes its period for its contracts.
func (m *Model) issueInvoice(i billing.Invoice) {
	for _, part := range i.Parts {
		m.parts = append(m.parts, m.contract(part.ContractRef))
	}
	m.addInvoice(invoice{i.Ref, i.CustomerRef, month(i.Period), uint32(len(m.parts))})
}

// addInvoice adds an invoice whose contracts were added.
func (m *Model) addInvoice(i invoice) {
	n := uint32(len(m.invoices))
	from := uint32(0)
	if n > 0 {
		from = m.invoices[n-1].End
	}
	for _, contract := range m.parts[from:i.End] {
		k := &m.contracts[contract]
		k.closed = append(k.closed, closed{i.Month, n})
		m.noLongerOpen(contract, i.Month)
	}
	m.invoices = append(m.invoices, i)
	c := m.customers[i.CustomerRef]
	c.invoices = c.invoices.With(n)
	m.customers[i.CustomerRef] = c
	m.invoicesByMonth[i.Month] = m.invoicesByMonth[i.Month].With(n)
}

// noLongerOpen takes the period of a contract out of those that are not closed.
func (m *Model) noLongerOpen(contract, month uint32) {
	delete(m.unbilled[month], contract)
	if len(m.unbilled[month]) == 0 {
		delete(m.unbilled, month)
	}
}

// number returns the number of an operation.
func (m *Model) number(ref string) (n uint32, ok bool) {
	rest, isRef := strings.CutPrefix(ref, "BOP-")
	at := strings.LastIndexByte(rest, '-')
	if !isRef || at < 0 {
		return 0, false
	}
	of, err := strconv.ParseUint(rest[at+1:], 10, 32)
	for _, contractRef := range []string{"CTR-" + rest[:at], rest[:at]} {
		c, known := m.contractOf[contractRef]
		if err == nil && known && of >= 1 && of <= uint64(len(m.contracts[c].operations)) && billing.OperationRef(contractRef, int64(of)) == ref {
			return m.contracts[c].operations[of-1], true
		}
	}
	return 0, false
}

// change brings into an operation what became of it, and returns its number.
func (m *Model) change(is billing.Operation) (n uint32, ok bool) {
	if n, ok = m.number(is.Ref); ok {
		m.history.change(n, is)
	}
	return n, ok
}
