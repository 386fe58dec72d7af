package bus

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// Header is one header that a contract declares.
type Header struct {
	Name      string
	Below     []string // members of the JSON in the header: the rest is about what stands there
	Required  bool
	Const     string   // its only value; filled in when sending
	Enum      []string // its possible values
	MinLength int
	MaxLength int    // 0: no limit
	Pattern   string // regular expression
	Format    string // date-time, uuid; others are not checked
}

// in gives what the header is about, of a message.
func (h *Header) in(m message.Metadata) (string, bool) {
	text, ok := m[h.Name]
	if !ok {
		return "", false
	}
	return memberText(text, h.Below)
}

// label is how the header is called.
func (h *Header) label() string { return strings.Join(append([]string{h.Name}, h.Below...), "/") }

// memberText gives what stands below those members of JSON.
func memberText(text string, path []string) (string, bool) {
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
	return plain(b), true
}

// CheckText checks a value against the declared constraints; it serves keys too.
func (h *Header) CheckText(v string) error {
	n := utf8.RuneCountInString(v)
	switch {
	case h.Const != "" && v != h.Const:
		return fmt.Errorf("is %q, not %q", v, h.Const)
	case len(h.Enum) > 0 && !slices.Contains(h.Enum, v):
		return fmt.Errorf("is %q, not one of %q", v, h.Enum)
	case n < h.MinLength && n == 0:
		return errors.New("is empty")
	case n < h.MinLength:
		return fmt.Errorf("has %d characters, fewer than %d", n, h.MinLength)
	case h.MaxLength > 0 && n > h.MaxLength:
		return fmt.Errorf("has %d characters, more than %d", n, h.MaxLength)
	case h.Pattern != "" && !compiled(h.Pattern).MatchString(v):
		return fmt.Errorf("is %q, which does not match %s", v, h.Pattern)
	case h.Format == "date-time":
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return fmt.Errorf("is %q, not a time as in 2006-01-02T15:04:05Z", v)
		}
	case h.Format == "uuid":
		if err := uuid.Validate(v); err != nil || len(v) != 36 {
			return fmt.Errorf("is %q, not a UUID", v)
		}
	}
	return nil
}

var patterns sync.Map // pattern -> *regexp.Regexp

// compiled relies on the generator having compiled every pattern before.
func compiled(p string) *regexp.Regexp {
	if re, ok := patterns.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	patterns.Store(p, re)
	return re
}

// checkHeaders checks metadata against a contract's headers and tells every fault in one error.
func checkHeaders(declared []Header, m message.Metadata) error {
	var errs []error
	for i := range declared {
		h := &declared[i]
		v, ok := h.in(m)
		if !ok {
			if h.Required {
				errs = append(errs, fmt.Errorf("header %s is missing", h.label()))
			}
			continue
		}
		if err := h.CheckText(v); err != nil {
			errs = append(errs, fmt.Errorf("header %s %w", h.label(), err))
		}
	}
	return errors.Join(errs...)
}

// writeHeaders writes typed headers, or those of a contract that declares none as they are.
func (c *Spec[T, K, H]) writeHeaders(h *H, m message.Metadata) error {
	if c.Write != nil {
		return c.Write(h, m)
	}
	if free, ok := any(h).(*Headers); ok {
		for name, v := range *free {
			if Reserved(name) {
				return fmt.Errorf("header %s is a reserved name", name)
			}
			m[name] = v
		}
	}
	return nil
}

func (c *Spec[T, K, H]) readHeaders(m message.Metadata) (h H, err error) {
	if c.Read != nil {
		return c.Read(m)
	}
	if free, ok := any(&h).(*Headers); ok {
		*free = Headers{}
		for name, v := range m {
			if !Reserved(name) {
				(*free)[name] = v
			}
		}
	}
	return h, nil
}

// The names of headers with the id of a schema, as Apicurio's serializers give them: eight bytes,
// big endian.
const (
	headerContentID = "apicurio.value.contentId"
	headerGlobalID  = "apicurio.value.globalId"
)

func setSchemaID(m message.Metadata, id int) {
	m[headerContentID] = string(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

func schemaID(m message.Metadata) (int, error) {
	for _, name := range []string{headerContentID, headerGlobalID} {
		if text, ok := m[name]; ok {
			if len(text) != 8 {
				return 0, fmt.Errorf("header %s has %d bytes, not 8", name, len(text))
			}
			return int(binary.BigEndian.Uint64([]byte(text))), nil
		}
	}
	return 0, fmt.Errorf("header %s is missing", headerContentID)
}

// WriteJSON writes headers whose schema is more than a list of scalars: each member becomes a
// header, text as it is, all else as JSON.
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
		return fmt.Errorf("headers are no object: %w", err)
	}
	for name, v := range members {
		if Reserved(name) {
			return fmt.Errorf("header %s is a reserved name", name)
		}
		m[name] = plain(v)
	}
	return nil
}

// ReadJSON reads what WriteJSON wrote. texts are the headers that are text even when they look like
// something else.
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
			members[name] = quoted(v)
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return h, err
	}
	return h, P(&h).DecodeJSON(b)
}

// SetText sets a header unless it is empty.
func SetText(m message.Metadata, name, v string) {
	if v != "" {
		m[name] = v
	}
}

// SetTime sets a header to a time in UTC unless it is zero.
func SetTime(m message.Metadata, name string, t time.Time) {
	if !t.IsZero() {
		m[name] = t.UTC().Format(time.RFC3339Nano)
	}
}

// SetInt sets a header to an integer unless it is nil.
func SetInt(m message.Metadata, name string, v *int64) {
	if v != nil {
		m[name] = strconv.FormatInt(*v, 10)
	}
}

// SetFloat sets a header to a number unless it is nil.
func SetFloat(m message.Metadata, name string, v *float64) {
	if v != nil {
		m[name] = strconv.FormatFloat(*v, 'g', -1, 64)
	}
}

// SetBool sets a header to true or false unless it is nil.
func SetBool(m message.Metadata, name string, v *bool) {
	if v != nil {
		m[name] = strconv.FormatBool(*v)
	}
}

// HeaderReader reads typed headers and remembers the first fault.
type HeaderReader struct {
	Metadata message.Metadata
	Err      error
}

// Text gives a header, or "".
func (r *HeaderReader) Text(name string) string { return r.Metadata[name] }

// Time gives a header as a time in UTC, or the zero time.
func (r *HeaderReader) Time(name string) time.Time {
	t := parse(r, name, "a time", func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) })
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Int gives a header as an integer, or nil.
func (r *HeaderReader) Int(name string) *int64 {
	return parse(r, name, "an integer", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

// Float gives a header as a number, or nil.
func (r *HeaderReader) Float(name string) *float64 {
	return parse(r, name, "a number", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

// Bool gives a header as a boolean, or nil.
func (r *HeaderReader) Bool(name string) *bool {
	return parse(r, name, "true or false", strconv.ParseBool)
}

func parse[T any](r *HeaderReader, name, what string, f func(string) (T, error)) *T {
	s, ok := r.Metadata[name]
	if !ok {
		return nil
	}
	v, err := f(s)
	if err != nil {
		if r.Err == nil {
			r.Err = fmt.Errorf("header %s is %q, not %s", name, s, what)
		}
		return nil
	}
	return &v
}
