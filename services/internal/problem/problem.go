// Package problem gives the errors of both HTTP interfaces: problem documents as RFC 9457 has them,
// with one stable code per cause and one table from code to status. The services' HTTP layers
// import it; their domains return their own errors and know nothing of HTTP.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// Code names a cause. Clients may rely on it: a code never changes its meaning.
type Code string

// The causes that both services share. The services' own are NotFound with another code; see
// Code.Status.
const (
	InvalidRequest        Code = "invalid-request"
	IdempotencyKeyMissing Code = "idempotency-key-missing"
	Unauthenticated       Code = "unauthenticated"
	Forbidden             Code = "forbidden"
	NotFound              Code = "not-found"
	ContractNotFound      Code = "contract-not-found"
	SubscriptionNotFound  Code = "subscription-not-found"
	CustomerNotFound      Code = "customer-not-found"
	OperationNotFound     Code = "operation-not-found"
	InvoiceNotFound       Code = "invoice-not-found"
	BillingRunNotFound    Code = "billing-run-not-found"
	MethodNotAllowed      Code = "method-not-allowed"
	TransitionForbidden   Code = "transition-forbidden"
	ContractUnknown       Code = "contract-unknown"
	RequestInProgress     Code = "request-in-progress"
	MandateNotValid       Code = "mandate-not-valid"
	RefundNotPossible     Code = "refund-not-possible"
	PeriodNotEnded        Code = "period-not-ended"
	PreconditionFailed    Code = "precondition-failed"
	BodyTooLarge          Code = "body-too-large"
	UnsupportedMediaType  Code = "unsupported-media-type"
	IdempotencyKeyReused  Code = "idempotency-key-reused"
	PurchaseRefused       Code = "purchase-refused"
	RefundExceedsPurchase Code = "refund-exceeds-purchase"
	PreconditionRequired  Code = "precondition-required"
	Internal              Code = "internal"
	NotBuilt              Code = "not-built"
	NotReady              Code = "not-ready"
	OutcomeUnknown        Code = "outcome-unknown"
	StreamParked          Code = "stream-parked"
	ContractUnreadable    Code = "contract-unreadable"
	PositionNotReached    Code = "position-not-reached"
)

// causes is the one place where a code gets its status and its title.
var causes = map[Code]struct {
	status int
	title  string
}{
	InvalidRequest:        {http.StatusBadRequest, "The request is not what the contract says"},
	IdempotencyKeyMissing: {http.StatusBadRequest, "A write needs an Idempotency-Key"},
	Unauthenticated:       {http.StatusUnauthorized, "No valid credentials"},
	Forbidden:             {http.StatusForbidden, "The credentials do not cover this operation"},
	NotFound:              {http.StatusNotFound, "Nothing is served here"},
	ContractNotFound:      {http.StatusNotFound, "No such contract"},
	SubscriptionNotFound:  {http.StatusNotFound, "No such subscription"},
	CustomerNotFound:      {http.StatusNotFound, "No such customer"},
	OperationNotFound:     {http.StatusNotFound, "No such operation"},
	InvoiceNotFound:       {http.StatusNotFound, "No such invoice"},
	BillingRunNotFound:    {http.StatusNotFound, "No such billing run"},
	MethodNotAllowed:      {http.StatusMethodNotAllowed, "The method is not allowed here"},
	TransitionForbidden:   {http.StatusConflict, "The state does not allow this"},
	ContractUnknown:       {http.StatusConflict, "Billing has not heard of this contract yet"},
	RequestInProgress:     {http.StatusConflict, "The same request is still in progress"},
	MandateNotValid:       {http.StatusConflict, "The mandate does not allow a direct debit"},
	RefundNotPossible:     {http.StatusConflict, "Only an accepted purchase can be refunded"},
	PeriodNotEnded:        {http.StatusConflict, "The period has not ended"},
	PreconditionFailed:    {http.StatusPreconditionFailed, "The resource has changed since it was read"},
	BodyTooLarge:          {http.StatusRequestEntityTooLarge, "The request body is too large"},
	UnsupportedMediaType:  {http.StatusUnsupportedMediaType, "The request body has the wrong media type"},
	IdempotencyKeyReused:  {http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request"},
	PurchaseRefused:       {http.StatusUnprocessableEntity, "The purchase is refused"},
	RefundExceedsPurchase: {http.StatusUnprocessableEntity, "The refund exceeds what is left of the purchase"},
	PreconditionRequired:  {http.StatusPreconditionRequired, "The change needs If-Match"},
	Internal:              {http.StatusInternalServerError, "Something went wrong on our side"},
	NotBuilt:              {http.StatusNotImplemented, "This operation is in the contract and not built yet"},
	NotReady:              {http.StatusServiceUnavailable, "The service is not ready"},
	OutcomeUnknown:        {http.StatusServiceUnavailable, "The outcome is not known yet"},
	StreamParked:          {http.StatusServiceUnavailable, "This contract is held for a correction"},
	ContractUnreadable:    {http.StatusServiceUnavailable, "The newest state of the contract could not be read"},
	PositionNotReached:    {http.StatusServiceUnavailable, "The asked log position is not reached yet"},
}

// Codes lists every code that this package knows, in no order.
func Codes() []Code {
	out := make([]Code, 0, len(causes))
	for c := range causes {
		out = append(out, c)
	}
	return out
}

// Status is the HTTP status of a code; a code that is not in the table is a mistake in this
// program, 500.
func (c Code) Status() int {
	if cause, ok := causes[c]; ok {
		return cause.status
	}
	return http.StatusInternalServerError
}

// Title is the same for every problem of a code.
func (c Code) Title() string {
	if cause, ok := causes[c]; ok {
		return cause.title
	}
	return causes[Internal].title
}

// URN is the code as the problem's type.
func (c Code) URN() string { return "urn:deferpay:problem:" + string(c) }

// Money is an amount in minor units, as both interfaces write it.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// FieldError says what is wrong with one part of a request.
type FieldError struct {
	// Pointer is a JSON pointer into the body ("/buyer/siren"), or the parameter as "query:limit",
	// "path:contractRef", "header:If-Match".
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Problem is an RFC 9457 problem document and an error. Only Code and Detail are always there; the
// rest says what to do or what the verdict stands on.
type Problem struct {
	Code            Code
	Detail          string
	Instance        string
	Hint            string
	Allowed         []string // transitions, or methods, that are allowed instead
	OperationRef    string   // of the refused purchase, which is recorded
	Reasons         []string // of a refused purchase
	ContractVersion int64    // the purchase was judged by; 0 is absent
	Outstanding     *Money
	Ceiling         *Money
	Available       *Money
	RetryAfter      int // seconds; also the header Retry-After
	Errors          []FieldError
}

// New makes a problem.
func New(code Code, format string, args ...any) *Problem {
	return &Problem{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy that also says what to do.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	q := *p
	q.Hint = fmt.Sprintf(format, args...)
	return &q
}

// WithRetryAfter returns a copy that also says when to try again, in seconds.
func (p *Problem) WithRetryAfter(seconds int) *Problem {
	q := *p
	q.RetryAfter = seconds
	return &q
}

// Error is for logs.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// From returns the problem that an error is or wraps. Any other error becomes an Internal problem
// which says nothing of the error: what it says belongs in the log.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return New(Internal, "the request could not be handled; nothing is known to be wrong with it").WithHint("try again with the same Idempotency-Key; if it lasts, tell the operators")
}

// MarshalJSON gives the document.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: p.Code.Status(), Detail: p.Detail, Instance: p.Instance, Code: p.Code,
		Hint: p.Hint, Allowed: p.Allowed, OperationRef: p.OperationRef, Reasons: p.Reasons, ContractVersion: p.ContractVersion,
		Outstanding: p.Outstanding, Ceiling: p.Ceiling, Available: p.Available, RetryAfter: p.RetryAfter, Errors: p.Errors,
	})
}

type document struct {
	Type            string       `json:"type"`
	Title           string       `json:"title"`
	Status          int          `json:"status"`
	Detail          string       `json:"detail"`
	Instance        string       `json:"instance,omitempty"`
	Code            Code         `json:"code"`
	Hint            string       `json:"hint,omitempty"`
	Allowed         []string     `json:"allowed,omitempty"`
	OperationRef    string       `json:"operationRef,omitempty"`
	Reasons         []string     `json:"reasons,omitempty"`
	ContractVersion int64        `json:"contractVersion,omitempty"`
	Outstanding     *Money       `json:"outstanding,omitempty"`
	Ceiling         *Money       `json:"ceiling,omitempty"`
	Available       *Money       `json:"available,omitempty"`
	RetryAfter      int          `json:"retryAfter,omitempty"`
	Errors          []FieldError `json:"errors,omitempty"`
}

// Write answers with the problem. Nothing may have been written before.
func Write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil { // only strings and numbers in there
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Code == Unauthenticated {
		h.Set("WWW-Authenticate", `Bearer realm="deferpay"`)
	}
	w.WriteHeader(p.Code.Status())
	_, _ = w.Write(append(body, '\n'))
}
