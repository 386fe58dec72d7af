package billing

import (
	"errors"
	"fmt"
	"time"
)

// Event is a decision, as the log keeps it. The events are the types of this package that a Visitor
// has a method for.
type Event interface {
	// About names what the event is about: the streams that it changes, and what is published of
	// it.
	About() Subject
	// Visit calls the visitor's method for the event.
	Visit(Visitor) error
	// apply brings the event into the book; see Apply.
	apply(b Book, at time.Time) error
}

// Visitor has a method for every event. Whatever has to deal with all events is a Visitor, so that
// it does not compile while it leaves one out.
type Visitor interface {
	ContractVisitor
	OperationVisitor
	InvoiceVisitor
	RunVisitor
}

// Subject is what an event or a command is about, by references; "" stands for none.
type Subject struct {
	Contract  string      // none for a run
	Contracts []string    // others that it changes too; Contract may be among them
	Customer  CustomerKey // whose list of contracts it changes; the zero value for none
	Operation string      // that it makes
	Purchase  string      // that it changes
	Order     OrderKey    // that it takes or frees
	Invoice   string      // that it issues or changes
	Run       Period      // the zero period for none
	Series    Series      // that it takes a number of
}

// ErrImpossible: no decision can have led to the event in this state. It has no effect.
var ErrImpossible = errors.New("impossible event")

func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrImpossible, fmt.Errorf(format, args...))
}

// Apply brings an event into the book. It checks what the decision relied on; if it returns an
// error it has put nothing.
func Apply(b Book, e Event, at time.Time) error { return e.apply(b, at) }
