package metadata

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// Header is a header that a contract declares, or a member of the JSON in a header.
type Header struct {
	Name      string
	Below     []string // path of the member in the header; empty: the header itself
	Required  bool
	Const     string   // the only value; filled in when sending
	Enum      []string // the possible values
	MinLength int
	MaxLength int    // 0: no limit
	Pattern   string // regular expression
	Format    string // date-time, uuid; others are not checked
}

// Value returns the value of the header or of the member, and reports whether it is there.
func (h *Header) Value(m message.Metadata) (string, bool) {
	text, ok := m[h.Name]
	if !ok {
		return "", false
	}
	return Member(text, h.Below)
}

// label returns the name in errors.
func (h *Header) label() string { return strings.Join(append([]string{h.Name}, h.Below...), "/") }

// CheckText returns an error if a value does not conform to the constraints. Keys are checked with
// it too.
func (h *Header) CheckText(v string) error {
	n := utf8.RuneCountInString(v)
	switch {
	case !utf8.ValidString(v):
		return errors.New("is not UTF-8")
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

// compiled returns a pattern, which the generator has compiled before.
func compiled(p string) *regexp.Regexp {
	if re, ok := patterns.Load(p); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(p)
	patterns.Store(p, re)
	return re
}

// Check checks metadata against the declared headers, and returns all faults in one error.
func Check(declared []Header, m message.Metadata) error {
	var errs []error
	for i := range declared {
		h := &declared[i]
		v, ok := h.Value(m)
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
