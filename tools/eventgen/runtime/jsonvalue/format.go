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

// Accepts reports whether a text is in the format.
func (f Format) Accepts(s string) bool { return f.valid(s) }

// The formats that are checked.
var (
	DateTime    = Format{"time with a date and a zone (2026-02-28T12:30:00Z)", func(s string) bool { _, err := parseTime(s); return err == nil }}
	FullDate    = Format{"date (2026-02-28)", func(s string) bool { _, err := ParseDate(s); return err == nil }}
	FullTime    = Format{"time with a zone (12:30:00Z)", func(s string) bool { _, err := parseTime("2000-01-01T" + s); return err == nil }}
	ISODuration = Format{"duration (P1DT12H)", validDuration}
	UUIDText    = Format{"UUID", func(s string) bool { _, err := parseUUID(s); return err == nil }}
	Email       = Format{"e-mail address", validEmail}
	Hostname    = Format{"host name", validHostname}
	IPv4        = Format{"IPv4 address", func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() }}
	IPv6        = Format{"IPv6 address", func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6() && a.Zone() == ""
	}}
	URI          = Format{"URI", func(s string) bool { return plainURL(s) || parsedURI(s) }}
	URIReference = Format{"reference to a URI", func(s string) bool { _, err := parseURI(s); return err == nil }}
	Base64       = Format{"base64", func(s string) bool { _, err := base64.StdEncoding.DecodeString(s); return err == nil }}
	Regex        = Format{"regular expression", func(s string) bool { _, err := regexp.Compile(s); return err == nil }}
	JSONText     = Format{"JSON", func(s string) bool { return json.Valid([]byte(s)) }}
)

// validDuration reports whether a text is a duration of ISO 8601: weeks alone, or a date and a time
// whose units follow each other without a gap.
func validDuration(s string) bool {
	s, ok := strings.CutPrefix(s, "P")
	if !ok || s == "" {
		return false
	}
	if n := digits(s); n > 0 && s[n:] == "W" {
		return true
	}
	date, clock, both := strings.Cut(s, "T")
	return (date == "" || counts(date, "YMD")) && (!both || counts(clock, "HMS"))
}

// counts reports whether a text is numbers, each followed by the next one of the units.
func counts(s, units string) bool {
	for from := -1; ; {
		n := digits(s)
		if n == 0 || n == len(s) {
			return false
		}
		at := strings.IndexByte(units, s[n])
		if at < 0 || from >= 0 && at != from+1 {
			return false
		}
		if from, s = at, s[n+1:]; s == "" {
			return true
		}
	}
}

// digits returns the number of digits that a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

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

func validHostname(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if len(part) == 0 || len(part) > 63 || part[0] == '-' || part[len(part)-1] == '-' || !consists(part, "-") {
			return false
		}
	}
	return true
}

// consists reports whether a text consists of letters and digits of ASCII and of other characters.
func consists(s, other string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && strings.IndexByte(other, c) < 0 {
			return false
		}
	}
	return true
}

// plainURL reports whether a text is a URL with a host, without port and escapes, which needs no
// parser.
func plainURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	host := 0
	for host < len(rest) && strings.IndexByte("/?#", rest[host]) < 0 {
		host++
	}
	return ok && host > 0 && consists(rest[:host], "-.") && consists(rest[host:], "-._~/?#=&+,;:@!$*()")
}

func parsedURI(s string) bool {
	u, err := parseURI(s)
	return err == nil && u.IsAbs()
}

func parseURI(s string) (*url.URL, error) {
	if strings.ContainsAny(s, "\\ \"<>^`{|}") {
		return nil, errNoURI
	}
	return url.Parse(s)
}
