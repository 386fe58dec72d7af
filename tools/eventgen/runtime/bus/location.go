package bus

import (
	"encoding/json"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Location is a place in a message: a header, or a field of the payload. The zero Location is none.
type Location[T any] struct {
	Header []string // of a header, and then of members of the JSON in it
	Text   string   // of a place in the payload, as the contract writes it
	Of     func(*T) string
	Set    func(*T, string) // leaves the payload as it is when the text has no place in it
}

func (l *Location[T]) none() bool { return len(l.Header) == 0 && l.Of == nil }

// get gives what stands there; "" when nothing does.
func (l *Location[T]) get(m message.Metadata, v *T) string {
	switch {
	case l.Of != nil:
		return l.Of(v)
	case len(l.Header) == 0:
		return ""
	}
	text, _ := metadata.Member(m[l.Header[0]], l.Header[1:])
	return text
}

// put writes it there, unless something else stands there. It fails when it cannot stand there.
func (l *Location[T]) put(m message.Metadata, v *T, text string) error {
	switch {
	case text == "" || l.get(m, v) != "":
	case l.Set != nil:
		if l.Set(v, text); l.Of(v) == "" {
			return Permanentf("%w: %s is not set, and %q cannot stand there: fill it", ErrInvalid, l.Text, text)
		}
	case len(l.Header) > 0:
		m[l.Header[0]] = string(metadata.SetMember(json.RawMessage(m[l.Header[0]]), l.Header[1:], text))
	}
	return nil
}

// correlationHeader is that of Watermill's own middleware.
const correlationHeader = "correlation_id"

// correlation is where the id of a message stands that a reply repeats: Watermill's own header
// unless the contract says otherwise.
func (c *Spec[T, K, H]) correlation() *Location[T] {
	if c.Correlation.none() {
		return &Location[T]{Header: []string{correlationHeader}}
	}
	return &c.Correlation
}
