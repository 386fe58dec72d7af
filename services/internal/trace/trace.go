// Package trace carries the W3C trace context of a request to the records and messages that it
// leads to, and records spans of what is done on the way. The HTTP layers, stores and routers of
// the services import it.
//
// A nil *Tracer records nothing. Then the trace context of a request is passed on as it is, and
// nothing else happens. The attributes of spans are fixed words, counts, and the topics, ids and
// types of messages: never a text of a request, a credential or personal data.
package trace

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

// Header is the name of the HTTP header and of the Kafka header.
const Header = "traceparent"

// contextKey is the key of a trace context, which is a string, or of a *Span.
type contextKey struct{}

// length is the length of a trace context: version, trace id, span id, flags.
const length = 55

// valid reports whether text is a trace context of the version 00.
func valid(text string) bool {
	if len(text) != length || !strings.HasPrefix(text, "00-") || text[35] != '-' || text[52] != '-' {
		return false
	}
	for i := 3; i < length; i++ {
		c := text[i]
		if i != 35 && i != 52 && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// With returns a context that carries a trace context, or ctx if the trace context is not valid.
func With(ctx context.Context, traceparent string) context.Context {
	if !valid(traceparent) {
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, traceparent)
}

// From returns the trace context that ctx carries, "" if there is none.
func From(ctx context.Context) string {
	switch carried := ctx.Value(contextKey{}).(type) {
	case string:
		return carried
	case *Span:
		return carried.traceparent
	}
	return ""
}

// URN returns the id of the trace that ctx carries as a URN, "" if it carries none.
func URN(ctx context.Context) string {
	if tp := From(ctx); tp != "" {
		return "urn:trace:" + tp[3:35]
	}
	return ""
}

// New returns the context of a new trace. Its ids differ from all others, and are no secret.
func New() string {
	var random [24]byte
	for i := 0; i < len(random); i += 8 {
		binary.NativeEndian.PutUint64(random[i:], rand.Uint64())
	}
	text := make([]byte, 0, length)
	text = hex.AppendEncode(append(text, "00-"...), random[:16])
	text = hex.AppendEncode(append(text, '-'), random[16:])
	return string(append(text, "-01"...))
}
