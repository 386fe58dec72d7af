package billing

import (
	"errors"
	"time"
)

// States holds the states that a decision looks at. A state is never changed in place.
type States interface {
	Account(contractRef string) (Account, bool)
	Operation(ref string) (Operation, bool)
	Invoice(ref string) (Invoice, bool)
	Customer(CustomerKey) Customer
	Numbering(Series) Numbering
	Run(Period) Run
	// Order returns the reference of the accepted purchase that has an order, "" for none.
	Order(OrderKey) string
}

// Book holds the states that an event touches. Put replaces a state.
type Book interface {
	States
	PutAccount(Account)
	PutOperation(Operation)
	PutInvoice(Invoice)
	PutCustomer(Customer)
	PutNumbering(Series, Numbering)
	PutRun(Run)
	PutOrder(k OrderKey, purchaseRef string)
}

// Moment is when a decision is made, and the time zone of its month.
type Moment struct {
	Now   time.Time
	Paris *time.Location
}

// ErrNoEffect is the error of a command that has nothing to record. It is not a failure.
var ErrNoEffect = errors.New("no effect")

// Command is what is asked of billing, by a request, a fact or a run. The commands are the types of
// this package that have a decide method.
type Command interface {
	// About names what the decision looks at, as far as it is known before.
	About() Subject
	decide(s States, at Moment) (Event, error)
}

// Decide answers a command on the states of what it is about. It returns the event that the command
// amounts to, or why there is none. It changes nothing, and Apply accepts the event on the same
// states.
func Decide(s States, c Command, at Moment) (Event, error) { return c.decide(s, at) }
