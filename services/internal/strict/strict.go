// Package strict refuses requests that a lenient server would read as something else: a query that
// is not well formed or names an unknown parameter, a header that is repeated, and JSON that is
// ambiguous or holds text that people cannot see. It is the same for every operation, and an
// operation that is added needs no line of code, except that the handler of a write asks for
// Condition. Package logapi and the HTTP layers of the services import it.
package strict

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/ogen-go/ogen/middleware"
	"github.com/ogen-go/ogen/openapi"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// Instants in requests are in the years FirstYear to LastYear, as they are written and in UTC.
// Dates outside are mistakes, such as the default date of a language, and years of five digits
// cannot be read back. The OpenAPI documents have the same bounds.
const (
	FirstYear = 2000
	LastYear  = 2199
)

// single are the headers of which a request has one at most.
var single = []string{"Authorization", "X-Api-Key", "Content-Type", "Content-Encoding", "Idempotency-Key", "If-Match", "Log-Position", "Traceparent"}

// bodiless are the methods of which no operation has a body.
var bodiless = []string{http.MethodGet, http.MethodHead, http.MethodDelete}

// HTTP returns a handler that refuses repeated headers and bodies that are not plain JSON in UTF-8,
// before credentials are looked at. Refuse answers with a problem. The body itself is checked when
// next reads it. Parameters refuses a body where none belongs.
func HTTP(next http.Handler, refuse func(http.ResponseWriter, *http.Request, *problem.Problem)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := checkHeaders(r); p != nil {
			refuse(w, r, p)
			return
		}
		if hasBody(r) {
			checked := r.WithContext(r.Context()) // a copy; see problem.LimitBody
			checked.Body = &body{from: r.Body, announced: r.ContentLength}
			r = checked
		}
		next.ServeHTTP(w, r)
	})
}

func hasBody(r *http.Request) bool { return r.ContentLength != 0 && r.Body != http.NoBody }

func checkHeaders(r *http.Request) *problem.Problem {
	for _, name := range single {
		if n := len(r.Header.Values(name)); n > 1 {
			return invalid("header:"+name, "must be sent once, it was sent %d times", n)
		}
	}
	if !hasBody(r) || slices.Contains(bodiless, r.Method) {
		return nil
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return mediaType("the body is encoded by \"%s\", and no coding is read", short(coding)).WithHint("send the body as it is, without Content-Encoding")
	}
	sent := r.Header.Get("Content-Type")
	if sent == "" {
		return mediaType("the body has no media type").WithHint("send Content-Type: application/json")
	}
	kind, params, err := mime.ParseMediaType(sent)
	if err != nil || kind != "application/json" {
		return mediaType("the body's media type \"%s\" is not the contract's", short(sent)).WithHint("send Content-Type: application/json")
	}
	if charset, named := params["charset"]; named && !strings.EqualFold(charset, "utf-8") {
		return mediaType("the body's charset \"%s\" is not the one of JSON", short(charset)).WithHint("send JSON in UTF-8")
	}
	return nil
}

func mediaType(format string, args ...any) *problem.Problem {
	return problem.New(problem.UnsupportedMediaType, format, args...)
}

func invalid(at, format string, args ...any) *problem.Problem {
	return problem.Invalid(problem.FieldError{Pointer: at, Message: fmt.Sprintf(format, args...)})
}

// Parameters is a middleware of the generated servers. It refuses a body where none belongs, which
// would be ignored. It refuses a query that is not well formed, a parameter that the operation does
// not have, one that is repeated, and one with text that is not visible. It notes a condition of a
// write that the operation does not have: see Condition.
func Parameters(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if hasBody(req.Raw) && slices.Contains(bodiless, req.Raw.Method) {
		return middleware.Response{}, invalid("", "the operation has none; leave it out")
	}
	if p := checkConditions(req); p != nil {
		req.SetContext(context.WithValue(req.Context, conditionKey{}, p))
	}
	query := req.Raw.URL.RawQuery
	if query == "" {
		return next(req)
	}
	if p := checkQuery(query, declared(req.Params)); p != nil {
		return middleware.Response{}, p
	}
	if p := checkIntegers(req); p != nil {
		return middleware.Response{}, p
	}
	return next(req)
}

// conditions are the headers that make a write depend on what is there, or have it change a part
// alone. A client that sends one relies on it.
var conditions = []string{"If-Match", "If-None-Match", "If-Unmodified-Since", "Content-Range"}

type conditionKey struct{}

// Condition returns the problem of a write with a condition that the operation does not have, nil
// if it has none. A write that was recorded by a version that ignored the condition has to get its
// answer again, so handlers return the problem for other writes alone.
func Condition(ctx context.Context) error {
	if p, ok := ctx.Value(conditionKey{}).(*problem.Problem); ok {
		return p
	}
	return nil
}

// checkConditions returns a problem for a write with a condition that the operation does not know.
// If-Match: * is accepted anywhere, as it asks for no version.
func checkConditions(req middleware.Request) *problem.Problem {
	if m := req.Raw.Method; m == http.MethodGet || m == http.MethodHead {
		return nil
	}
	for _, name := range conditions {
		sent := req.Raw.Header[name]
		if len(sent) == 0 || name == "If-Match" && sent[0] == "*" {
			continue
		}
		if _, known := req.Params[middleware.ParameterKey{Name: name, In: openapi.LocationHeader}]; !known {
			return invalid("header:"+name, "this operation does not have the condition; leave it out")
		}
	}
	return nil
}

// declared returns the names of the query parameters of an operation, sorted.
func declared(all middleware.Parameters) (names []string) {
	for key := range all {
		if key.In == openapi.LocationQuery {
			names = append(names, key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// checkIntegers returns a problem for a parameter that is an integer and is not written as one: +1
// and 007 are no integers of JSON, which the documents have. Generated decoders read them.
func checkIntegers(req middleware.Request) *problem.Problem {
	for key, value := range req.Params {
		if key.In != openapi.LocationQuery || !numeric(reflect.ValueOf(value)) {
			continue
		}
		sent := req.Raw.URL.Query().Get(key.Name)
		digits := strings.TrimPrefix(sent, "-")
		if strings.HasPrefix(sent, "+") || len(digits) > 1 && digits[0] == '0' {
			return invalid("query:"+key.Name, "must be an integer without a plus and without leading zeros, it is \"%s\"", short(sent))
		}
	}
	return nil
}

// numeric reports whether a parameter is an integer, or an optional one of the generated code.
func numeric(v reflect.Value) bool {
	if v.Kind() == reflect.Struct {
		v = v.FieldByName("Value")
	}
	return v.IsValid() && v.CanInt()
}

func checkQuery(raw string, known []string) *problem.Problem {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return invalid("query", "is not well formed: separate parameters by &, and write ; and %% in a value as %%3B and %%25")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := "query:" + short(name)
		switch {
		case name == "":
			return invalid("query", "has a parameter without a name")
		case !slices.Contains(known, name) && len(known) == 0:
			return invalid(at, "this operation has no query parameters")
		case !slices.Contains(known, name):
			return invalid(at, "this operation does not have the parameter; it has %s", strings.Join(known, ", "))
		case len(values[name]) > 1:
			return invalid(at, "must be sent once, it was sent %d times", len(values[name]))
		}
		if fault := unseen(values[name][0]); fault != "" {
			return invalid(at, "%s", fault)
		}
	}
	return nil
}

// short returns at most 60 characters of a text for a message. Package problem replaces those that
// cannot be seen.
func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "..."
	}
	return s
}

// unseen returns what is wrong with the characters of a text, "" if nothing is.
func unseen(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	if r, found := problem.Unseen(s); found {
		return fmt.Sprintf("has the character U+%04X, which cannot be seen; remove it", r)
	}
	return ""
}

// body is the body of a request. The first read takes it whole and checks it. An error of a read is
// a problem.
type body struct {
	from      io.ReadCloser
	announced int64 // -1 if the length is not known
	checked   io.Reader
	err       error
}

func (b *body) Read(p []byte) (int, error) {
	if b.checked == nil && b.err == nil {
		b.check()
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.checked.Read(p)
}

func (b *body) Close() error { return b.from.Close() }

func (b *body) check() {
	// Room for a body of 4 KB, as most are. A larger one is copied while the buffer grows, because
	// what was announced may never come.
	in := bytes.NewBuffer(make([]byte, 0, min(max(b.announced, 0), 4096)+bytes.MinRead))
	_, err := in.ReadFrom(b.from)
	data := in.Bytes()
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		b.err = err
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = problem.New(problem.RequestTimeout, "the body did not arrive in time").WithHint("send the request again, with the same Idempotency-Key")
	case err != nil:
		b.err = invalid("", "it ended before its announced length, or its chunks cannot be read")
	default:
		if data, err = Canonical(data); err != nil {
			b.err = err
			return
		}
		b.checked = bytes.NewReader(data)
	}
}

// maxDepth is how deep the JSON of a request may be nested. Every operation has a few levels only.
const maxDepth = 32

// Canonical returns JSON with its integers written as such: 100.0 and 1e2 become 100, as JSON
// Schema has it. JSON in which they all are is returned as it is. It returns a problem for text
// that is not JSON, for a member that an object has twice, for text that is not valid UTF-8, that
// has lone surrogates or characters that cannot be seen, for more than maxDepth levels, and for an
// instant outside of FirstYear and LastYear. Empty input is returned as it is.
func Canonical(data []byte) ([]byte, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return data, nil
	}
	in := decoders.Get().(*jsontext.Decoder)
	defer func() {
		in.Reset(new(bytes.Buffer)) // so that it does not keep the body
		decoders.Put(in)
	}()
	in.Reset(bytes.NewBuffer(data))
	integers, err := check(in, data)
	if err != nil || integers {
		return data, err
	}
	return rewritten(data)
}

var decoders = sync.Pool{New: func() any { return jsontext.NewDecoder(new(bytes.Buffer)) }}

// check returns what is wrong with the JSON that a decoder reads, and reports whether its integers
// are written as such.
func check(in *jsontext.Decoder, data []byte) (integers bool, err error) {
	integers = true
	for complete := false; ; {
		var raw jsontext.Value
		kind := in.PeekKind()
		switch kind {
		case '"', '0':
			raw, err = in.ReadValue()
		default:
			_, err = in.ReadToken()
		}
		if err == io.EOF {
			return integers, nil
		}
		if err != nil {
			return false, syntax(err, data)
		}
		if in.StackDepth() > maxDepth {
			return false, invalid("", "it is nested deeper than %d levels", maxDepth)
		}
		switch kind {
		case '"':
			if fault := textFault(raw); fault != "" {
				return false, invalid(string(in.StackPointer()), "%s", fault)
			}
		case '0':
			if _, other := integer(string(raw)); other {
				integers = false
			}
		}
		if complete {
			return false, invalid("", "it must be one value, more follows it")
		}
		complete = in.StackDepth() == 0
	}
}

// textFault returns what is wrong with a string, in quotes as it is written, "" if nothing is.
func textFault(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if !plain(inner) {
		text, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return "is not JSON"
		}
		if fault := unseen(string(text)); fault != "" {
			return fault
		}
		inner = text
	}
	if !instantLike(inner) {
		return ""
	}
	instant, err := time.Parse(time.RFC3339Nano, string(inner))
	switch {
	case err != nil:
		return "" // a text; that it is no instant is found where one belongs
	case !exact(inner):
		return "must be an instant such as 2026-03-01T00:00:00Z, with at most 9 digits of a second and an offset under 24 hours"
	case !bounded(instant) || !bounded(instant.UTC()):
		return fmt.Sprintf("must be in the years %d to %d", FirstYear, LastYear)
	}
	return ""
}

// plain reports whether a text has visible ASCII characters alone, none of them escaped.
func plain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// instantLike reports whether a text may be an instant. Parsing what is none costs an error.
func instantLike(text []byte) bool {
	return len(text) >= len("2006-01-02T1:04:05Z") && text[4] == '-' && text[7] == '-' && text[10] == 'T'
}

// exact reports whether an instant that package time can read is written as RFC 3339 has it, and
// can be kept. Package time also reads hours of one digit, decimal commas, offsets of 24 hours and
// of 60 minutes, and drops what is below a nanosecond.
func exact(text []byte) bool {
	const seconds = len("2006-01-02T15:04:05")
	if len(text) <= seconds || text[seconds-3] != ':' || text[seconds-6] != ':' {
		return false
	}
	fraction, offset := bytes.TrimRight(text[seconds:], "Z"), []byte(nil)
	if i := bytes.IndexAny(fraction, "+-"); i >= 0 {
		fraction, offset = fraction[:i], fraction[i:]
	}
	if len(fraction) > len(".123456789") || len(fraction) > 0 && fraction[0] != '.' {
		return false
	}
	return len(offset) == 0 || string(offset[1:3]) < "24" && string(offset[4:6]) < "60"
}

// rewritten returns checked JSON with its integers written as such.
func rewritten(data []byte) ([]byte, error) {
	var out bytes.Buffer
	in, to := jsontext.NewDecoder(bytes.NewReader(data)), jsontext.NewEncoder(&out)
	for {
		token, err := in.ReadToken()
		if err == io.EOF {
			return out.Bytes(), nil
		}
		if err == nil && token.Kind() == '0' {
			if n, other := integer(token.String()); other {
				token = n
			}
		}
		if err == nil {
			err = to.WriteToken(token)
		}
		if err != nil {
			return nil, syntax(err, data)
		}
	}
}

func bounded(t time.Time) bool { return t.Year() >= FirstYear && t.Year() <= LastYear }

// integer returns a number as an integer, if it is one that is not written as such, and is not too
// long to be meant.
func integer(s string) (jsontext.Token, bool) {
	_, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if len(s) > 40 || len(exponent) > 3 || !strings.ContainsAny(s, ".eE") {
		return jsontext.Token{}, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return jsontext.Token{}, false
	}
	return jsontext.Int(r.Num().Int64()), true
}

// syntax returns the problem of text that is not JSON.
func syntax(err error, data []byte) *problem.Problem {
	var s *jsontext.SyntacticError
	if !errors.As(err, &s) {
		return invalid("", "it is not JSON")
	}
	at := string(s.JSONPointer)
	switch {
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return invalid("", "it begins with a byte order mark; send UTF-8 without one")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return invalid(at, "the member is there twice")
	case !utf8.Valid(data):
		return invalid(at, "the body is not valid UTF-8")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("", "the JSON ends too early")
	}
	return invalid(at, "the body is not JSON at byte %d", s.ByteOffset)
}
