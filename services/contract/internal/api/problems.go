package api

import (
	"context"
	"errors"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/journal"
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

// problemOf is the one place where an error of the domain, the store or the journal becomes a problem. That an outcome is
// unknown comes first: such an error may wrap others that sound more certain.
func problemOf(err error) *problem.Problem {
	var (
		invalid   *contract.Invalid
		forbidden *contract.Forbidden
	)
	switch {
	case errors.Is(err, journal.ErrUnknownOutcome):
		return problem.New(problem.OutcomeUnknown, "the log did not confirm the record in time; it may still be recorded").
			WithHint("repeat the request with the same Idempotency-Key: the answer will be that of whichever attempt landed").WithRetryAfter(2)
	case errors.As(err, &invalid):
		return invalidRequest(invalid)
	case errors.As(err, &forbidden):
		p := problem.New(problem.TransitionForbidden, "%s", forbidden.Error()).WithHint("choose among allowed")
		for _, a := range forbidden.Allowed {
			p.Allowed = append(p.Allowed, string(a))
		}
		p.ContractVersion = forbidden.Version
		return p
	case errors.Is(err, idempotency.ErrReused):
		return problem.New(problem.IdempotencyKeyReused, "%s", err).
			WithHint("take a new key for a new intention")
	case errors.Is(err, journal.ErrParked):
		return problem.New(problem.StreamParked, "the contract met a record that is impossible; an operator has to correct it").
			WithHint("repeat later with the same Idempotency-Key").WithRetryAfter(60)
	case errors.Is(err, journal.ErrTooLarge):
		return problem.New(problem.BodyTooLarge, "the record would be too large for the log")
	case errors.Is(err, journal.ErrNotReady):
		return notReady(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem.New(problem.NotReady, "there was no decision in time; nothing was recorded").
			WithHint("repeat the request with the same Idempotency-Key").WithRetryAfter(1)
	}
	return problem.FromOgen(err)
}

func notReady(err error) *problem.Problem {
	return problem.New(problem.NotReady, "%s", err).WithHint("repeat the request with the same Idempotency-Key; GET /readyz says when").WithRetryAfter(1)
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
