package bus

import (
	"encoding/json"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Location is a place in a message: a header, a member in a header, or a field of the payload. The
// zero Location is no place.
type Location[T any] struct {
	Header []string // the name of a header, then of members of the JSON in it
	Text   string   // of a place in the payload, as in the contract
	Of     func(*T) string
	Set    func(*T, string) // does nothing if the field cannot hold the text
}

func (l *Location[T]) none() bool { return len(l.Header) == 0 && l.Of == nil }

// get returns the value there, or "".
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

// put writes text there, unless there is a value already. An error is returned if the place cannot
// hold the text.
func (l *Location[T]) put(m message.Metadata, v *T, text string) error {
	switch {
	case text == "" || l.get(m, v) != "":
	case l.Set != nil:
		if l.Set(v, text); l.Of(v) == "" {
			return Permanentf("%w: %s is not set, and cannot be set to %q", ErrInvalid, l.Text, text)
		}
	case len(l.Header) > 0:
		m[l.Header[0]] = string(metadata.SetMember(json.RawMessage(m[l.Header[0]]), l.Header[1:], text))
	}
	return nil
}

// correlationHeader is the header of Watermill's own middleware.
const correlationHeader = "correlation_id"

// correlation returns the location of the id that a reply repeats. Without one in the contract it
// is Watermill's own header.
func (c *Spec[T, K, H]) correlation() *Location[T] {
	if c.Correlation.none() {
		return &Location[T]{Header: []string{correlationHeader}}
	}
	return &c.Correlation
}
