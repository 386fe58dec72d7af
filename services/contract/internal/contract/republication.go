package contract

import (
	"fmt"
	"time"
)

// MaxVersion is the highest version that a contract may have: the largest integer that every reader
// of JSON takes in exactly.
const MaxVersion = 1<<53 - 1

// MaxAboveVersion is the highest version that a republication may be asked to surpass. It leaves
// the contract room for more than a million further versions.
const MaxAboveVersion = 1<<53 - 1<<20

// RepublicationVisitor has a method for the event of a republication.
type RepublicationVisitor interface {
	Republished(Republished) error
}

// Republish asks for the state of a contract to be published again, in any status. The version is
// raised above the contract's own and above AboveVersion, so that a reader that holds a wrong state
// under that version takes in the right one.
type Republish struct {
	AboveVersion int64 // 0: the contract's own
}

func (r Republish) check(f *faults) {
	if r.AboveVersion < 0 || r.AboveVersion > MaxAboveVersion {
		f.add("/aboveVersion", "must be from 1 to %d", int64(MaxAboveVersion))
	}
}

func (r Republish) decide(c *Contract, _ time.Time) (Event, error) {
	if err := Check(r); err != nil {
		return nil, err
	}
	return Republished{Ref: c.Ref, Version: max(c.Version, r.AboveVersion) + 1}, nil
}

// Republished: the state of the contract is published again, under this version.
type Republished struct {
	Ref     Ref
	Version int64
}

// About implements Event.
func (e Republished) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e Republished) Visit(v Visitor) error { return v.Republished(e) }

func (e Republished) apply(c *Contract, _ time.Time) (*Contract, error) {
	if e.Version <= c.Version || e.Version > MaxVersion {
		return nil, fmt.Errorf("version %d published again as %d", c.Version, e.Version)
	}
	next := *c
	next.Version = e.Version - 1 // Fold adds one
	return &next, nil
}
