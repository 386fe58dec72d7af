package contract

import "time"

// ErasureVisitor has a method for the event of an erasure.
type ErasureVisitor interface {
	PersonalDataErased(PersonalDataErased) error
}

// ErasePersonalData asks for the personal data of a contract to be erased, in any status. It has no
// effect if it was erased before and none was added since.
type ErasePersonalData struct{}

func (ErasePersonalData) decide(c *Contract, _ time.Time) (Event, error) {
	if !c.ErasedAt.IsZero() && !c.Personal {
		return nil, ErrNoEffect
	}
	return PersonalDataErased{Ref: c.Ref}, nil
}

// PersonalDataErased: the personal data that was recorded until now may not be read any more. The
// keys that it was sealed with are destroyed after this event.
type PersonalDataErased struct{ Ref Ref }

// About implements Event.
func (e PersonalDataErased) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e PersonalDataErased) Visit(v Visitor) error { return v.PersonalDataErased(e) }

func (e PersonalDataErased) apply(c *Contract, at time.Time) (*Contract, error) {
	next := *c
	next.Erasures++
	next.ErasedAt, next.Personal = at, false
	return &next, nil
}
