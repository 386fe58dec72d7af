package ledger

import (
	"errors"
	"fmt"

	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/singleobject"
)

// Body is what a record of a log holds: an event, and the request that led to it, nil if none did.
type Body[E any] struct {
	Event   E
	Request *idempotency.Request
	Taken   *Taken // instead of an event
}

// Codec is a journal.Codec for the bodies of one log. M is a message of the channel that describes
// them. Encode, Decode and Kind are the generated functions of that channel.
type Codec[E, M any] struct {
	ToMessage   func(Body[E]) (M, error)
	FromMessage func(M) (Body[E], error)
	EncodeBytes func(M) ([]byte, error)
	DecodeBytes func([]byte) (M, error)
	Kind        func(M) string
}

// Encode implements journal.Codec.
func (c Codec[E, M]) Encode(b Body[E]) (kind string, data []byte, err error) {
	m, err := c.ToMessage(b)
	if err != nil {
		return "", nil, err
	}
	kind = c.Kind(m)
	if data, err = c.EncodeBytes(m); err != nil {
		return "", nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	return kind, data, nil
}

// Decode implements journal.Codec. A schema that the channel does not have, nor had, is an unknown
// kind.
func (c Codec[E, M]) Decode(kind string, data []byte) (Body[E], error) {
	m, err := c.DecodeBytes(data)
	if errors.Is(err, singleobject.ErrUnknown) {
		return Body[E]{}, fmt.Errorf("%w: %w", journal.ErrUnknownKind, err)
	}
	if err != nil {
		return Body[E]{}, fmt.Errorf("decode %s: %w", kind, err)
	}
	if held := c.Kind(m); held != kind {
		return Body[E]{}, fmt.Errorf("decode %s: the body is a %s", kind, held)
	}
	b, err := c.FromMessage(m)
	if err != nil {
		return Body[E]{}, fmt.Errorf("decode %s: %w", kind, err)
	}
	return b, nil
}

// Show returns the message of a body, for package admin: unlike the domain's events, it is written
// as JSON.
func (c Codec[E, M]) Show(_ string, data []byte) (any, error) { return c.DecodeBytes(data) }

// Requested returns the request of a body in the form that logs keep. It is an error for an event
// to have none if only a request leads to it.
func (b Body[E]) Requested() (Request, error) {
	if b.Request == nil {
		return Request{}, fmt.Errorf("%T without the request that led to it", b.Event)
	}
	return *b.MaybeRequested(), nil
}

// MaybeRequested returns the request of a body in the form that logs keep, nil if there is none.
func (b Body[E]) MaybeRequested() *Request {
	if b.Request == nil {
		return nil
	}
	return &Request{Client: b.Request.Client, Key: b.Request.Key, Operation: b.Request.Operation, Hash: b.Request.Hash}
}

// Unrequested returns an error if a body has a request. It is for events that no request leads to,
// whose messages have no place for one.
func (b Body[E]) Unrequested() error {
	if b.Request != nil {
		return fmt.Errorf("%T keeps no request, and has one of %s", b.Event, b.Request.Operation)
	}
	return nil
}

// Request is a request as logs keep it. The type of a log that is generated from its schema
// converts to it.
type Request struct {
	Client    string
	Key       string
	Operation string
	Hash      []byte
}

// Bodies makes bodies of the events E. The decoder of a service embeds it.
type Bodies[E any] struct{}

// Answering returns the body of an event that a request led to.
func (Bodies[E]) Answering(e E, r Request) (Body[E], error) {
	return Body[E]{Event: e, Request: &idempotency.Request{Client: r.Client, Key: r.Key, Operation: r.Operation, Hash: r.Hash}}, nil
}

// MaybeAnswering returns the body of an event, and of the request that led to it unless it is nil.
func (b Bodies[E]) MaybeAnswering(e E, r *Request) (Body[E], error) {
	if r == nil {
		return b.WithoutRequest(e)
	}
	return b.Answering(e, *r)
}

// WithoutRequest returns the body of an event that no request led to.
func (Bodies[E]) WithoutRequest(e E) (Body[E], error) { return Body[E]{Event: e}, nil }
