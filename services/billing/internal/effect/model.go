package effect

import (
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
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

	n int // how many operations are before it in the log
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
// no lock of its own.
type Model struct {
	Operations           []*Operation // in the order of the log
	OperationByRef       map[string]*Operation
	OperationsByContract map[string][]*Operation
	OperationsByCustomer map[string][]*Operation
	OperationsByInvoice  map[string][]*Operation
	OperationsByOrder    map[string][]*Operation
	OperationsByPeriod   map[billing.Period][]*Operation // those that were not refused
	Refused              []*Operation
	Cancelled            []*Operation // not only appended to: copy it before Read returns
	Contracts            []string     // in the order in which they were first heard of
	ContractsByCustomer  map[string][]string
	CustomerContracts    map[billing.CustomerKey][]string
	Invoices             []string // in the order of issue
	InvoicesByContract   map[string][]string
	InvoicesByCustomer   map[string][]string
	InvoicesByPeriod     map[billing.Period][]string
	// how many contracts of a customer have something in a period that is not closed
	Open    map[billing.Period]map[billing.CustomerKey]int
	Running map[billing.Period]bool // runs that are not completed

	unbilled map[unbilledKey][]*Operation // accepted, their period open
	cut      *modelCut                    // that is being handed out; nil if none is
}

type unbilledKey struct {
	contract string
	period   billing.Period
}

// NewModel returns the read model before the first record.
func NewModel() *Model {
	m := &Model{}
	m.Reset()
	return m
}

// Reset empties the model.
func (m *Model) Reset() {
	*m = Model{
		OperationByRef: map[string]*Operation{}, OperationsByContract: map[string][]*Operation{}, OperationsByCustomer: map[string][]*Operation{},
		OperationsByInvoice: map[string][]*Operation{}, OperationsByOrder: map[string][]*Operation{}, OperationsByPeriod: map[billing.Period][]*Operation{}, ContractsByCustomer: map[string][]string{}, CustomerContracts: map[billing.CustomerKey][]string{},
		InvoicesByContract: map[string][]string{}, InvoicesByCustomer: map[string][]string{}, InvoicesByPeriod: map[billing.Period][]string{},
		Open: map[billing.Period]map[billing.CustomerKey]int{}, Running: map[billing.Period]bool{}, unbilled: map[unbilledKey][]*Operation{},
	}
}

// Project brings an applied record into the model.
func (m *Model) Project(a Applied) {
	_ = a.Event().Visit(projector{m, a.After, a.DecidedAt}) // no method of it returns an error
}

// projector is a visitor that brings an event into the read model.
type projector struct {
	*Model
	after billing.States
	at    time.Time
}

// addContract adds a contract unless it is known.
func (m *Model) addContract(c billing.Contract) {
	if !slices.Contains(m.ContractsByCustomer[c.CustomerRef], c.Ref) {
		m.ContractsByCustomer[c.CustomerRef] = append(m.ContractsByCustomer[c.CustomerRef], c.Ref)
		m.CustomerContracts[c.Customer()] = append(m.CustomerContracts[c.Customer()], c.Ref)
	}
	if c.Version >= 1 && !m.Knows(c.Ref) {
		m.Contracts = append(m.Contracts, c.Ref)
		m.OperationsByContract[c.Ref] = nil
	}
}

// Knows reports whether billing has heard of a contract.
func (m *Model) Knows(contractRef string) bool {
	_, ok := m.OperationsByContract[contractRef]
	return ok
}

// addOperation adds an operation, with the figures right after its record and the reasons of a
// refused purchase.
func (m projector) addOperation(o Operation, reasons []billing.Reason) *Operation {
	a, _ := m.after.Account(o.ContractRef)
	o.DecidedAt, o.SubscriptionRef, o.CustomerRef = m.at, a.Contract.SubscriptionRef, a.Contract.CustomerRef
	o.Judgement = Judgement{
		ContractVersion: a.Contract.Version, Outstanding: a.Outstanding(), Ceiling: a.Contract.Ceiling, Available: a.Available(), Reasons: reasons,
	}
	if len(reasons) > 0 {
		c := a.Contract
		o.Judgement.Refused = &Refused{Status: c.Status, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, Mandate: a.CheckMandate(m.at)}
	}
	if purchase, ok := m.OperationByRef[o.PurchaseRef]; ok {
		m.change(purchase)
		purchase.Refunded += o.Amount.Amount
		o.OrderRef = purchase.OrderRef
	}
	m.list(&o)
	return &o
}

// list adds an operation to the lists that it stays in, as the last one of the log.
func (m *Model) list(o *Operation) {
	o.n = len(m.Operations)
	m.Operations = append(m.Operations, o)
	m.OperationByRef[o.Ref] = o
	m.OperationsByContract[o.ContractRef] = append(m.OperationsByContract[o.ContractRef], o)
	m.OperationsByCustomer[o.CustomerRef] = append(m.OperationsByCustomer[o.CustomerRef], o)
	m.OperationsByOrder[o.OrderRef] = append(m.OperationsByOrder[o.OrderRef], o)
	if o.Period != (billing.Period{}) {
		m.OperationsByPeriod[o.Period] = append(m.OperationsByPeriod[o.Period], o)
	}
	switch o.Status {
	case billing.OperationRefused:
		m.Refused = append(m.Refused, o)
	case billing.OperationCancelled: // in a snapshot
		m.Cancelled = append(m.Cancelled, o)
	}
}

// addToPeriod adds an accepted operation to the open period that it belongs to.
func (m projector) addToPeriod(o Operation) {
	p := m.addOperation(o, nil)
	a, _ := m.after.Account(o.ContractRef)
	k := unbilledKey{o.ContractRef, o.Period}
	if len(m.unbilled[k]) == 0 {
		if m.Open[o.Period] == nil {
			m.Open[o.Period] = map[billing.CustomerKey]int{}
		}
		m.Open[o.Period][a.Contract.Customer()]++
	}
	m.unbilled[k] = append(m.unbilled[k], p)
}

// cancel takes a purchase of a customer out of its period.
func (m *Model) cancel(purchaseRef string, c billing.CustomerKey) {
	o, ok := m.OperationByRef[purchaseRef]
	if !ok {
		return
	}
	m.change(o)
	o.Status = billing.OperationCancelled
	at, _ := slices.BinarySearchFunc(m.Cancelled, o, func(a, b *Operation) int { return a.n - b.n })
	m.Cancelled = slices.Insert(m.Cancelled, at, o)
	k := unbilledKey{o.ContractRef, o.Period}
	m.unbilled[k] = slices.DeleteFunc(m.unbilled[k], func(x *Operation) bool { return x == o })
	if len(m.unbilled[k]) == 0 {
		m.noLongerOpen(k, c)
	}
}

// issueInvoice adds an invoice and puts the operations of the contracts' period on it.
func (m *Model) issueInvoice(i billing.Invoice) {
	for _, part := range i.Parts {
		k := unbilledKey{part.ContractRef, i.Period}
		for _, o := range m.unbilled[k] {
			m.change(o)
			o.InvoiceRef = i.Ref
		}
		m.OperationsByInvoice[i.Ref] = append(m.OperationsByInvoice[i.Ref], m.unbilled[k]...)
		m.InvoicesByContract[part.ContractRef] = append(m.InvoicesByContract[part.ContractRef], i.Ref)
		m.noLongerOpen(k, billing.CustomerKey{CustomerRef: i.CustomerRef, SellerRef: i.SellerRef})
	}
	slices.SortFunc(m.OperationsByInvoice[i.Ref], func(a, b *Operation) int { return a.n - b.n })
	m.Invoices = append(m.Invoices, i.Ref)
	m.InvoicesByCustomer[i.CustomerRef] = append(m.InvoicesByCustomer[i.CustomerRef], i.Ref)
	m.InvoicesByPeriod[i.Period] = append(m.InvoicesByPeriod[i.Period], i.Ref)
}

// noLongerOpen takes the period of a contract out of those that are not closed.
func (m *Model) noLongerOpen(k unbilledKey, c billing.CustomerKey) {
	delete(m.unbilled, k)
	if m.Open[k.period][c]--; m.Open[k.period][c] == 0 {
		delete(m.Open[k.period], c)
	}
	if len(m.Open[k.period]) == 0 {
		delete(m.Open, k.period)
	}
}
