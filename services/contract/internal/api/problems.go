package api

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/seal"
)

// The causes that only this service has.
var (
	contractNotFound  = problem.NewCode("contract-not-found", http.StatusNotFound, "No such contract")
	mandateUsedBefore = problem.NewCode("mandate-already-used", http.StatusConflict, "The mandate reference names another contract's mandate")
	mandateRevoked    = problem.NewCode("mandate-revoked", http.StatusConflict, "The mandate was revoked")
	accountNotFound   = problem.NewCode("account-not-found", http.StatusNotFound, "The contract has no account")
	dataErased        = problem.NewCode("personal-data-erased", http.StatusGone, "The personal data was erased")
	mandateLapsed     = problem.NewCode("mandate-lapsed", http.StatusConflict, "The mandate has lapsed")
	identityDiffers   = problem.NewCode("customer-identity-differs", http.StatusConflict, "The customer's other contracts name another company")
)

// Codes returns the codes of the problems that only this service has, for its tests.
func Codes() []problem.Code {
	return []problem.Code{contractNotFound, mandateUsedBefore, mandateRevoked, mandateLapsed, identityDiffers, accountNotFound, dataErased}
}

// judgedBy adds the version of the contract that a request was judged by to a problem. It is 0 if
// there was no contract.
type judgedBy struct{ version int64 }

// about names the contract in an error that cannot.
func about(ref contractapi.ContractRef, err error) error {
	if errors.Is(err, contract.ErrUnknown) {
		return problem.New(contractNotFound, "there is no contract %s", ref).
			WithHint("check the reference, or search with GET %s/contracts", Prefix)
	}
	return err
}

// problemOf returns the problem of any error: those of the log are the same in every service, the
// others are the domain's.
func problemOf(err error) *problem.Problem {
	if p := logapi.Problem(err); p != nil {
		return p
	}
	var (
		invalid   *contract.Invalid
		forbidden *contract.Forbidden
		unusable  *contract.UnusableMandate
		other     *contract.OtherIdentity
		missing   *store.NoAccount
	)
	switch {
	case errors.As(err, &invalid):
		return invalidRequest(invalid)
	case errors.As(err, &forbidden):
		p := problem.New(problem.TransitionForbidden, "%s", forbidden.Error()).WithHint("%s", cmp.Or(forbidden.Remedy, "choose among allowed"))
		p.Allowed = []string{} // shown even if nothing is
		for _, a := range forbidden.Allowed {
			p.Allowed = append(p.Allowed, string(a))
		}
		return p.WithExtension(judgedBy{forbidden.Version})
	case errors.As(err, &unusable):
		return unusableMandate(unusable)
	case errors.As(err, &other):
		return problem.New(identityDiffers, "%s", other.Error()).WithHint("use that SIREN, or another customerRef").WithExtension(judgedBy{other.Version})
	case errors.As(err, &missing):
		return noAccount(missing)
	case errors.Is(err, seal.ErrNotReady):
		return problem.New(problem.NotReady, "the keys of personal data cannot be read or written now").WithHint("repeat the request with the same Idempotency-Key, if it has one").WithRetryAfter(1)
	}
	return problem.FromOgen(err)
}

func noAccount(err *store.NoAccount) *problem.Problem {
	if err.Erased {
		return problem.New(dataErased, "%s", err.Error()).WithHint("have a mandate signed if there is still something to collect")
	}
	return problem.New(accountNotFound, "%s", err.Error()).WithHint("have a mandate signed")
}

func unusableMandate(err *contract.UnusableMandate) *problem.Problem {
	code := map[contract.Unusable]problem.Code{
		contract.UsedElsewhere: mandateUsedBefore, contract.RevokedBefore: mandateRevoked, contract.Lapsed: mandateLapsed,
	}[err.Cause]
	return problem.New(code, "%s", err.Error()).WithHint("have a new mandate signed, with a reference of its own").WithExtension(judgedBy{err.Version})
}

func invalidRequest(err *contract.Invalid) *problem.Problem {
	fields := make([]problem.FieldError, len(err.Faults))
	for i, f := range err.Faults {
		fields[i] = problem.FieldError{Pointer: f.Pointer, Message: f.Message}
	}
	p := problem.Invalid(fields...)
	p.Detail = fields[0].Pointer + " " + fields[0].Message
	return p
}

// problemBody returns a problem as the generated server writes it.
func problemBody(p *problem.Problem) *contractapi.ProblemStatusCodeWithHeaders {
	text := func(s string) contractapi.OptString { return contractapi.OptString{Value: s, Set: s != ""} }
	b := contractapi.Problem{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: int32(p.Code.Status()), Code: p.Code.String(),
		Detail: text(p.Detail), Instance: text(p.Instance), Hint: text(p.Hint), Allowed: p.Allowed,
		RetryAfter: contractapi.OptInt32{Value: int32(p.RetryAfter), Set: p.RetryAfter != 0},
	}
	for _, e := range p.Errors {
		b.Errors = append(b.Errors, contractapi.FieldError{Pointer: text(e.Pointer), Message: e.Message})
	}
	if j, ok := p.Extension.(judgedBy); ok && j.version > 0 {
		b.ContractVersion = contractapi.NewOptInt64(j.version)
	}
	return &contractapi.ProblemStatusCodeWithHeaders{
		StatusCode: p.Code.Status(), Response: b, RetryAfter: b.RetryAfter, WWWAuthenticate: text(logapi.Challenge(p)),
	}
}
