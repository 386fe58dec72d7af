// Package trace carries the W3C trace context of a request to the records and messages it leads to.
// The services' HTTP layers, stores and routers import it.
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

// With returns a context that carries a trace context. One that is not valid is left out.
func With(ctx context.Context, traceparent string) context.Context {
	if !valid.MatchString(traceparent) {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, traceparent)
}

// From is the trace context that ctx carries, or "".
func From(ctx context.Context) string {
	s, _ := ctx.Value(contextKey{}).(string)
	return s
}

// HTTP puts the trace context of each request into its context, and begins one for a request that
// has none.
func HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tp := r.Header.Get(Header)
		if !valid.MatchString(tp) {
			tp = New()
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), tp)))
	})
}

// New begins a trace.
func New() string {
	var b [24]byte
	rand.Read(b[:]) // never fails
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"
}
