package api

import (
	"errors"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// about names the contract in an error that cannot.
func about(ref contractapi.ContractRef, err error) error {
	if errors.Is(err, contract.ErrUnknown) {
		return problem.New(problem.ContractNotFound, "there is no contract %s", ref).
			WithHint("check the reference, or search with GET %s/contracts", Prefix)
	}
	return err
}

// problemOf is the one place where an error becomes a problem: those of the log as in every
// service, and the domain's.
func problemOf(err error) *problem.Problem {
	if p := logapi.Problem(err); p != nil {
		return p
	}
	var (
		invalid   *contract.Invalid
		forbidden *contract.Forbidden
	)
	switch {
	case errors.As(err, &invalid):
		return invalidRequest(invalid)
	case errors.As(err, &forbidden):
		p := problem.New(problem.TransitionForbidden, "%s", forbidden.Error()).WithHint("choose among allowed")
		for _, a := range forbidden.Allowed {
			p.Allowed = append(p.Allowed, string(a))
		}
		p.ContractVersion = forbidden.Version
		return p
	}
	return problem.FromOgen(err)
}

func invalidRequest(err *contract.Invalid) *problem.Problem {
	first := err.Faults[0]
	p := problem.New(problem.InvalidRequest, "%s %s", first.Pointer, first.Message).WithHint("nothing was recorded; correct the request and send it again")
	for _, f := range err.Faults {
		p.Errors = append(p.Errors, problem.FieldError{Pointer: f.Pointer, Message: f.Message})
	}
	return p
}

// problemBody is a problem as the generated server writes it.
func problemBody(p *problem.Problem) *contractapi.ProblemStatusCodeWithHeaders {
	text := func(s string) contractapi.OptString { return contractapi.OptString{Value: s, Set: s != ""} }
	b := contractapi.Problem{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: int32(p.Code.Status()), Code: string(p.Code),
		Detail: text(p.Detail), Instance: text(p.Instance), Hint: text(p.Hint), Allowed: p.Allowed,
		ContractVersion: contractapi.OptInt64{Value: p.ContractVersion, Set: p.ContractVersion != 0},
		RetryAfter:      contractapi.OptInt32{Value: int32(p.RetryAfter), Set: p.RetryAfter != 0},
	}
	for _, e := range p.Errors {
		b.Errors = append(b.Errors, contractapi.FieldError{Pointer: text(e.Pointer), Message: e.Message})
	}
	out := &contractapi.ProblemStatusCodeWithHeaders{StatusCode: p.Code.Status(), Response: b, RetryAfter: b.RetryAfter}
	if p.Code == problem.Unauthenticated {
		out.WWWAuthenticate = text(`Bearer realm="deferpay"`)
	}
	return out
}
