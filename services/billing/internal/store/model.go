package store

import (
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// Operation is an operation as it can be read.
type Operation struct {
	Ref             string
	Kind            billing.Kind
	Status          billing.OperationStatus
	ContractRef     string
	SubscriptionRef string
	CustomerRef     string
	OrderRef        string // of a purchase
	PurchaseRef     string // of a refund
	Text            string // what was bought, or why it was given back
	Amount          billing.Money
	Refunded        int64          // of a purchase
	Period          billing.Period // zero when refused
	InvoiceRef      string         // once its period is closed
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
}

// model is the read model. The journal's lock guards it: Project writes, Read reads.
type model struct {
	operations  []*Operation // in the order of the log
	byRef       map[string]*Operation
	byContract  map[string][]*Operation
	byCustomer  map[string][]*Operation
	byInvoice   map[string][]*Operation
	contracts   []string            // in the order in which they were first heard of
	ofCustomer  map[string][]string // contracts
	invoices    []string            // in the order of issue
	ofContract  map[string][]string // invoices
	invoicesIn  map[billing.Period][]string
	unbilled    map[unbilledKey][]*Operation // accepted, their period open
	periodsOpen map[billing.Period]map[string]bool
	running     map[billing.Period]bool // runs that are not completed
}

type unbilledKey struct {
	contract string
	period   billing.Period
}

func newModel() *model {
	return &model{
		byRef: map[string]*Operation{}, byContract: map[string][]*Operation{}, byCustomer: map[string][]*Operation{}, byInvoice: map[string][]*Operation{},
		ofCustomer: map[string][]string{}, ofContract: map[string][]string{}, invoicesIn: map[billing.Period][]string{},
		unbilled: map[unbilledKey][]*Operation{}, periodsOpen: map[billing.Period]map[string]bool{},
		running: map[billing.Period]bool{},
	}
}

// project brings an applied record into the read model.
func (m *model) project(e entry, after *view) {
	b := book{after}
	switch event := e.Body.Event.(type) {
	case billing.ContractObserved:
		m.contract(event.Contract)
	case billing.PurchaseAccepted, billing.PurchaseRefused, billing.RefundAccepted:
		m.operation(operation(b, event, e.DecidedAt))
	case billing.PeriodClosed:
		m.close(event)
	case billing.RunStarted:
		m.running[event.Period] = true
	case billing.RunCompleted:
		delete(m.running, event.Period)
	}
}

func (m *model) contract(c billing.Contract) {
	if !slices.Contains(m.ofCustomer[c.CustomerRef], c.Ref) {
		m.ofCustomer[c.CustomerRef] = append(m.ofCustomer[c.CustomerRef], c.Ref)
	}
	if c.Version >= 1 && !m.known(c.Ref) {
		m.contracts = append(m.contracts, c.Ref)
		m.byContract[c.Ref] = nil
	}
}

func (m *model) known(contractRef string) bool {
	_, ok := m.byContract[contractRef]
	return ok
}

func (m *model) operation(o Operation) {
	p := &o
	m.operations = append(m.operations, p)
	m.byRef[o.Ref] = p
	m.byContract[o.ContractRef] = append(m.byContract[o.ContractRef], p)
	m.byCustomer[o.CustomerRef] = append(m.byCustomer[o.CustomerRef], p)
	if o.Status != billing.OperationAccepted {
		return
	}
	if purchase, ok := m.byRef[o.PurchaseRef]; ok {
		purchase.Refunded += o.Amount.Amount
	}
	k := unbilledKey{o.ContractRef, o.Period}
	m.unbilled[k] = append(m.unbilled[k], p)
	if m.periodsOpen[o.Period] == nil {
		m.periodsOpen[o.Period] = map[string]bool{}
	}
	m.periodsOpen[o.Period][o.ContractRef] = true
}

func (m *model) close(e billing.PeriodClosed) {
	k := unbilledKey{e.ContractRef, e.Period}
	for _, o := range m.unbilled[k] {
		o.InvoiceRef = e.InvoiceRef
	}
	m.byInvoice[e.InvoiceRef] = m.unbilled[k]
	delete(m.unbilled, k)
	delete(m.periodsOpen[e.Period], e.ContractRef)
	if len(m.periodsOpen[e.Period]) == 0 {
		delete(m.periodsOpen, e.Period)
	}
	m.invoices = append(m.invoices, e.InvoiceRef)
	m.ofContract[e.ContractRef] = append(m.ofContract[e.ContractRef], e.InvoiceRef)
	m.invoicesIn[e.Period] = append(m.invoicesIn[e.Period], e.InvoiceRef)
}

// operation is what can be read of an operation right after its record.
func operation(b book, e billing.Event, at time.Time) Operation {
	o := Operation{Kind: billing.KindPurchase, Status: billing.OperationAccepted, DecidedAt: at}
	var reasons []billing.Reason
	switch e := e.(type) {
	case billing.PurchaseAccepted:
		o.Ref, o.ContractRef, o.OrderRef, o.Text, o.Amount, o.Period = e.OperationRef, e.ContractRef, e.OrderRef, e.Label, e.Amount, e.Period
	case billing.PurchaseRefused:
		o.Ref, o.ContractRef, o.OrderRef, o.Text, o.Amount = e.OperationRef, e.ContractRef, e.OrderRef, e.Label, e.Amount
		o.Status, reasons = billing.OperationRefused, e.Reasons
	case billing.RefundAccepted:
		o.Ref, o.ContractRef, o.PurchaseRef, o.Text, o.Amount, o.Period = e.OperationRef, e.ContractRef, e.PurchaseRef, e.Reason, e.Amount, e.Period
		o.Kind = billing.KindRefund
	}
	a, _ := b.Account(o.ContractRef)
	o.SubscriptionRef, o.CustomerRef = a.Contract.SubscriptionRef, a.Contract.CustomerRef
	o.Judgement = Judgement{
		ContractVersion: a.Contract.Version, Outstanding: a.Outstanding(), Ceiling: a.Contract.Ceiling, Available: a.Available(), Reasons: reasons,
	}
	return o
}

// asDecided is the operation as it was first answered.
func (o Operation) asDecided() Operation {
	o.Refunded, o.InvoiceRef = 0, ""
	return o
}
