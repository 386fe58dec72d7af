package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-faster/errors"
	"github.com/go-faster/jx"
	"github.com/ogen-go/ogen/ogenerrors"
	"github.com/ogen-go/ogen/openapi"
	"github.com/ogen-go/ogen/validate"
)

func TestCodes(t *testing.T) {
	for _, c := range Codes() {
		if s := c.Status(); s < 400 || s > 599 || http.StatusText(s) == "" || c.Title() == "" {
			t.Errorf("%s: status %d, title %q", c, s, c.Title())
		}
	}
	if (Code{}).Status() != http.StatusInternalServerError {
		t.Error("the zero code must be a fault of ours")
	}
}

func TestWrite(t *testing.T) {
	type money struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	refused := NewCode("purchase-refused", http.StatusUnprocessableEntity, "The purchase is refused")
	p := New(refused, "the purchase would exceed the ceiling").WithHint("buy less").WithRetryAfter(2).WithExtension(struct {
		Reasons         []string `json:"reasons"`
		ContractVersion int64    `json:"contractVersion"`
		Available       money    `json:"available"`
		Ceiling         *money   `json:"ceiling,omitempty"`
	}{Reasons: []string{"CEILING_EXCEEDED"}, ContractVersion: 3, Available: money{Currency: "EUR"}})
	w := httptest.NewRecorder()
	Write(w, p)
	if w.Code != 422 || w.Header().Get("Content-Type") != ContentType || w.Header().Get("Retry-After") != "2" {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
	want := `{"type":"urn:deferpay:problem:purchase-refused","title":"The purchase is refused","status":422,` +
		`"detail":"the purchase would exceed the ceiling","code":"purchase-refused","hint":"buy less","retryAfter":2,` +
		`"reasons":["CEILING_EXCEEDED"],"contractVersion":3,"available":{"amount":0,"currency":"EUR"}}` + "\n"
	if got := w.Body.String(); got != want {
		t.Errorf("body\n%swant\n%s", got, want)
	}
}

func TestFromHidesOtherErrors(t *testing.T) {
	p := From(errors.New("password=hunter2"))
	if body, _ := json.Marshal(p); p.Code != Internal || bytes.Contains(body, []byte("hunter2")) {
		t.Errorf("problem %s", body)
	}
	if got := From(fmt.Errorf("decide: %w", New(StreamParked, "held"))); got.Code != StreamParked {
		t.Errorf("a wrapped problem became %v", got)
	}
}

// request wraps an error as the generated server does if it cannot decode a body.
func request(err error) error {
	return &ogenerrors.DecodeRequestError{Err: errors.Join(err, nil)}
}

func body(err error) error {
	return request(&ogenerrors.DecodeBodyError{ContentType: "application/json", Err: err})
}

func TestFromOgen(t *testing.T) {
	_, wrongType := jx.DecodeStr(`"x"`).Int64()
	nested := &validate.Error{Fields: []validate.FieldError{
		{Name: "buyer", Error: &validate.Error{Fields: []validate.FieldError{{Name: "siren", Error: &validate.MinLengthError{Len: 1, MinLength: 9}}}}},
		{Name: "lines", Error: &validate.Error{Fields: []validate.FieldError{{Name: "[2]", Error: validate.ErrFieldRequired}}}},
		{Name: "a/b~c", Error: validate.ErrFieldRequired},
	}}
	for name, c := range map[string]struct {
		err    error
		code   Code
		fields []FieldError
	}{
		"wrong type": {body(errors.Wrap(errors.Wrap(errors.Wrap(errors.Wrap(wrongType, `decode field "amount"`), `callback`), `decode field "price"`), "callback")),
			InvalidRequest, []FieldError{{"/price/amount", "must be of the type in the contract, it is a string"}}},
		"unknown field":   {body(errors.Wrap(errors.Wrap(errors.Errorf("unexpected field %q", "colour"), `decode field "buyer"`), "callback")), InvalidRequest, []FieldError{{"/buyer/colour", "this field is not in the contract"}}},
		"required fields": {body(errors.Wrap(&validate.Error{Fields: []validate.FieldError{{Name: "ceiling", Error: validate.ErrFieldRequired}}}, `decode field "terms"`)), InvalidRequest, []FieldError{{"/terms/ceiling", "this field is required"}}},
		"validation": {request(errors.Wrap(nested, "validate")), InvalidRequest,
			[]FieldError{{"/buyer/siren", "must have at least 9 characters, it has 1"}, {"/lines/2", "this field is required"}, {"/a~1b~0c", "this field is required"}}},
		"no body":       {request(validate.ErrBodyRequired), InvalidRequest, []FieldError{{"", "a JSON body is required"}}},
		"no media type": {request(errors.Wrap(errors.New("mime: no media type"), "parse media type")), InvalidRequest, []FieldError{{"", "a JSON body is required"}}},
		"trailing":      {body(errors.New("unexpected trailing data")), InvalidRequest, []FieldError{{"", "more follows the value"}}},
		"parameter":     {&ogenerrors.DecodeParamsError{Err: &ogenerrors.DecodeParamError{Name: "limit", In: openapi.LocationQuery, Err: errors.New(`strconv.ParseInt: parsing "x": invalid syntax`)}}, InvalidRequest, []FieldError{{"query:limit", `must be an integer, it is "x"`}}},
		"too large":     {request(&http.MaxBytesError{Limit: MaxBody}), BodyTooLarge, nil},
		"media type":    {request(validate.InvalidContentType("text/plain")), UnsupportedMediaType, nil},
		"no key":        {&ogenerrors.SecurityError{Err: ogenerrors.ErrSecurityRequirementIsNotSatisfied}, Unauthenticated, nil},
		"lacks scope":   {&ogenerrors.SecurityError{Err: New(Forbidden, "no")}, Forbidden, nil},
		"ours":          {errors.New("nil pointer somewhere"), Internal, nil},
		"ours already":  {New(NotReady, "replaying"), NotReady, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := FromOgen(c.err)
			if p.Code != c.code {
				t.Fatalf("code %s, want %s (%v)", p.Code, c.code, p)
			}
			if fmt.Sprint(p.Errors) != fmt.Sprint(c.fields) {
				t.Errorf("errors %v, want %v", p.Errors, c.fields)
			}
		})
	}
}

func TestLimitBody(t *testing.T) {
	h := LimitBody(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if err != nil {
			Write(w, FromOgen(request(err)))
		}
	}))
	for size, want := range map[int]int{MaxBody: 200, MaxBody + 1: 413, 2 * MaxBody: 413} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("a", size))))
		if w.Code != want {
			t.Errorf("%d bytes: status %d, want %d", size, w.Code, want)
		}
	}
}

// A body that is announced as too large is refused before any of it is read.
func TestAnnouncedBodyIsNotRead(t *testing.T) {
	body := &counter{}
	r := httptest.NewRequest("POST", "/", body)
	r.ContentLength = MaxBody + 1
	w := httptest.NewRecorder()
	LimitBody(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		Write(w, FromOgen(request(err)))
	})).ServeHTTP(w, r)
	if w.Code != 413 || body.reads != 0 || w.Header().Get("Connection") != "close" {
		t.Errorf("status %d, %d reads, Connection %q", w.Code, body.reads, w.Header().Get("Connection"))
	}
}

type counter struct{ reads int }

func (c *counter) Read([]byte) (int, error) {
	c.reads++
	return 0, io.EOF
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := httptest.NewRecorder()
	Write(w, NoPath(httptest.NewRequest("GET", "/nowhere", nil)))
	if w.Code != 404 || !strings.Contains(w.Body.String(), "/nowhere") {
		t.Errorf("404: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	Write(w, NoMethod(w, httptest.NewRequest("PUT", "/contracts", nil), "GET, POST"))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, POST" || !strings.Contains(w.Body.String(), `"allowed":["GET","POST"]`) {
		t.Errorf("405: %d %v %s", w.Code, w.Header(), w.Body)
	}
}
