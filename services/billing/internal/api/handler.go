package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/runs"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/trace"
)

const (
	// decideIn bounds a command: what is not decided by then is answered as unknown, and the retry settles it.
	decideIn = 10 * time.Second
	// freshIn bounds the wait for a Log-Position.
	freshIn = 2 * time.Second
	// runIn is how long a billing run is waited for before it is answered as it stands.
	runIn = 8 * time.Second
)

// Config says what the interface stands on.
type Config struct {
	Store  *store.Store
	Runs   *runs.Runner
	Keys   *access.Keys
	Logger *slog.Logger
}

// New makes the HTTP interface, with everything around it but health and listening.
func New(cfg Config) (http.Handler, error) {
	h := &handler{Config: cfg}
	server, err := billingapi.NewServer(h, security{cfg.Keys},
		billingapi.WithErrorHandler(problem.ErrorHandler(cfg.Logger)),
		billingapi.WithNotFound(problem.WriteNotFound),
		billingapi.WithMethodNotAllowed(problem.WriteMethodNotAllowed),
		billingapi.WithPathPrefix("/billing/v1"),
		billingapi.WithMiddleware(h.onlyWhenReady),
	)
	if err != nil {
		return nil, err
	}
	return trace.HTTP(problem.LimitBody(cfg.Keys.Anonymous(server))), nil
}

type handler struct {
	Config
	inProgress sync.Map // streams of the keys of requests that are being decided here
}

// onlyWhenReady refuses everything while the log is not read.
func (h *handler) onlyWhenReady(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if err := h.Store.Ready(); err != nil {
		return middleware.Response{}, problem.New(problem.NotReady, "%s", err).WithHint("try again, or ask another instance").WithRetryAfter(1)
	}
	return next(req)
}

// answered is a problem that stands on a record.
type answered struct {
	*problem.Problem
	position int64
	replayed bool
}

func (a *answered) Unwrap() error { return a.Problem }

// NewError turns whatever a handler returns into a problem document.
func (h *handler) NewError(ctx context.Context, err error) *billingapi.ProblemStatusCodeWithHeaders {
	p := problem.FromOgen(problemOf(err))
	if p.Code == problem.Internal {
		h.Logger.ErrorContext(ctx, "request not answered", "error", err.Error(), "traceparent", trace.From(ctx))
	}
	out := &billingapi.ProblemStatusCodeWithHeaders{StatusCode: p.Code.Status(), Response: document(p)}
	if p.RetryAfter > 0 {
		out.RetryAfter.SetTo(int32(p.RetryAfter))
	}
	if p.Code == problem.Unauthenticated {
		out.WWWAuthenticate.SetTo(`Bearer realm="deferpay"`)
	}
	var a *answered
	if errors.As(err, &a) {
		out.LogPosition.SetTo(position(a.position))
		out.IdempotentReplayed = replayed(a.replayed)
	}
	return out
}

// security asks the keys who calls. Bearer tokens are not accepted yet.
type security struct{ keys *access.Keys }

func (s security) HandleApiKey(ctx context.Context, _ billingapi.OperationName, t billingapi.ApiKey) (context.Context, error) {
	return s.keys.Authenticate(ctx, t.APIKey, t.Roles)
}

func (s security) HandleOAuth2(context.Context, billingapi.OperationName, billingapi.OAuth2) (context.Context, error) {
	return nil, problem.New(problem.Unauthenticated, "bearer tokens are not accepted yet").WithHint("send an API key in %s", access.HeaderName)
}

// request names a command by its idempotency key. Release must be called when it is decided.
func (h *handler) request(ctx context.Context, key billingapi.OptString, operation, path string, body interface{ MarshalJSON() ([]byte, error) }) (req idempotency.Request, release func(), err error) {
	k, ok := key.Get()
	if !ok {
		return req, nil, problem.New(problem.IdempotencyKeyMissing, "every write names itself, so that a retry is never done twice").
			WithHint("send Idempotency-Key with 1 to %d printable ASCII characters, a new one for each new request and the same one for a retry", idempotency.MaxKey)
	}
	if !idempotency.ValidKey(k) {
		return req, nil, problem.New(problem.InvalidRequest, "the Idempotency-Key is not 1 to %d printable ASCII characters", idempotency.MaxKey)
	}
	caller, ok := access.From(ctx)
	if !ok {
		return req, nil, problem.New(problem.Unauthenticated, "nobody is known to call")
	}
	req, err = idempotency.New(caller.Subject, k, operation, path, body)
	if err != nil {
		return req, nil, err
	}
	stream := req.Stream()
	if _, busy := h.inProgress.LoadOrStore(stream, true); busy {
		return req, nil, problem.New(problem.RequestInProgress, "a request with this Idempotency-Key has not been answered yet").WithHint("try again with the same key").WithRetryAfter(1)
	}
	return req, func() { h.inProgress.Delete(stream) }, nil
}

// fresh waits until the position that the client asks for is read.
func (h *handler) fresh(ctx context.Context, at billingapi.OptLogPosition) error {
	given, ok := at.Get()
	if !ok {
		return nil
	}
	log, text, _ := strings.Cut(string(given), ":")
	offset, err := strconv.ParseInt(text, 10, 64)
	if log != store.Log || err != nil {
		p := problem.New(problem.InvalidRequest, "Log-Position %q is no place in %s", given, store.Log).WithHint("send back what this service's answer said, or leave it out")
		p.Errors = []problem.FieldError{{Pointer: "header:Log-Position", Message: "is of the form " + store.Log + ":<offset>"}}
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, freshIn)
	defer cancel()
	if err := h.Store.WaitFor(ctx, offset); err != nil {
		return problem.New(problem.PositionNotReached, "%s was not read up to %d within %s", log, offset, freshIn).WithHint("try again, or read without Log-Position").WithRetryAfter(1)
	}
	return nil
}

func position(offset int64) billingapi.LogPosition {
	return billingapi.LogPosition(store.LogPosition(offset))
}

func replayed(is bool) (o billingapi.OptBool) {
	if is {
		o.SetTo(true)
	}
	return o
}

func parsePeriod(p billingapi.Period) (billing.Period, error) {
	out, err := billing.ParsePeriod(string(p))
	if err != nil {
		return out, problem.New(problem.InvalidRequest, "%s", err)
	}
	return out, nil
}
