package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Status is where a contract is in its life.
type Status string

// The life of a contract. Only ACTIVE permits purchases; EXPIRED lasts until the validity is
// prolonged; TERMINATED is final.
const (
	StatusPending    Status = "PENDING"
	StatusActive     Status = "ACTIVE"
	StatusSuspended  Status = "SUSPENDED"
	StatusExpired    Status = "EXPIRED"
	StatusTerminated Status = "TERMINATED"
)

// Action is what may be done to a contract.
type Action string

// The actions, named as the HTTP API names them. Nobody requests ActionActivate and ActionExpire:
// they happen by themselves.
const (
	ActionActivate      Action = "ACTIVATE"
	ActionExpire        Action = "EXPIRE"
	ActionSuspend       Action = "SUSPEND"
	ActionReinstate     Action = "REINSTATE"
	ActionTerminate     Action = "TERMINATE"
	ActionAmend         Action = "AMEND"
	ActionSignMandate   Action = "SIGN_MANDATE"
	ActionRevokeMandate Action = "REVOKE_MANDATE"
)

// permitted is the whole state machine: what may be done in each status. A mandate may be signed
// and revoked even when the contract has ended, because the last invoices may still be due, and the
// debtor may revoke at any time.
var permitted = map[Status][]Action{
	StatusPending:    {ActionActivate, ActionExpire, ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate},
	StatusActive:     {ActionExpire, ActionSuspend, ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate},
	StatusSuspended:  {ActionExpire, ActionReinstate, ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate},
	StatusExpired:    {ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate},
	StatusTerminated: {ActionSignMandate, ActionRevokeMandate},
}

// Allowed lists what a client may ask for in the contract's present state, in a fixed order.
func (c *Contract) Allowed() []Action {
	return slices.DeleteFunc(slices.Clone(permitted[c.Status]), func(a Action) bool {
		switch a {
		case ActionActivate, ActionExpire:
			return true
		case ActionReinstate:
			return !c.Mandate.Stands()
		}
		return !c.permits(a)
	})
}

// permits reports whether the contract's state allows the action, apart from time and values.
func (c *Contract) permits(a Action) bool {
	switch a {
	case ActionActivate, ActionRevokeMandate:
		return c.Mandate.Stands() && slices.Contains(permitted[c.Status], a)
	default:
		return slices.Contains(permitted[c.Status], a)
	}
}

// Forbidden is the error of an action that the contract's state does not allow.
type Forbidden struct {
	Ref     Ref
	Action  Action
	Status  Status
	Version int64
	Allowed []Action // what a client may ask for instead; empty on a contract that is TERMINATED
	Why     string   // completes the sentence "the contract is SUSPENDED ..."; may be empty
	Remedy  string   // what to do first; may be empty
}

func (e *Forbidden) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("%s is not possible on %s, which is %s %s", e.Action, e.Ref, e.Status, e.Why), " ")
}

// because returns the error with a reason and what to do about it.
func (e *Forbidden) because(why, remedy string) *Forbidden {
	e.Why, e.Remedy = why, remedy
	return e
}

// require returns a *Forbidden unless the contract permits the action.
func (c *Contract) require(a Action) error {
	if c.permits(a) {
		return nil
	}
	return c.forbidden(a)
}

// forbidden returns the error of an action that the contract does not permit.
func (c *Contract) forbidden(a Action) *Forbidden {
	others := slices.DeleteFunc(c.Allowed(), func(b Action) bool { return b == a })
	f := &Forbidden{Ref: c.Ref, Action: a, Status: c.Status, Version: c.Version, Allowed: others}
	switch {
	case a == ActionRevokeMandate:
		return f.because("and has no mandate that stands", "")
	case c.Status == StatusTerminated:
		f.Allowed = []Action{}
		return f.because("for good", "a terminated contract is not changed any more; subscribe a new one")
	case c.Status == StatusExpired:
		return f.because("since its validity ended", fmt.Sprintf("amend validUntil first; the contract is %s again then", c.underlying()))
	}
	return f
}

// Invalid is the error of a command whose values break a rule; it names every fault, not only the
// first.
type Invalid struct{ Faults []Fault }

// Fault is one broken rule: where (a JSON pointer into the request's body) and what.
type Fault struct{ Pointer, Message string }

func (e *Invalid) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = f.Pointer + ": " + f.Message
	}
	return strings.Join(texts, "; ")
}

// faults collects what is wrong with a command.
type faults []Fault

func (f *faults) add(pointer, format string, args ...any) {
	*f = append(*f, Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Invalid{Faults: f}
}
