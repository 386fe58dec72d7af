package metadata

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// Member returns the value at a path of members in JSON, as Text returns it, and reports whether it
// is there. With an empty path it is the text itself.
func Member(text string, path []string) (string, bool) {
	if len(path) == 0 {
		return text, true
	}
	b := json.RawMessage(text)
	for _, step := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(b, &members) != nil || members[step] == nil {
			return "", false
		}
		b = members[step]
	}
	return Text(b), true
}

// SetMember returns JSON with text at a path of members. With an empty path it is the text itself.
func SetMember(b json.RawMessage, path []string, text string) json.RawMessage {
	if len(path) == 0 {
		return json.RawMessage(text)
	}
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(b, &members) // anything but an object is replaced
	if len(path) == 1 {
		members[path[0]] = Quote(text)
	} else {
		members[path[0]] = SetMember(members[path[0]], path[1:], text)
	}
	out, _ := json.Marshal(members) // JSON within JSON: cannot fail
	return out
}

// Text returns JSON as it is written in keys and headers: a string without its quotes.
func Text(b []byte) string {
	var s string
	if len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil {
		return s
	}
	return string(b)
}

// Quote returns text as a JSON string.
func Quote(text string) []byte {
	b, _ := json.Marshal(text) // text: cannot fail
	return b
}

// WriteJSON writes headers whose schema is more than a list of scalars. Each member becomes a
// header: text as it is, anything else as JSON.
func WriteJSON[H any, P interface {
	*H
	jsonvalue.Payload
}](h *H, m message.Metadata) error {
	b, err := P(h).AppendJSON(nil)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("headers are not an object: %w", err)
	}
	for name, v := range members {
		if Reserved(name) {
			return fmt.Errorf("header %s is a reserved name", name)
		}
		m[name] = Text(v)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote. known are the headers of the schema, or nil for all. texts
// are the headers that are text even if they look like something else.
func ReadJSON[H any, P interface {
	*H
	jsonvalue.Payload
}](m message.Metadata, known, texts []string) (h H, err error) {
	members := map[string]json.RawMessage{}
	for name, v := range m {
		if Reserved(name) || known != nil && !slices.Contains(known, name) {
			continue
		}
		members[name] = json.RawMessage(v)
		if slices.Contains(texts, name) || !json.Valid(members[name]) {
			members[name] = Quote(v)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return h, err
	}
	return h, P(&h).DecodeJSON(b)
}
