package contract

import (
	"fmt"
	"time"
)

// Event is what happened to a contract. The events are the types of this package that a Visitor has
// a method for.
type Event interface {
	// About returns what it is about.
	About() Subject
	// Visit calls the visitor's method for the event.
	Visit(Visitor) error
	// apply returns the contract after it. It never changes c, which Fold has checked to exist.
	apply(c *Contract, at time.Time) (*Contract, error)
}

// Subject is what an event is about: the states that its record reads and sets. Records of former
// versions do not expect the streams of customers and mandates; for them these members are empty.
type Subject struct {
	Contract Ref
	Numbered bool   // the reference is the next one
	Customer string // reference of the customer in whose list of contracts it enters this one
	Debit    string // id of the event about a failed debit that led to it
	Mandate  string // key of the mandate that it uses
	Revoked  bool   // the mandate is revoked by it
}

// Visitor has a method for every event. Whatever has to deal with all events is a Visitor, so that
// it does not compile while it leaves one out.
type Visitor interface {
	TermsVisitor
	StatusVisitor
	MandateVisitor
	RepublicationVisitor
	ErasureVisitor
}

// Fold returns the contract after an event that happened at the instant at. It never changes c. An
// error says that the event is impossible on c: no command on c could have led to it. Values are
// taken as they are, so that a rule made stricter later does not make the past unreadable.
func Fold(c *Contract, e Event, at time.Time) (*Contract, error) {
	if _, first := e.(Subscribed); first != (c == nil) {
		return nil, fmt.Errorf("%T on a contract that exists: %t", e, c != nil)
	}
	next, err := e.apply(c, at)
	if err != nil {
		return nil, err
	}
	if _, hidden := e.(PersonalDataErased); !hidden { // nobody outside sees a change
		next.Version++
		next.UpdatedAt = at
	}
	return next, nil
}

// step returns a copy to be changed, if the contract permits the action.
func (c *Contract) step(a Action) (*Contract, error) {
	if err := c.require(a); err != nil {
		return nil, err
	}
	next := *c
	return &next, nil
}
