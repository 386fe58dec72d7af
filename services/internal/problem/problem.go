// Package problem holds the errors of HTTP interfaces: problem documents by RFC 9457, with one
// stable code for each cause. It knows the causes that every service has; a service defines its own
// with NewCode. The services' HTTP layers import it. Their domains return their own errors and know
// nothing of HTTP.
package problem

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// Challenge is the header WWW-Authenticate of an answer to a request without valid credentials.
const Challenge = `Bearer realm="deferpay"`

// Code names a cause, with the status and the title that every problem of that cause has. Clients
// may rely on it: a code never changes its meaning.
type Code struct {
	name   string
	status int
	title  string
}

// NewCode returns the code of a cause that one service has.
func NewCode(name string, status int, title string) Code { return Code{name, status, title} }

// The causes that every service has.
var (
	InvalidRequest        = Code{"invalid-request", http.StatusBadRequest, "The request is not what the contract says"}
	IdempotencyKeyMissing = Code{"idempotency-key-missing", http.StatusBadRequest, "A write needs an Idempotency-Key"}
	Unauthenticated       = Code{"unauthenticated", http.StatusUnauthorized, "No valid credentials"}
	Forbidden             = Code{"forbidden", http.StatusForbidden, "The credentials do not cover this operation"}
	NotFound              = Code{"not-found", http.StatusNotFound, "Nothing is served here"}
	MethodNotAllowed      = Code{"method-not-allowed", http.StatusMethodNotAllowed, "The method is not allowed here"}
	TransitionForbidden   = Code{"transition-forbidden", http.StatusConflict, "The state does not allow this"}
	RequestInProgress     = Code{"request-in-progress", http.StatusConflict, "The same request is still in progress"}
	RequestTimeout        = Code{"request-timeout", http.StatusRequestTimeout, "The request did not arrive in time"}
	PreconditionFailed    = Code{"precondition-failed", http.StatusPreconditionFailed, "The resource has changed since it was read"}
	BodyTooLarge          = Code{"body-too-large", http.StatusRequestEntityTooLarge, "The request body is too large"}
	HeadersTooLarge       = Code{"headers-too-large", http.StatusRequestHeaderFieldsTooLarge, "The request headers are too large"}
	UnsupportedMediaType  = Code{"unsupported-media-type", http.StatusUnsupportedMediaType, "The request body has the wrong media type"}
	IdempotencyKeyReused  = Code{"idempotency-key-reused", http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request"}
	PreconditionRequired  = Code{"precondition-required", http.StatusPreconditionRequired, "The change needs If-Match"}
	TooManyRequests       = Code{"too-many-requests", http.StatusTooManyRequests, "Too many requests in a short time"}
	Internal              = Code{"internal", http.StatusInternalServerError, "Something went wrong on our side"}
	NotReady              = Code{"not-ready", http.StatusServiceUnavailable, "The service is not ready"}
	OutcomeUnknown        = Code{"outcome-unknown", http.StatusServiceUnavailable, "The outcome is not known yet"}
	StreamParked          = Code{"stream-parked", http.StatusServiceUnavailable, "A stream is held for a correction"}
	PositionNotReached    = Code{"position-not-reached", http.StatusServiceUnavailable, "The requested log position is not reached yet"}
)

// Codes returns the causes that every service has.
func Codes() []Code {
	return []Code{
		InvalidRequest,
		IdempotencyKeyMissing,
		Unauthenticated,
		Forbidden,
		NotFound,
		MethodNotAllowed,
		TransitionForbidden,
		RequestInProgress,
		RequestTimeout,
		PreconditionFailed,
		BodyTooLarge,
		HeadersTooLarge,
		UnsupportedMediaType,
		IdempotencyKeyReused,
		PreconditionRequired,
		TooManyRequests,
		Internal,
		NotReady,
		OutcomeUnknown,
		StreamParked,
		PositionNotReached,
	}
}

// String returns the stable name.
func (c Code) String() string { return c.name }

// Status returns the HTTP status. That of the zero Code, which is a mistake in the program, is 500.
func (c Code) Status() int { return cmp.Or(c.status, Internal.status) }

// Title is the same for every problem of a code.
func (c Code) Title() string { return cmp.Or(c.title, Internal.title) }

// URN returns the code as the type of a problem.
func (c Code) URN() string { return "urn:deferpay:problem:" + c.name }

// FieldError describes a fault in one part of a request.
type FieldError struct {
	// Pointer is a JSON pointer into the body ("/buyer/siren"), or the parameter as "query:limit",
	// "path:contractRef", "header:If-Match".
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Problem is an RFC 9457 problem document and an error. Only Code and Detail are always set.
type Problem struct {
	Code       Code
	Detail     string
	Instance   string
	Hint       string
	Allowed    []string // transitions, or methods, that are allowed instead
	RetryAfter int      // seconds; also the header Retry-After
	Errors     []FieldError
	// Extension is a struct with the members that a service adds to the document, or nil.
	Extension any
}

// New returns a problem with a code and a detail.
func New(code Code, format string, args ...any) *Problem {
	return &Problem{Code: code, Detail: legible(fmt.Sprintf(format, args...), maxDetail)}
}

// WithHint returns a copy with a hint of what to do.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	q := *p
	q.Hint = fmt.Sprintf(format, args...)
	return &q
}

// WithInstance returns a copy with an id of this occurrence, unless it has one.
func (p *Problem) WithInstance(id string) *Problem {
	q := *p
	q.Instance = cmp.Or(p.Instance, id)
	return &q
}

// WithExtension returns a copy with the members that a service adds.
func (p *Problem) WithExtension(members any) *Problem {
	q := *p
	q.Extension = members
	return &q
}

// WithRetryAfter returns a copy that says when to try again, in seconds.
func (p *Problem) WithRetryAfter(seconds int) *Problem {
	q := *p
	q.RetryAfter = seconds
	return &q
}

// Error implements error. The text is for logs.
func (p *Problem) Error() string { return p.Code.name + ": " + p.Detail }

// From returns the problem that an error is or wraps. For any other error it returns an Internal
// problem that does not contain the text of the error, which belongs in the log.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return New(Internal, "the request could not be handled because of a fault in the service").WithHint("try again with the same Idempotency-Key; if it lasts, tell the operators")
}

// MarshalJSON implements json.Marshaler.
func (p *Problem) MarshalJSON() ([]byte, error) {
	own, err := json.Marshal(document{
		Type: p.Code.URN(), Title: p.Code.Title(), Status: p.Code.Status(), Detail: p.Detail, Instance: p.Instance, Code: p.Code.name,
		Hint: p.Hint, Allowed: p.Allowed, RetryAfter: p.RetryAfter, Errors: p.Errors,
	})
	if err != nil || p.Extension == nil {
		return own, err
	}
	added, err := json.Marshal(p.Extension)
	if err != nil || len(added) <= len("{}") {
		return own, err
	}
	return append(append(own[:len(own)-1], ','), added[1:]...), nil
}

type document struct {
	Type       string       `json:"type"`
	Title      string       `json:"title"`
	Status     int          `json:"status"`
	Detail     string       `json:"detail"`
	Instance   string       `json:"instance,omitempty"`
	Code       string       `json:"code"`
	Hint       string       `json:"hint,omitempty"`
	Allowed    []string     `json:"allowed,omitempty"`
	RetryAfter int          `json:"retryAfter,omitempty"`
	Errors     []FieldError `json:"errors,omitempty"`
}

// Write answers a request with the problem. Nothing may have been written before.
func Write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil { // a document has strings and numbers only
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
		h.Set("WWW-Authenticate", Challenge)
	}
	w.WriteHeader(p.Code.Status())
	_, _ = w.Write(append(body, '\n'))
}
