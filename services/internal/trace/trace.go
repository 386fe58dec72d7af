// Package trace carries the W3C trace context of a request to the records and messages that it
// leads to. The HTTP layers, stores and routers of the services import it.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"regexp"
)

// Header is the name of the HTTP header and of the Kafka header.
const Header = "traceparent"

type contextKey struct{}

var valid = regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// With returns a context that carries a trace context, or ctx if the trace context is not valid.
func With(ctx context.Context, traceparent string) context.Context {
	if !valid.MatchString(traceparent) {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, traceparent)
}

// From returns the trace context that ctx carries, "" if there is none.
func From(ctx context.Context) string {
	s, _ := ctx.Value(contextKey{}).(string)
	return s
}

// URN returns the id of the trace that ctx carries as a URN, "" if it carries none.
func URN(ctx context.Context) string {
	if tp := From(ctx); tp != "" {
		return "urn:trace:" + tp[3:35]
	}
	return ""
}

// HTTP returns a handler that adds the trace context of a request to its context. It begins a trace
// for a request without one.
func HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tp := r.Header.Get(Header)
		if !valid.MatchString(tp) {
			tp = New()
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), tp)))
	})
}

// New returns the context of a new trace.
func New() string {
	var b [24]byte
	rand.Read(b[:]) // never fails
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"
}
