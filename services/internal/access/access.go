// Package access identifies callers and checks what they may do. A caller sends an API key, of
// which a file has the hash, or a bearer token of an OAuth2 issuer. Either has a subject, scopes,
// and possibly customers: then the caller sees and changes what belongs to these alone. Writes and
// refusals are logged for the audit.
//
// The HTTP layers of the services import it for their security handlers; the domains never do.
// docs/security.md describes the model.
package access

import (
	"context"
	"slices"
)

// The scopes of the OpenAPI documents. None implies another.
const (
	Read  = "read"
	Write = "write"
	Admin = "admin"
	// Payments covers the accounts of mandates.
	Payments = "payments"
)

var scopes = []string{Read, Write, Admin, Payments}

// HeaderName is the header that carries an API key.
const HeaderName = "X-API-Key"

// Caller is who sent a request.
type Caller struct {
	// Subject names the client. Idempotency keys and records refer to the subject and not to the
	// credential, because credentials rotate.
	Subject string
	Scopes  []string
	// Customers are those whose data the caller sees and changes. Nil is every customer.
	Customers []string
}

// Sees reports whether the caller sees and changes what belongs to a customer.
func (c Caller) Sees(customerRef string) bool {
	return c.Customers == nil || slices.Contains(c.Customers, customerRef)
}

type contextKey struct{}

// With returns a context that carries the caller.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From returns the caller that is in the context.
func From(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(contextKey{}).(Caller)
	return c, ok
}

// Customers returns the customers that the caller of a request is bound to, nil if it is not bound.
// Lists leave out what belongs to others.
func Customers(ctx context.Context) []string {
	c, _ := From(ctx)
	return c.Customers
}
