package problem

import (
	"strings"
	"testing"

	"github.com/ogen-go/ogen/ogenerrors"
	"github.com/ogen-go/ogen/validate"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		`string: no regex match: ^CTR-[1-9]$`:                                           "must match ^CTR-[1-9]$",
		`string: len 4 greater than maximum 3`:                                          "must have at most 3 characters, it has 4",
		`array: len 0 less than minimum 1`:                                              "must have at least 1 items, it has 0",
		`int: value -1 less than 1`:                                                     "must be at least 1, it is -1",
		`int: value 9999 greater than 200`:                                              "must be at most 200, it is 9999",
		`alias: unexpected floating point character: unexpected byte 46 '.' at 76`:      "must be an integer",
		`strconv.ParseInt: parsing "x": invalid syntax`:                                 `must be an integer, it is "x"`,
		`strconv.ParseInt: parsing "99999999999999999999": value out of range`:          "is out of range: 99999999999999999999",
		`parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`:   `must be an instant such as 2026-03-01T00:00:00Z, it is "x"`,
		`parsing time "2026-02-30T00:00:00Z": day out of range`:                         `must be an instant such as 2026-03-01T00:00:00Z; the day of "2026-02-30T00:00:00Z" does not exist`,
		`parsing time "2026-01-01T00:00:00Z[Paris]": extra text: "[Paris]"`:             `must be an instant such as 2026-03-01T00:00:00Z, it is "2026-01-01T00:00:00Z[Paris]"`,
		`parsing time "\xef\xbc\x922026" as "2006": cannot parse "x" as "2006"`:         `must be an instant such as 2026-03-01T00:00:00Z, it is "２2026"`,
		`parsing time "\\x41" as "2006": cannot parse "\\x41" as "2006"`:                `must be an instant such as 2026-03-01T00:00:00Z, it is "\x41"`,
		`parsing time "a\"b" as "2006": cannot parse "a\"b" as "2006"`:                  `must be an instant such as 2026-03-01T00:00:00Z, it is "a"b"`,
		`parsing time "2026-01-01T00:00:00Z\\x41\xc3\xa9": extra text: "\\x41\xc3\xa9"`: `must be an instant such as 2026-03-01T00:00:00Z, it is "2026-01-01T00:00:00Z\x41é"`,
		`invalid value: \x41`:                                              `"\x41" is not a value that the contract has`,
		`string: len 0 less than minimum 1`:                                "must not be empty",
		`query parameter "limit" multiple values`:                          "must be sent once",
		`decode field "dryRun": unexpected EOF`:                            "must be of the type in the contract",
		`capture: callback: unknown type GIFT`:                             `"GIFT" is not a kind that the contract has`,
		`invalid value: X`:                                                 `"X" is not a value that the contract has`,
		`unexpected json type "array"`:                                     "must be an object, it is of the type array",
		`decode PositiveMoney: "{" expected: unexpected byte 91 '[' at 65`: "must be an object",
		`alias: unexpected byte 55 '7' at 33`:                              "must be of the type in the contract, it is a number",
		`alias: unexpected byte 110 'n' at 52`:                             "must be of the type in the contract, it is null",
		`reflect: call of Foo on bar`:                                      "is not as the contract has it",
	} {
		if got := words(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	if got := words("invalid value: " + strings.Repeat("é", 1000)); len(got) > 310 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestEmptyPathParameter(t *testing.T) {
	p := FromOgen(&ogenerrors.DecodeParamsError{Err: &ogenerrors.DecodeParamError{Name: "contractRef", In: "path", Err: validate.ErrFieldRequired}})
	if p.Code != InvalidRequest || len(p.Errors) != 1 || p.Errors[0] != (FieldError{Pointer: "path:contractRef", Message: "must not be empty"}) {
		t.Errorf("%+v", p)
	}
}

func TestWithoutAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"list topics: unable to dial: dial tcp 127.0.0.1:41603: connect: connection refused": "list topics: unable to dial: dial: connect: connection refused",
		"fetch: read tcp 10.0.0.1:5555->kafka-1.internal:9092: i/o timeout":                  "fetch: read: i/o timeout",
		"dial tcp: lookup kafka-1.internal on 10.0.0.2:53: no such host":                     "dial: lookup: no such host",
		"dial tcp [::1]:9092: connect: connection refused":                                   "dial: connect: connection refused",
		"replaying: 10 of 20 records":                                                        "replaying: 10 of 20 records",
	} {
		if got := WithoutAddresses(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
