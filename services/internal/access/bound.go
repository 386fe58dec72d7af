package access

import (
	"fmt"
	"slices"

	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// Target is what a request is about.
type Target struct {
	Kind Kind
	Ref  string
}

// Kind is the kind of a target, as the audit names it.
type Kind string

// The kinds that are the same in every service. Others are a service's own, and belong to a
// customer.
const (
	// Customer is a customer itself.
	Customer Kind = "customer"
	// Listed is what the operation selects: it leaves out what belongs to others by Customers.
	Listed Kind = ""
)

// Ownership says to whom the targets of a service's requests belong. It holds back from a caller
// who is bound to customers what belongs to others: such a caller is answered as if it did not
// exist. An operation that names no target is refused to bound callers, so that a new one is safe
// until somebody has thought of it.
type Ownership struct {
	// Paths are the kinds of target that the parameters of a path name, by their names.
	Paths map[string]Kind
	// Bodies return the target that a body names, by the operationId.
	Bodies map[string]func(body any) Target
	// Lists are the operations that leave out what belongs to others.
	Lists []string
	// Owner returns the customer that the target of a request belongs to. Found is false if there
	// is no such target.
	Owner func(req middleware.Request, t Target) (customerRef string, found bool, err error)
	// Missing returns the error for a target that there is not.
	Missing func(operation string, t Target) error
}

// Middleware is for the generated servers.
func (o Ownership) Middleware(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	target, named := o.target(req)
	note(req.Context, func(l *line) { l.target = target })
	caller, _ := From(req.Context)
	if caller.Customers == nil {
		return next(req)
	}
	if err := o.admit(req, caller, target, named); err != nil {
		return middleware.Response{}, err
	}
	return next(req)
}

func (o Ownership) target(req middleware.Request) (t Target, named bool) {
	for name, kind := range o.Paths {
		if ref, ok := req.Params.Path(name); ok {
			return Target{kind, fmt.Sprint(ref)}, true
		}
	}
	if of := o.Bodies[req.OperationID]; of != nil {
		return of(req.Body), true
	}
	return Target{Kind: Listed}, slices.Contains(o.Lists, req.OperationID)
}

// admit returns why a bound caller is refused, nil if it is not.
func (o Ownership) admit(req middleware.Request, caller Caller, t Target, named bool) error {
	switch {
	case !named:
		return problem.New(problem.Forbidden, "%q is bound to customers, and the operation is about all of them", caller.Subject).
			WithHint("use credentials that are not bound to customers")
	case t.Kind == Listed:
		return nil
	case t.Kind == Customer && !caller.Sees(t.Ref):
		return problem.New(problem.Forbidden, "%q is not bound to the customer %s", caller.Subject, t.Ref).
			WithHint("use credentials of that customer")
	case t.Kind == Customer:
		return nil
	}
	owner, found, err := o.Owner(req, t)
	if err != nil {
		return err
	}
	if found && caller.Sees(owner) {
		return nil
	}
	note(req.Context, func(l *line) { l.foreign = found })
	return o.Missing(req.OperationID, t)
}
