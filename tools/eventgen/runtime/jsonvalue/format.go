package jsonvalue

import (
	"encoding/base64"
	"encoding/json"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Format is a format of text in a schema.
type Format struct {
	name  string
	valid func(string) bool
}

// The formats that are checked.
var (
	DateTime    = Format{"time with a date and a zone (2026-02-28T12:30:00Z)", func(s string) bool { _, err := parseTime(s); return err == nil }}
	FullDate    = Format{"date (2026-02-28)", func(s string) bool { _, err := ParseDate(s); return err == nil }}
	FullTime    = Format{"time with a zone (12:30:00Z)", func(s string) bool { _, err := parseTime("2000-01-01T" + s); return err == nil }}
	ISODuration = Format{"duration (P1DT12H)", func(s string) bool { return s != "P" && !strings.HasSuffix(s, "T") && isoDuration.MatchString(s) }}
	UUIDText    = Format{"UUID", func(s string) bool { _, err := parseUUID(s); return err == nil }}
	Email       = Format{"e-mail address", validEmail}
	Hostname    = Format{"host name", validHostname}
	IPv4        = Format{"IPv4 address", func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() }}
	IPv6        = Format{"IPv6 address", func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6() && a.Zone() == ""
	}}
	URI          = Format{"URI", func(s string) bool { u, err := parseURI(s); return err == nil && u.IsAbs() }}
	URIReference = Format{"reference to a URI", func(s string) bool { _, err := parseURI(s); return err == nil }}
	Base64       = Format{"base64", func(s string) bool { _, err := base64.StdEncoding.DecodeString(s); return err == nil }}
	Regex        = Format{"regular expression", func(s string) bool { _, err := regexp.Compile(s); return err == nil }}
	JSONText     = Format{"JSON", func(s string) bool { return json.Valid([]byte(s)) }}
)

var isoDuration = regexp.MustCompile(`^P(\d+W|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)?(T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))?)$`)

// isRFC3339 reports whether a text has the form of a time of RFC 3339. The numbers of its date and
// its time of day can be too large.
func isRFC3339(s string) bool {
	const form = "0000-00-00T00:00:00"
	if len(s) <= len(form) || !formed(s[:len(form)], form) {
		return false
	}
	zone := s[len(form):]
	if zone[0] == '.' {
		n := 1
		for n < len(zone) && isDigit(zone[n]) {
			n++
		}
		if n == 1 {
			return false
		}
		zone = zone[n:]
	}
	switch {
	case zone == "Z" || zone == "z":
		return true
	case len(zone) != len("+00:00") || zone[0] != '+' && zone[0] != '-':
		return false
	}
	return formed(zone[1:], "00:00") && zone[1:3] < "24" && zone[4] < '6'
}

// formed reports whether a text has digits where the form has 0, and its other characters where it
// has others.
func formed(s, form string) bool {
	for i := range form {
		switch c := form[i]; {
		case c == '0' && !isDigit(s[i]), c == 'T' && s[i] != 'T' && s[i] != 't', c != '0' && c != 'T' && s[i] != c:
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseTime parses a time of RFC 3339. It refuses a leap second, which has no Go value.
func parseTime(s string) (time.Time, error) {
	if !isRFC3339(s) {
		return time.Time{}, errNoTime
	}
	return time.Parse(time.RFC3339Nano, strings.ToUpper(s))
}

func parseUUID(s string) (uuid.UUID, error) {
	if len(s) != 36 {
		return uuid.UUID{}, errNoUUID
	}
	return uuid.Parse(s)
}

func validEmail(s string) bool { return plainEmail(s) || parsedEmail(s) }

// plainEmail reports whether a text is an address of letters, digits and usual signs, which needs
// no parser.
func plainEmail(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	for _, part := range []string{local, domain} {
		for i := range len(part) {
			switch c := part[i]; {
			case isDigit(c), c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '+', c == '_':
			case c == '.' && i > 0 && i < len(part)-1 && part[i-1] != '.':
			default:
				return false
			}
		}
	}
	return local != "" && domain != ""
}

func parsedEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == ""
}

var label = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

func validHostname(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !label.MatchString(part) {
			return false
		}
	}
	return true
}

func parseURI(s string) (*url.URL, error) {
	if strings.ContainsAny(s, "\\ \"<>^`{|}") {
		return nil, errNoURI
	}
	return url.Parse(s)
}
