// Package logapi provides what the HTTP interfaces of services that decide on a log have in common:
// nothing is served before the log is read, reads wait for the Log-Position of the request, writes
// are named by their Idempotency-Key, and the errors of all that have one problem each. The HTTP
// layers of the services import it.
package logapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/strict"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
)

const (
	// CommandTime bounds a command. One that is not decided by then is answered as unknown, and a
	// retry settles it.
	CommandTime = 10 * time.Second
	// positionTime bounds the wait for a Log-Position.
	positionTime = 2 * time.Second
)

// Config is what every HTTP interface needs.
type Config struct {
	Ready  func() error // nothing is served while it returns a reason
	Access *access.Control
	Logger *slog.Logger
	Tracer *trace.Tracer // nil: no spans are recorded
}

// Around wraps a generated server with what every interface has: the trace of a request, a limit on
// its body, the refusal of ambiguous requests, and a caller for a request without credentials if
// that is allowed.
func (c Config) Around(server http.Handler) http.Handler {
	return c.Tracer.HTTP(problem.LimitBody(strict.HTTP(c.Access.HTTP(server), c.Access.Refuse)))
}

// NotFound answers a request for a path that is not in the contract. It is for WithNotFound of the
// generated servers.
func (c Config) NotFound(w http.ResponseWriter, r *http.Request) {
	c.Access.Refuse(w, r, problem.NoPath(r))
}

// MethodNotAllowed answers a request with a method that the path does not have. It is for
// WithMethodNotAllowed of the generated servers.
func (c Config) MethodNotAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	c.Access.Refuse(w, r, problem.NoMethod(w, r, allowed))
}

// Middleware returns what a generated server calls around every operation: see trace.Operation,
// strict.Parameters, WhenReady and access.Ownership.
func (c Config) Middleware(owned access.Ownership) []middleware.Middleware {
	return []middleware.Middleware{trace.Operation, strict.Parameters, WhenReady(c.Ready), owned.Middleware}
}

// Report logs a problem that is a fault of this program, and returns it with the trace of the
// request, by which it is found in the log. Other problems are returned as they are: a refusal is
// answered again with the same bytes. The audit has the code of every problem. Refusals of
// credentials are held back, see access.Control.HoldBack.
func (c Config) Report(ctx context.Context, p *problem.Problem, err error) *problem.Problem {
	access.Outcome(ctx, p.Code)
	trace.Problem(ctx, p.Code.String())
	c.Access.HoldBack(ctx, p.Code)
	if p.Code != problem.Internal {
		return p
	}
	c.Logger.ErrorContext(ctx, "request not handled", "error", err.Error(), "traceparent", trace.From(ctx))
	return p.WithInstance(trace.URN(ctx))
}

// ErrorHandler is for WithErrorHandler of the generated servers: see problem.FromOgen and Report.
func (c Config) ErrorHandler(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	problem.Write(w, c.Report(ctx, problem.FromOgen(err), fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)))
}

// Challenge returns the header WWW-Authenticate of a problem, "" if it has none.
func Challenge(p *problem.Problem) string {
	if p.Code == problem.Unauthenticated {
		return problem.Challenge
	}
	return ""
}

// WhenReady is a middleware of the generated servers that answers 503 while ready returns a reason.
// After a query it checks again, because the state may have been discarded during the query. It
// does not after a command, whose answer is that of a record.
func WhenReady(ready func() error) middleware.Middleware {
	return func(req middleware.Request, next middleware.Next) (middleware.Response, error) {
		if err := ready(); err != nil {
			return middleware.Response{}, notReady(err)
		}
		answer, err := next(req)
		if req.Raw.Method != http.MethodGet {
			return answer, err
		}
		if why := ready(); why != nil {
			return middleware.Response{}, notReady(why)
		}
		return answer, err
	}
}

func notReady(err error) *problem.Problem {
	return problem.New(problem.NotReady, "%s", problem.WithoutAddresses(err.Error())).WithHint("try again, or ask another instance; GET /readyz says what it waits for").WithRetryAfter(1)
}

// Log is a log whose positions answers name.
type Log interface {
	Topic() string
	Position() int64
	WaitFor(ctx context.Context, offset int64) error
	// Barrier returns when everything is read that was recorded before it was called.
	Barrier(ctx context.Context) error
}

// Position returns a position of a log in the form of the header Log-Position.
func Position(log Log, offset int64) string {
	return log.Topic() + ":" + strconv.FormatInt(max(offset, 0), 10)
}

// Fresh returns when the log is read up to the position that a client sent back. Asked is the
// header, "" if there is none. The error is a problem.
func Fresh(ctx context.Context, log Log, asked string) error {
	if asked == "" {
		return nil
	}
	topic, text, _ := strings.Cut(asked, ":")
	offset, err := strconv.ParseInt(text, 10, 64)
	if err != nil || topic != log.Topic() {
		p := problem.New(problem.InvalidRequest, "Log-Position %s is not a position in %s", asked, log.Topic()).
			WithHint("send a Log-Position as this service returned it, %s:OFFSET, or leave it out", log.Topic())
		p.Errors = []problem.FieldError{{Pointer: "header:Log-Position", Message: "must be " + log.Topic() + ":OFFSET"}}
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, positionTime)
	defer cancel()
	if err := log.WaitFor(ctx, offset); err != nil {
		return problem.New(problem.PositionNotReached, "asked for %s; this instance is at %s", asked, Position(log, log.Position())).
			WithHint("repeat the request, or leave Log-Position out").WithRetryAfter(1)
	}
	return nil
}

// Find looks for what a request names. If look does not find it, Find looks again once everything
// is read that was recorded before, because another instance may have recorded it a moment ago. So
// a 404 is true of the time at which the request came. The error is a problem.
func Find(ctx context.Context, log Log, look func() bool) (bool, error) {
	if look() {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, positionTime)
	defer cancel()
	if err := log.Barrier(ctx); err != nil {
		return false, problem.New(problem.NotReady, "this instance does not have it, and could not read in time what was recorded last").
			WithHint("try again, or ask another instance").WithRetryAfter(1)
	}
	return look(), nil
}

// Owner looks for the customer that the target of a request belongs to, as Find does. What the
// caller may not see takes as long as what does not exist, so that time does not tell them apart.
// It is for access.Ownership.
func Owner(ctx context.Context, log Log, look func() (customerRef string, found bool)) (customerRef string, found bool, err error) {
	caller, _ := access.From(ctx)
	_, err = Find(ctx, log, func() bool {
		customerRef, found = look()
		return found && caller.Sees(customerRef)
	})
	return customerRef, found, err
}

// Requests are the writes that one instance is deciding. The zero value is ready for use.
type Requests struct{ deciding sync.Map } // by the stream of the key

// Begin names a write by its key, "" if the header is missing. Operation is the operationId, path
// the parameters of the path, and body the decoded body or nil. Release must be called once the
// write is answered. Until then another request with the key is refused; the log would prevent a
// second effect anyway. Errors are problems, except that of a body that cannot be encoded.
func (r *Requests) Begin(ctx context.Context, key, operation, path string, body json.Marshaler) (req idempotency.Request, release func(), err error) {
	if key == "" {
		return req, nil, problem.New(problem.IdempotencyKeyMissing, "the header Idempotency-Key is missing: every write names itself, so that a retry is never done twice").
			WithHint("send a new key for each intention, 1 to %d printable ASCII characters, and the same key on each retry of it", idempotency.MaxKey)
	}
	if !idempotency.ValidKey(key) {
		return req, nil, problem.New(problem.InvalidRequest, "the Idempotency-Key is not 1 to %d printable ASCII characters", idempotency.MaxKey)
	}
	caller, ok := access.From(ctx)
	if !ok {
		return req, nil, errors.New("the context of the request has no caller")
	}
	if req, err = idempotency.New(caller.Subject, key, operation, path, body); err != nil {
		return req, nil, err
	}
	stream := req.Stream()
	if _, busy := r.deciding.LoadOrStore(stream, true); busy {
		return req, nil, problem.New(problem.RequestInProgress, "a request with this Idempotency-Key is not answered yet").
			WithHint("try again with the same key").WithRetryAfter(1)
	}
	return req, func() { r.deciding.Delete(stream) }, nil
}

// causes maps the errors of the journal, of keys and of deadlines to problems. The first that fits
// counts. An unknown outcome comes first, because such an error may wrap others that sound more
// certain. No text says more than that this attempt recorded nothing: an earlier one with the same
// key may have.
var causes = []struct {
	is     error
	code   problem.Code
	detail string // "": the text of the error, without addresses
	hint   string
	retry  int
}{
	{journal.ErrUnknownOutcome, problem.OutcomeUnknown, "the log did not confirm the record in time; it may still be recorded",
		"repeat the request with the same Idempotency-Key: the answer will be that of whichever attempt landed", 1},
	{journal.ErrNotReady, problem.NotReady, "", "try again, or ask another instance; GET /readyz says what it waits for", 1},
	{journal.ErrParked, problem.StreamParked, "a record that is impossible was met; an operator has to correct it", "repeat later with the same Idempotency-Key", 60},
	{journal.ErrTooLarge, problem.BodyTooLarge, "the record would be too large for the log", "send less text", 0},
	{idempotency.ErrReused, problem.IdempotencyKeyReused, "", "take a new key for a new intention", 0},
	{context.DeadlineExceeded, problem.NotReady, "there was no decision in time; this attempt recorded nothing", "repeat the request with the same Idempotency-Key", 1},
	{context.Canceled, problem.NotReady, "there was no decision in time; this attempt recorded nothing", "repeat the request with the same Idempotency-Key", 1},
}

// Problem returns the problem of an error of deciding or reading on a log, nil for any other error.
func Problem(err error) *problem.Problem {
	for _, c := range causes {
		if !errors.Is(err, c.is) {
			continue
		}
		detail := c.detail
		if detail == "" {
			detail = problem.WithoutAddresses(err.Error())
		}
		return problem.New(c.code, "%s", detail).WithHint("%s", c.hint).WithRetryAfter(c.retry)
	}
	return nil
}
