package jsonvalue

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manyMembers returns an object with n members and a last one.
func manyMembers(n int, last string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":0,`, i)
	}
	return "{" + b.String() + strconv.Quote(last) + ":0}"
}

func TestSyntax(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[1,-2.5e+3,true,false,null,"x\n\u00e9\ud83d\ude42"]}`: "",
		" [ ] ":               "",
		`{}`:                  "",
		``:                    "a value is expected, not the end of the text",
		`{"a":1} x`:           "after the end of the value",
		`{"a":1,"a":2}`:       `the member "a" is given twice`,
		`{"a":1,"\u0061":2}`:  `the member "a" is given twice`,
		manyMembers(31, "m0"): `the member "m0" is given twice`,
		manyMembers(32, "m0"): `the member "m0" is given twice`,
		manyMembers(33, "m9"): `the member "m9" is given twice`,
		manyMembers(40, "x"):  "",
		`[1,]`:                "a value is expected",
		`{"a":1,}`:            "a member's name is expected",
		`{"a" 1}`:             "':' is expected",
		`[1 2]`:               "',' or ']' is expected",
		`01`:                  "a number is not valid",
		`1.`:                  "a digit is expected",
		`1e`:                  "a digit is expected",
		`1e99999`:             "an exponent beyond 9999",
		"\"\x01\"":            "a control character",
		"\"\xff\"":            "the text is not UTF-8",
		`"\ud800"`:            "half a surrogate pair",
		`"\udc00"`:            "escape",
		`"\x"`:                "escape",
		`"abc`:                "does not end",
		`"abc\`:               "escape",
		`tru`:                 "a value is expected",
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): "nested deeper",
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth):     "",
		strings.Repeat("1", MaxNumber+1):                                  "a number of more than",
		`"` + strings.Repeat("a", MaxSize) + `"`:                          "larger than",
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"h":2}`:   `the member "h" is given twice`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"a":2}`:   `the member "a" is given twice`,
		`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":2}`:   "",
	} {
		_, err := ParseAny([]byte(text))
		if got := errorText(err); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%.60s: %q, want %q", text, got, want)
		}
	}
}

// TestUnescape compares the content of strings with what encoding/json reads.
func TestUnescape(t *testing.T) {
	for _, text := range []string{`"\u00e9\ud83d\ude42\u0041"`, `"\"\\\/\b\f\n\r\t"`, `"é\n漢\u6F22🙂"`, `"\u0000\u001F\uFFFD"`, `"\uD83D\uDE42"`} {
		got, err := Decode([]byte(text), (*Check).Any, (*Reader).String)
		var want string
		if e := json.Unmarshal([]byte(text), &want); err != nil || e != nil || got != want {
			t.Errorf("%s is read as %q, not %q: %v, %v", text, got, want, err, e)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzSyntax compares the syntax with that of the standard library. The two accept the same texts,
// except for those that this package refuses on purpose.
func FuzzSyntax(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,true,null,"\u00e9"]}`, `[[[{}]]]`, `"\ud83d\ude42"`, `1e400`, `{"a":1,"a":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := ParseAny(text)
		var onPurpose *SyntaxError
		switch {
		case err == nil && !json.Valid(text):
			t.Fatalf("%q is not JSON and was read", text)
		case err == nil && !json.Valid([]byte(a.String())):
			t.Fatalf("%q became %q", text, a)
		case err != nil && json.Valid(text):
			if !errors.As(err, &onPurpose) || !regexp.MustCompile("twice|nested|exponent|number of more|UTF-8|surrogate|escape").MatchString(err.Error()) {
				t.Fatalf("%q is JSON and was refused: %v", text, err)
			}
		}
	})
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format    Format
		good, bad string // separated by blanks
	}{
		{DateTime, "2026-02-28T12:30:00Z 2026-02-28t12:30:00.123z 2026-02-28T12:30:00+23:59", "2026-02-30T12:30:00Z 2026-02-28T12:30:00 2026-02-28T24:00:00Z 2026-02-28T12:30:00+24:00 2026-02-28T12:30:60Z x"},
		{FullDate, "2026-02-28 2024-02-29", "2026-02-29 2026-2-28 20260228"},
		{FullTime, "12:30:00Z 12:30:00.5-05:00", "12:30 12:30:00 25:00:00Z"},
		{ISODuration, "P1D PT1H30M P1Y2M3DT4H5M6S P2W PT1S", "P PT 1D P1DT P1H P-1D"},
		{UUIDText, "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000 {123e4567-e89b-12d3-a456-426614174000} x"},
		{Email, "a@b.org a.b+c@d.example", "a a@ @b"},
		{Hostname, "a a.example A-1.example", "-a a_b a..b"},
		{IPv4, "1.2.3.4", "1.2.3 256.1.1.1 ::1"},
		{IPv6, "::1 fe80::1", "1.2.3.4 fe80::1%eth0 ::g"},
		{URI, "https://a.example/b?c#d urn:a:b", "/a //a a%zz {x}:y"},
		{URIReference, "/a a ?b #c https://a", "a\\b %zz"},
		{Base64, "AQI= AAAA", "AQI A %"},
		{Regex, "^a+$ [a-z]", "( [ a**"},
	} {
		for s := range strings.FieldsSeq(c.good) {
			if !c.format.valid(s) {
				t.Errorf("%q is not accepted as a %s", s, c.format.name)
			}
		}
		for s := range strings.FieldsSeq(c.bad) {
			if c.format.valid(s) {
				t.Errorf("%q is accepted as a %s", s, c.format.name)
			}
		}
	}
}

func TestErrorPath(t *testing.T) {
	items := func(c *Check, v Value) bool {
		return c.Members(v, func(c *Check, name []byte, m Value) bool {
			return c.Items(m, 0, func(c *Check, v Value) bool {
				return c.Members(v, func(c *Check, _ []byte, m Value) bool { return c.Minimum(m, "0") })
			})
		})
	}
	_, err := Decode([]byte(`{"lines":[{"price":1},{"price":2,"a b":-1}]}`), items, (*Reader).Any)
	if want := `lines[1]["a b"]: -1 is below 0`; errorText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	var where *ValueError
	if !errors.As(err, &where) || where.Path != `lines[1]["a b"]` {
		t.Errorf("%#v", err)
	}
	_, err = Decode([]byte(`[1,9223372036854775808]`), (*Check).Any, func(r *Reader, v Value) []int64 { return ReadList(r, v, (*Reader).Int64) })
	if want := `[1]: 9223372036854775808 is not an integer of 64 bits`; errorText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	write := func(w *Writer, list []time.Time) {
		w.Open()
		w.Member("times")
		WriteList(w, list, (*Writer).Time)
		w.Close()
	}
	_, err = Encode([]time.Time{time.Unix(1, 0), {}}, write, (*Check).Any)
	if want := `times[1]: is not set`; errorText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestNearestAlternative(t *testing.T) {
	number := func(c *Check, v Value) bool { return c.Type(v, Number) }
	object := func(c *Check, v Value) bool {
		return c.Type(v, Object) && c.Members(v, func(c *Check, _ []byte, m Value) bool { return c.Type(m, String) })
	}
	_, err := Decode([]byte(`{"a":1}`), func(c *Check, v Value) bool { return c.OneOf(v, number, object) }, (*Reader).Any)
	if want := "has none of the 2 forms that are allowed; nearest: a: is a number, not a string"; errorText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestWorkIsBounded checks a value against a schema whose alternatives overlap at every level, so
// that each level doubles the work. The check ends early with an error.
func TestWorkIsBounded(t *testing.T) {
	var twice Func
	twice = func(c *Check, v Value) bool {
		return c.AnyOf(v, func(c *Check, v Value) bool { return c.Items(v, 0, twice) && c.Never(v) }, func(c *Check, v Value) bool { return c.Items(v, 0, twice) })
	}
	text := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if _, err := Decode([]byte(text), twice, (*Reader).Any); !errors.Is(err, ErrTooMuchWork) {
		t.Errorf("%v, want %v", err, ErrTooMuchWork)
	}
	not := func(c *Check, v Value) bool { return c.Not(v, twice) }
	if _, err := Decode([]byte(text), not, (*Reader).Any); !errors.Is(err, ErrTooMuchWork) {
		t.Errorf("behind not: %v, want %v", err, ErrTooMuchWork)
	}
}

func TestUnique(t *testing.T) {
	for text, unique := range map[string]bool{`[1,2,"1",[1],[2],{"a":1,"b":2},{"a":2,"b":1},null,true,false]`: true, `[1,1.0]`: false, `[{"a":1,"b":2},{"b":2,"a":1e0}]`: false,
		`["a","\u0061"]`: false, `[[1,2],[1,2]]`: false, `[0,-0.0]`: false, `[[],{}]`: true,
		`[1,2,3,4,5,6,7,8]`: true, `[1,2,3,4,5,6,7,1]`: false, `[1,2,3,4,5,6,7,8,9]`: true, `[1,2,3,4,5,6,7,8,1]`: false} {
		_, err := Decode([]byte(text), (*Check).Unique, (*Reader).Any)
		if (err == nil) != unique {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAppendError(t *testing.T) {
	before := []byte("before")
	write := func(w *Writer, s string) {
		w.String(s)
		w.Expect(ShortEnough(s, 2))
	}
	short := func(c *Check, v Value) bool { return c.MaxLength(v, 2) }
	after, err := Append(before, "abc", write, short)
	if err == nil || string(after) != "before" {
		t.Errorf("%q, %v", after, err)
	}
	after, err = Append(before, "ab", write, short)
	if err != nil || string(after) != `before"ab"` {
		t.Errorf("%q, %v", after, err)
	}
}

func TestAny(t *testing.T) {
	a, err := AnyOf(map[string]any{"a": 1})
	if err != nil || a.String() != `{"a":1}` {
		t.Errorf("%s, %v", a, err)
	}
	var into struct{ A int }
	if err := a.Into(&into); err != nil || into.A != 1 {
		t.Errorf("%v, %v", into, err)
	}
	if zero := (Any{}).String(); zero != "null" {
		t.Error(zero)
	}
	if _, err := AnyOf(func() {}); err == nil {
		t.Error("a function was accepted")
	}
}
