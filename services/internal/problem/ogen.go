package problem

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ogen-go/ogen/ogenerrors"
	"github.com/ogen-go/ogen/validate"
)

// MaxBody is the largest request body that is read, in bytes.
const MaxBody = 64 << 10

// LimitBody lets a handler read at most MaxBody bytes of a request. A read beyond that fails, and
// ErrorHandler answers 413. The first read fails if the request announces more: then nothing of the
// body is read.
func LimitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A copy, because the server checks the body of its own request for an unread rest.
		// Otherwise the rest of a refused body would be taken for the next request of the
		// connection.
		limited := r.WithContext(r.Context())
		limited.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		if r.ContentLength > MaxBody {
			limited.Body = unread{r.Body, w.Header()}
		}
		next.ServeHTTP(w, limited)
	})
}

// unread is a body that is too large to be read. The connection is closed after the answer.
type unread struct {
	io.Closer
	answer http.Header
}

// Read implements io.Reader.
func (u unread) Read([]byte) (int, error) {
	u.answer.Set("Connection", "close")
	return 0, &http.MaxBytesError{Limit: MaxBody}
}

// NoPath returns the problem of a request for a path that is not in the contract.
func NoPath(r *http.Request) *Problem {
	return New(NotFound, "no operation has the path %s", cmp.Or(r.URL.EscapedPath(), r.RequestURI)).WithHint("the paths are in the service's openapi.yaml")
}

// NoMethod returns the problem of a request with a method that the path does not have, and adds to
// the answer the header Allow.
func NoMethod(w http.ResponseWriter, r *http.Request, allowed string) *Problem {
	w.Header().Set("Allow", allowed)
	p := New(MethodNotAllowed, "%s has no %s", r.URL.EscapedPath(), r.Method)
	p.Allowed = strings.FieldsFunc(allowed, func(c rune) bool { return c == ',' || c == ' ' })
	return p
}

// FromOgen returns the problem of an error that the generated server finds before or after the code
// of the service runs: a request that cannot be decoded or is not valid, missing credentials, a
// response that cannot be written. If the error wraps a problem, that is returned.
func FromOgen(err error) *Problem {
	var (
		known     *Problem
		tooLarge  *http.MaxBytesError
		mediaType *validate.InvalidContentTypeError
		security  *ogenerrors.SecurityError
		params    *ogenerrors.DecodeParamsError
		request   *ogenerrors.DecodeRequestError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &security):
		return New(Unauthenticated, "the request carries no valid credentials").WithHint("send an API key in X-API-Key, or a bearer token in Authorization")
	case errors.As(err, &tooLarge):
		return New(BodyTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &mediaType):
		return New(UnsupportedMediaType, "the body's media type %q is not the contract's", mediaType.ContentType).WithHint("send Content-Type: application/json")
	case errors.As(err, &params):
		return Invalid(paramErrors(params)...)
	case errors.As(err, &request):
		return Invalid(bodyErrors(request)...)
	}
	return From(err)
}

// Invalid returns the problem of a request with faults, of which there is at least one. The detail
// has the first.
func Invalid(fields ...FieldError) *Problem {
	fields = slices.Clone(fields)
	for i, f := range fields {
		fields[i] = FieldError{legible(f.Pointer, maxPointer), legible(f.Message, maxMessage)}
	}
	first := fields[0]
	where := first.Pointer
	if where == "" {
		where = "the body"
	}
	p := New(InvalidRequest, "%s: %s", where, first.Message).WithHint("nothing was recorded; correct the request and send it again")
	p.Errors = fields
	return p
}

func paramErrors(err *ogenerrors.DecodeParamsError) []FieldError {
	var one *ogenerrors.DecodeParamError
	if !errors.As(err, &one) {
		return []FieldError{{Message: words(firstLine(err.Err))}}
	}
	at := string(one.In) + ":" + one.Name
	if fields := validationErrors("", one.Err); len(fields) > 0 {
		for i := range fields {
			fields[i].Pointer = at
		}
		return fields
	}
	if errors.Is(one.Err, validate.ErrFieldRequired) { // of a path, in which every parameter is
		return []FieldError{{Pointer: at, Message: "must not be empty"}}
	}
	return []FieldError{{Pointer: at, Message: words(firstLine(one.Err))}}
}

var (
	decodeField     = regexp.MustCompile(`decode field "((?:[^"\\]|\\.)*)": `)
	unexpectedField = regexp.MustCompile(`unexpected field "((?:[^"\\]|\\.)*)"$`)
)

// bodyErrors returns where in the body a decoding error is. Generated decoders name the fields only
// in the text of an error, from the outermost inwards; validation errors are values.
func bodyErrors(err *ogenerrors.DecodeRequestError) []FieldError {
	// a body without a media type was refused before
	if errors.Is(err, validate.ErrBodyRequired) || strings.Contains(err.Error(), "mime: no media type") {
		return []FieldError{{Message: "a JSON body is required"}}
	}
	var body *ogenerrors.DecodeBodyError
	text := firstLine(err.Err)
	if errors.As(err, &body) {
		text = firstLine(body.Err)
	}
	var at strings.Builder
	for _, m := range decodeField.FindAllStringSubmatch(text, -1) {
		at.WriteString("/" + escape(m[1]))
	}
	if fields := validationErrors(at.String(), err); len(fields) > 0 {
		return fields
	}
	if m := unexpectedField.FindStringSubmatch(text); m != nil {
		return []FieldError{{Pointer: at.String() + "/" + escape(m[1]), Message: "this field is not in the contract"}}
	}
	return []FieldError{{Pointer: at.String(), Message: words(text)}}
}

// validationErrors flattens the nested errors of a validation, each of which names a field or an
// "[index]".
func validationErrors(at string, err error) []FieldError {
	var v *validate.Error
	if !errors.As(err, &v) {
		return nil
	}
	var out []FieldError
	for _, f := range v.Fields {
		pointer := at + "/" + escape(strings.TrimSuffix(strings.TrimPrefix(f.Name, "["), "]"))
		if inner := validationErrors(pointer, f.Error); len(inner) > 0 {
			out = append(out, inner...)
			continue
		}
		message := words(firstLine(f.Error))
		if errors.Is(f.Error, validate.ErrFieldRequired) {
			message = "this field is required"
		}
		out = append(out, FieldError{Pointer: pointer, Message: message})
	}
	return out
}

func escape(segment string) string {
	return strings.ReplaceAll(strings.ReplaceAll(segment, "~", "~0"), "/", "~1")
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
