package trace

import (
	"context"
	"net/http"

	"github.com/ogen-go/ogen/middleware"
)

// HTTP returns a handler that adds the trace context of a request to its context, and records a
// span of the request. It begins a trace for a request without one.
func (t *Tracer) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := With(r.Context(), r.Header.Get(Header))
		switch {
		case t != nil:
			t.serve(ctx, next, w, r)
			return
		case From(ctx) == "":
			ctx = With(ctx, New())
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// serve records the span of a request. It has the name of the operation, once that is known.
func (t *Tracer) serve(ctx context.Context, next http.Handler, w http.ResponseWriter, r *http.Request) {
	ctx, span := t.Start(ctx, Server, "request")
	defer span.End()
	span.Set("http.request.method", method(r.Method))
	answered := &recorder{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(answered, r.WithContext(ctx))
	span.SetInt("http.response.status_code", int64(answered.status))
	if answered.status >= http.StatusInternalServerError {
		span.Fail(http.StatusText(answered.status))
	}
}

// method returns the method of a request, unless a client made it up.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "_OTHER"
}

// recorder keeps the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Operation is a middleware of the generated servers. It names the span of a request after its
// operation.
func Operation(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if span := Current(req.Context); span != nil {
		span.Rename(req.OperationID)
		span.Set("oas.operation", req.OperationID)
	}
	return next(req)
}

// Problem notes the code of the problem that a request is answered with.
func Problem(ctx context.Context, code string) { Current(ctx).Set("error.type", code) }
