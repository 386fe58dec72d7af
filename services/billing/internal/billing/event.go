package billing

import "time"

// Event is a decision, as the log keeps it. One of the types below.
type Event interface {
	// About names what the event is about: the log needs it to order, to answer and to publish it.
	About() Subject
}

// Subject is what an event is about, by references; "" stands for none.
type Subject struct {
	Contract  string // none for a run
	Operation string // that it makes
	Purchase  string // that it gives back, wholly or in part
	Invoice   string // that it issues, or brings forward
}

// ContractObserved: a newer state of a contract was read.
type ContractObserved struct {
	Contract   Contract
	Fact       string // name of the fact that carried it
	EventID    string
	OccurredAt time.Time
}

// ContractUnreadable: a fact about a known contract could not be read; purchases on it wait for a
// newer one.
type ContractUnreadable struct {
	ContractRef string
	Source      Source
	Error       string
}

// PurchaseAccepted: a purchase counts from here on.
type PurchaseAccepted struct {
	OperationRef    string
	ContractRef     string
	OrderRef        string
	Label           string
	Amount          Money
	Period          Period
	ContractVersion int64
}

// PurchaseRefused: a purchase was asked for and does not count.
type PurchaseRefused struct {
	OperationRef    string
	ContractRef     string
	OrderRef        string
	Label           string
	Amount          Money
	Reasons         []Reason
	ContractVersion int64
}

// RefundAccepted: part of a purchase is given back, within its open period.
type RefundAccepted struct {
	OperationRef string
	ContractRef  string
	PurchaseRef  string
	Reason       string
	Amount       Money
	Period       Period
}

// PeriodClosed: nothing enters the period any more, and its invoice is issued.
type PeriodClosed struct {
	ContractRef string
	Period      Period
	Lines       int64
	Total       Money
	InvoiceRef  string
	Hash        Hash
	Buyer       Company
}

// DebitPresented: the direct debit of an invoice was given to the bank.
type DebitPresented struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64 // counted from 1
	RUM          string
	Amount       Money
}

// DebitCollected: the bank collected it.
type DebitCollected struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64
	Amount       Money
}

// DebitRejected: the bank rejected it before settling it.
type DebitRejected struct {
	ContractRef  string
	InvoiceRef   string
	Presentation int64
	Reason       string // SEPA reason code
	Amount       Money
}

// RunStarted: a billing run was asked for.
type RunStarted struct{ Period Period }

// RunCompleted: a billing run went over every contract.
type RunCompleted struct {
	Period   Period
	Closed   int64 // periods closed by this run
	Invoices int64 // invoices issued by this run
	LeftOut  []LeftOut
}

// LeftOut is a contract that a run could not bill.
type LeftOut struct {
	ContractRef string
	Code        string
	Detail      string
}

func (e ContractObserved) About() Subject   { return Subject{Contract: e.Contract.Ref} }
func (e ContractUnreadable) About() Subject { return Subject{Contract: e.ContractRef} }
func (e PurchaseAccepted) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef}
}
func (e PurchaseRefused) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef}
}
func (e RefundAccepted) About() Subject {
	return Subject{Contract: e.ContractRef, Operation: e.OperationRef, Purchase: e.PurchaseRef}
}
func (e PeriodClosed) About() Subject { return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef} }
func (e DebitPresented) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}
func (e DebitCollected) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}
func (e DebitRejected) About() Subject {
	return Subject{Contract: e.ContractRef, Invoice: e.InvoiceRef}
}
func (RunStarted) About() Subject   { return Subject{} }
func (RunCompleted) About() Subject { return Subject{} }
