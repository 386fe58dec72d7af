package api

import (
	"context"
	"net/http"
	"regexp"
)

type traceKey struct{}

// traceForm is the header traceparent of W3C Trace Context, version 00.
var traceForm = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// withTrace keeps the trace context of a request for the records it leads to.
func withTrace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if parent := r.Header.Get("traceparent"); traceForm.MatchString(parent) {
			r = r.WithContext(context.WithValue(r.Context(), traceKey{}, parent))
		}
		next.ServeHTTP(w, r)
	})
}

// Traceparent gives the W3C trace context of the request that ctx belongs to, or "".
func Traceparent(ctx context.Context) string {
	parent, _ := ctx.Value(traceKey{}).(string)
	return parent
}
