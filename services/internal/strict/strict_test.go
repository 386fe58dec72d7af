package strict

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ogen-go/ogen/middleware"
	"github.com/ogen-go/ogen/openapi"

	"github.com/deferpay/deferpay/services/internal/problem"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":100.0}`:                         `{"a":100}`,
		`{"a":[1e2,-5.00,0.5,7]}`:             `{"a":[100,-5,0.5,7]}`,
		`{"a":1e999999999}`:                   `{"a":1e999999999}`,
		`{"a":9223372036854775807.0}`:         `{"a":9223372036854775807}`,
		`{"a":9223372036854775808.0}`:         `{"a":9223372036854775808.0}`,
		` { "a" : null , "b" : [ 1.0 ] } `:    `{"a":null,"b":[1]}`,
		`{"a":"é\u00e9\ud83d\ude00","b":1.0}`: `{"a":"éé😀","b":1}`,
		`{"a": "\u00e9", "b":1}`:              `{"a": "\u00e9", "b":1}`,
		`{"a":"2000-01-01T00:00:00Z"}`:        `{"a":"2000-01-01T00:00:00Z"}`,
		`{"a":"2199-12-31T23:59:59Z"}`:        `{"a":"2199-12-31T23:59:59Z"}`,
		`{"a":"0001-01-01"}`:                  `{"a":"0001-01-01"}`,
		``:                                    ``,
		`{"a":{"x":1},"b":{"x":1}}`:           `{"a":{"x":1},"b":{"x":1}}`,
	} {
		if got, err := Canonical([]byte(in)); err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: got %s %v, want %s", in, got, err, want)
		}
	}
}

func TestDeepestJSON(t *testing.T) {
	if _, err := Canonical([]byte(strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
}

func TestExactInstants(t *testing.T) {
	for _, good := range []string{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.123456789+14:00", "2026-01-01T23:59:59-23:59"} {
		if _, err := Canonical([]byte(`{"a":"` + good + `"}`)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+14:60", "2026-01-01T0:00:00Z", "2026-01-01T00:00:00,5Z",
		"2026-01-01T00:00:00.1234567890Z", "2026-01-01T0:00:00.5Z", "2026-01-01T00:00:00.1234567891+01:00",
	} {
		_, err := Canonical([]byte(`{"a":"` + bad + `"}`))
		var p *problem.Problem
		if !errors.As(err, &p) || p.Errors[0].Pointer != "/a" || !strings.Contains(p.Detail, "must be an instant") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for in, want := range map[string][2]string{
		`{"amount":{"amount":1},"amount":{"amount":9}}`:   {"/amount", "twice"},
		`{"a":[{"b":1,"b":2}]}`:                           {"/a/0/b", "twice"},
		"{\"label\":\"\xff\"}":                            {"/label", "not valid UTF-8"},
		`{"label":"\ud800"}`:                              {"/label", "not JSON"},
		`{"label":"a\u0000b"}`:                            {"/label", "U+0000"},
		`{"label":"a\nb"}`:                                {"/label", "U+000A"},
		`{"label":"a\u202eb"}`:                            {"/label", "U+202E"},
		`{"label":"a\u2028b"}`:                            {"/label", "U+2028"},
		`{"label":"a\u200bb"}`:                            {"/label", "U+200B"},
		`{"label":"\u3164"}`:                              {"/label", "U+3164"},
		`{"a\u0007":1}`:                                   {"/a", "U+0007"},
		`{"validUntil":"0001-01-01T00:00:00Z"}`:           {"/validUntil", "in the years 2000 to 2199"},
		`{"validUntil":"0001-01-01T01:00:00+01:00"}`:      {"/validUntil", "in the years 2000 to 2199"},
		`{"validUntil":"9999-12-31T23:59:59-12:00"}`:      {"/validUntil", "in the years 2000 to 2199"},
		`{"validFrom":"0000-01-01T00:00:00+14:00"}`:       {"/validFrom", "in the years 2000 to 2199"},
		`{"validFrom":"1970-01-01T00:00:00Z"}`:            {"/validFrom", "in the years 2000 to 2199"},
		`{"validFrom":"2000-01-01T00:59:59+01:00"}`:       {"/validFrom", "in the years 2000 to 2199"},
		`{"validFrom":"1999-12-31T23:59:59-12:00"}`:       {"/validFrom", "in the years 2000 to 2199"},
		`{"validFrom":"2200-01-01T00:59:59+01:00"}`:       {"/validFrom", "in the years 2000 to 2199"},
		strings.Repeat("[", 33) + strings.Repeat("]", 33): {"", "deeper than 32 levels"},
		strings.Repeat("[", 60_000):                       {"", "deeper than 32 levels"},
		`{"a":1`:                                          {"", "ends too early"},
		`{"a":01}`:                                        {"", "not JSON"},
		`{} {}`:                                           {"", "one value"},
		`nonsense`:                                        {"", "not JSON"},
		"\ufeff{}":                                        {"", "byte order mark"},
	} {
		_, err := Canonical([]byte(in))
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.InvalidRequest || !strings.HasPrefix(p.Errors[0].Pointer, want[0]) || !strings.Contains(p.Detail, want[1]) {
			t.Errorf("%q: got %v %+v, want %v", in, err, p, want)
		}
	}
}

func TestQuery(t *testing.T) {
	known := []string{"customerRef", "limit"}
	for raw, want := range map[string]string{
		"":                           "",
		"customerRef=CE-1&limit=3":   "",
		"customerRef=CE%2D1":         "",
		"customerRef=CE-NOBODY;x":    "query is not well formed",
		"customerRef=CE-NOBODY%":     "query is not well formed",
		"customer=CE-1":              "it has customerRef, limit",
		"customerRef=1&customerRef=": "sent 2 times",
		"customerRef=%ff":            "not valid UTF-8",
		"customerRef=a%00":           "U+0000",
		"%00=a":                      "query:?",
		"=a":                         "query: has a parameter without a name",
	} {
		p := checkQuery(raw, known)
		if (p == nil) != (want == "") || p != nil && !strings.Contains(strings.ReplaceAll(p.Detail, "query: is", "query is"), want) {
			t.Errorf("%q: got %v, want %q", raw, p, want)
		}
	}
	if p := checkQuery("a=1", nil); p == nil || !strings.Contains(p.Detail, "no query parameters") {
		t.Errorf("without parameters: %v", p)
	}
}

func TestParametersAreTheOperations(t *testing.T) {
	request := func(query string) middleware.Request {
		return middleware.Request{Raw: httptest.NewRequest("GET", "/x?"+query, nil), Params: middleware.Parameters{
			{Name: "limit", In: openapi.LocationQuery}: 1, {Name: "name", In: openapi.LocationQuery}: "", {Name: "offset", In: openapi.LocationQuery}: struct{ Value int32 }{}, {Name: "ref", In: openapi.LocationPath}: "r"}}
	}
	asked := 0
	next := func(middleware.Request) (middleware.Response, error) { asked++; return middleware.Response{}, nil }
	if _, err := Parameters(request("limit=1"), next); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	if _, err := Parameters(request("ref=1"), next); err == nil || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	for _, text := range []string{"%2B1", "01", "-01"} {
		if _, err := Parameters(request("limit="+text), next); err == nil || asked != 1 {
			t.Errorf("limit=%s: %v, asked %d times", text, err, asked)
		}
	}
	for _, query := range []string{"limit=0", "limit=-1", "name=007", "offset=10"} {
		if _, err := Parameters(request(query), next); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestConditions sends conditions to an operation that has If-Match, and to others.
func TestConditions(t *testing.T) {
	with := middleware.Parameters{{Name: "If-Match", In: openapi.LocationHeader}: ""}
	for _, tt := range []struct {
		method, header string
		params         middleware.Parameters
		refused        bool
	}{
		{"PATCH", `If-Match: "1"`, with, false}, {"PATCH", "If-None-Match: *", with, true}, {"PUT", "Content-Range: bytes 0-1/2", with, true},
		{"DELETE", "If-Unmodified-Since: Sun, 29 Nov 2026 00:00:00 GMT", with, true}, {"POST", `If-Match: "1"`, nil, true}, {"POST", "If-Match: *", nil, false},
		{"POST", `If-Match: W/"1"`, nil, true}, {"POST", `If-None-Match: "1"`, nil, true}, {"POST", "Range: bytes=0-1", nil, false},
		{"GET", `If-Match: "1"`, nil, false}, {"GET", `If-None-Match: "1"`, nil, false},
	} {
		raw := httptest.NewRequest(tt.method, "/x", nil)
		name, value, _ := strings.Cut(tt.header, ": ")
		raw.Header.Set(name, value)
		var noted error
		_, err := Parameters(middleware.Request{Context: t.Context(), Raw: raw, Params: tt.params}, func(req middleware.Request) (middleware.Response, error) {
			noted = Condition(req.Context)
			return middleware.Response{}, nil
		})
		var p *problem.Problem
		if err != nil || errors.As(noted, &p) != tt.refused || tt.refused && (p.Code != problem.InvalidRequest || p.Errors[0].Pointer != "header:"+name) {
			t.Errorf("%s with %s: noted %v, error %v", tt.method, tt.header, noted, err)
		}
	}
}

func TestBodyWhereNoneBelongs(t *testing.T) {
	for _, tt := range []struct {
		method, body string
		refused      bool
	}{{"GET", "{}", true}, {"DELETE", "{}", true}, {"DELETE", "", false}, {"GET", "", false}, {"POST", "{}", false}} {
		raw := httptest.NewRequest(tt.method, "/x", strings.NewReader(tt.body))
		_, err := Parameters(middleware.Request{Raw: raw}, func(middleware.Request) (middleware.Response, error) { return middleware.Response{}, nil })
		var p *problem.Problem
		if errors.As(err, &p) != tt.refused || tt.refused && p.Code != problem.InvalidRequest {
			t.Errorf("%s %q: %v", tt.method, tt.body, err)
		}
	}
}

// refuse answers with a problem at once.
func refuse(w http.ResponseWriter, _ *http.Request, p *problem.Problem) { problem.Write(w, p) }

func TestHeaders(t *testing.T) {
	type header = http.Header
	for name, tt := range map[string]struct {
		body   string
		header header
		status int
	}{
		"JSON":                 {"{}", header{"Content-Type": {"application/json"}}, 200},
		"charset":              {"{}", header{"Content-Type": {"application/json; charset=UTF-8"}}, 200},
		"no body":              {"", header{}, 200},
		"other charset":        {"{}", header{"Content-Type": {"application/json; charset=utf-16"}}, 415},
		"no media type":        {"{}", header{}, 415},
		"other media type":     {"{}", header{"Content-Type": {"text/plain"}}, 415},
		"broken media type":    {"{}", header{"Content-Type": {";"}}, 415},
		"compressed":           {"{}", header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, 415},
		"two keys":             {"{}", header{"Content-Type": {"application/json"}, "Idempotency-Key": {"a", "b"}}, 400},
		"two API keys":         {"", header{"X-Api-Key": {"a", "b"}}, 400},
		"two tokens":           {"", header{"Authorization": {"Bearer a", "Bearer b"}}, 400},
		"two media types":      {"{}", header{"Content-Type": {"application/json", "text/plain"}}, 400},
		"a duplicate in JSON":  {`{"a":1,"a":2}`, header{"Content-Type": {"application/json"}}, 400},
		"more than the limits": {`"` + strings.Repeat("x", problem.MaxBody) + `"`, header{"Content-Type": {"application/json"}}, 413},
	} {
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				problem.Write(w, problem.FromOgen(err))
			}
		})
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header = tt.header
		w := httptest.NewRecorder()
		problem.LimitBody(HTTP(next, refuse)).ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, tt.status)
		}
	}
}

// A body that stops arriving is answered 408, without an address.
func TestStalledBody(t *testing.T) {
	server := httptest.NewUnstartedServer(problem.LimitBody(HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		problem.Write(w, problem.FromOgen(err))
	}), refuse)))
	server.Config.ReadTimeout = 50e6 // 50 ms
	server.Start()
	defer server.Close()
	stalled, writer := io.Pipe()
	defer writer.Close()
	go func() { _, _ = io.WriteString(writer, `{"a":`) }()
	resp, err := http.Post(server.URL, "application/json", stalled)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestTimeout || strings.Contains(string(text), "127.0.0.1") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":100.0}`, `{"a":1e2,"b":"\u00e9"}`, `[]`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := Canonical(data)
		if err != nil {
			return
		}
		if twice, err := Canonical(once); err != nil || string(twice) != string(once) {
			t.Errorf("%q became %q, and then %q %v", data, once, twice, err)
		}
	})
}
