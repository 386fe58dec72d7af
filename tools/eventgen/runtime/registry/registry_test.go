package registry

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// fake is a schema registry whose URL has a path, like that of Apicurio.
type fake struct {
	mu      sync.Mutex
	schemas []string
	subject map[string][]int
	level   map[string]string
	refuse  bool // incompatible
	down    bool
	calls   []string
	types   []string // of the schemas that were sent; empty: Avro
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/apis/ccompat/v7")
	f.calls = append(f.calls, r.Method+" "+path)
	if f.down {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	var body struct{ Schema, SchemaType, Compatibility string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body.Schema != "" {
		f.types = append(f.types, body.SchemaType)
	}
	answer := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	missing := func(code int) {
		w.WriteHeader(http.StatusNotFound)
		answer(map[string]any{"error_code": code, "message": "not found"})
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case r.URL.Path == path:
		missing(404)
	case parts[0] == "config":
		name := parts[1]
		if r.Method == http.MethodPut {
			f.level[name] = body.Compatibility
			answer(map[string]string{"compatibility": body.Compatibility})
		} else if f.level[name] == "" {
			missing(40408)
		} else {
			answer(map[string]string{"compatibilityLevel": f.level[name]})
		}
	case parts[0] == "schemas":
		var id int
		fmt.Sscan(parts[2], &id)
		if id < 1 || id > len(f.schemas) {
			missing(40403)
			return
		}
		typ := "AVRO"
		if IsJSON(f.schemas[id-1]) {
			typ = "JSON"
		}
		answer(map[string]any{"schema": f.schemas[id-1], "schemaType": typ})
	case parts[0] == "compatibility":
		answer(map[string]any{"is_compatible": !f.refuse, "messages": []string{"READER_FIELD_MISSING_DEFAULT_VALUE"}})
	case r.Method == http.MethodPost && len(parts) == 3:
		if f.refuse {
			w.WriteHeader(http.StatusConflict)
			answer(map[string]any{"error_code": 409, "message": "incompatible"})
			return
		}
		f.schemas = append(f.schemas, body.Schema)
		f.subject[parts[1]] = append(f.subject[parts[1]], len(f.schemas))
		answer(map[string]int{"id": len(f.schemas)})
	case r.Method == http.MethodPost:
		for _, id := range f.subject[parts[1]] {
			if f.schemas[id-1] == body.Schema {
				answer(map[string]any{"subject": parts[1], "id": id, "version": 1, "schema": body.Schema})
				return
			}
		}
		missing(40403)
	case len(f.subject[parts[1]]) == 0:
		missing(40401)
	default:
		answer([]int{1})
	}
}

func start(t *testing.T) (*fake, *Client) {
	t.Helper()
	f := &fake{subject: map[string][]int{}, level: map[string]string{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, fresh(t, s.URL)
}

func fresh(t *testing.T, url string, options ...sr.ClientOpt) *Client {
	t.Helper()
	c, err := NewClient(url+"/apis/ccompat/v7", options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const schema = `{"type":"record","name":"A","namespace":"x","fields":[]}`

func TestRegisterThenUse(t *testing.T) {
	f, c := start(t)
	ctx := t.Context()
	subjects := []Subject{{"facts-x.A", schema}}
	if _, err := c.ID(ctx, "facts-x.A", schema); !errors.Is(err, ErrNotRegistered) {
		t.Fatalf("got %v", err)
	}
	if rs, err := c.Check(ctx, subjects); err != nil || rs[0].State != "new" {
		t.Fatalf("got %v, %v", rs, err)
	}
	rs, err := c.Register(ctx, subjects, "FULL_TRANSITIVE")
	if err != nil || rs[0].State != "registered" || rs[0].ID != 1 || f.level["facts-x.A"] != "FULL_TRANSITIVE" {
		t.Fatalf("got %v, %v, levels %v", rs, err, f.level)
	}
	if rs, err = c.Register(ctx, subjects, "FULL_TRANSITIVE"); err != nil || rs[0].State != "unchanged" || len(f.schemas) != 1 {
		t.Fatalf("a second time: %v, %v", rs, err)
	}
	id, err := c.ID(ctx, "facts-x.A", schema)
	if err != nil || id != 1 {
		t.Fatalf("got %d, %v", id, err)
	}
	got, err := c.Schema(ctx, 1)
	if err != nil || got != schema {
		t.Fatalf("got %s, %v", got, err)
	}
	before := len(f.calls)
	for range 10 {
		_, _ = c.ID(ctx, "facts-x.A", schema)
		_, _ = c.Schema(ctx, 1)
	}
	if len(f.calls) != before {
		t.Errorf("asked again: %v", f.calls[before:])
	}
}

func TestErrors(t *testing.T) {
	f, c := start(t)
	ctx := t.Context()
	if _, err := c.Schema(ctx, 9); !errors.Is(err, ErrUnknownID) {
		t.Errorf("got %v", err)
	}
	f.down = true
	if _, err := c.Schema(ctx, 9); err == nil || errors.Is(err, ErrUnknownID) {
		t.Errorf("out of order: got %v", err)
	}
	if _, err := c.ID(ctx, "s", schema); err == nil || errors.Is(err, ErrNotRegistered) {
		t.Errorf("out of order: got %v", err)
	}
	f.down = false
	f.refuse = true
	f.subject["s"] = []int{1}
	f.schemas = []string{"{}"}
	if rs, err := c.Check(ctx, []Subject{{"s", schema}}); err != nil || rs[0].State != "incompatible" || !strings.Contains(rs[0].Detail, "READER_FIELD") {
		t.Errorf("got %v, %v", rs, err)
	}
	if _, err := c.Register(ctx, []Subject{{"s", schema}}, "FULL_TRANSITIVE"); err == nil || !strings.Contains(err.Error(), "incompatible") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Register(ctx, nil, "MOSTLY"); err == nil {
		t.Error("a level that does not exist was taken")
	}
	for _, url := range []string{"", "localhost:8085", "ftp://x"} {
		if _, err := NewClient(url); err == nil {
			t.Errorf("URL %q was taken", url)
		}
	}
}

// TestJSONSchema registers, finds and reads a JSON Schema, with its type in every request.
func TestJSONSchema(t *testing.T) {
	f, c := start(t)
	const text = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}`
	subjects := []Subject{{"s", text}}
	if rs, err := c.Register(t.Context(), subjects, "BACKWARD"); err != nil || rs[0].ID != 1 {
		t.Fatalf("got %v, %v", rs, err)
	}
	if rs, err := c.Check(t.Context(), subjects); err != nil || rs[0].State != "unchanged" {
		t.Fatalf("got %v, %v", rs, err)
	}
	if id, err := c.ID(t.Context(), "s", text); err != nil || id != 1 {
		t.Errorf("got %d, %v", id, err)
	}
	if got, err := c.Schema(t.Context(), 1); err != nil || got != text {
		t.Errorf("got %s, %v", got, err)
	}
	for i, typ := range f.types {
		if typ != "JSON" {
			t.Errorf("request %d says the schema is of the type %q", i, typ)
		}
	}
}

func TestIsJSON(t *testing.T) {
	for text, want := range map[string]bool{
		schema: false, `"string"`: false, `{"type":"array","items":"string"}`: false, "": false,
		"true": true, " false\n": true, `{"$schema":"http://json-schema.org/draft-07/schema#"}`: true,
	} {
		if got := IsJSON(text); got != want {
			t.Errorf("IsJSON(%s) = %t", text, got)
		}
	}
}

// Only the registry's own error says that a schema is unknown. Whatever else answers in its place
// may not make a message a dead letter, and nothing of its answer is kept.
func TestNotTheRegistry(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"a proxy's 404": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<html><body>404 page not found</body></html>")
		},
		"another 404": func(w http.ResponseWriter) {
			http.Error(w, `{"error_code": 404, "message": "HTTP 404 Not Found"}`, 404)
		},
		"an empty 200":  func(w http.ResponseWriter) { fmt.Fprint(w, `{}`) },
		"an HTML page":  func(w http.ResponseWriter) { fmt.Fprint(w, "<html></html>") },
		"nothing":       func(http.ResponseWriter) {},
		"no schema":     func(w http.ResponseWriter) { fmt.Fprint(w, `{"id": 0, "schema": "<html>"}`) },
		"blank schemas": func(w http.ResponseWriter) { fmt.Fprint(w, `{"id": 0, "schema": " "}`) },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			t.Cleanup(s.Close)
			c := fresh(t, s.URL)
			if got, err := c.Schema(t.Context(), 7); err == nil || errors.Is(err, ErrUnknownID) {
				t.Errorf("schema %q, %v", got, err)
			}
			if id, err := c.ID(t.Context(), "facts-x.A", schema); err == nil || errors.Is(err, ErrNotRegistered) {
				t.Errorf("id %d, %v", id, err)
			}
			if len(c.ids) > 0 || len(c.schemas) > 0 {
				t.Errorf("kept %v %v", c.ids, c.schemas)
			}
		})
	}
}

// held is a transport that answers nothing before it is released, and counts the requests.
type held struct {
	requests int
	release  chan struct{}
}

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	h.requests++
	<-h.release
	body := io.NopCloser(strings.NewReader(`{"error_code": 40403, "message": "Schema not found"}`))
	return &http.Response{StatusCode: http.StatusNotFound, Request: r, Body: body}, nil
}

// However many ask for a schema at the same time, the registry gets one question. Whoever asks
// later asks again.
func TestManyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{release: make(chan struct{})}
		c, err := NewClient("http://registry", sr.HTTPClient(&http.Client{Transport: h}))
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 100)
		for range cap(errs) {
			go func() {
				_, err := c.Schema(t.Context(), 7)
				errs <- err
			}()
		}
		synctest.Wait()
		if h.requests != 1 {
			t.Errorf("%d questions", h.requests)
		}
		close(h.release)
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, ErrUnknownID) {
				t.Fatal(err)
			}
		}
		if _, err := c.Schema(t.Context(), 7); !errors.Is(err, ErrUnknownID) || h.requests != 2 {
			t.Errorf("asked again: %v, %d questions", err, h.requests)
		}
	})
}

// failing is a transport that panics.
type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { panic("a mistake") }

// A question whose answer made the client panic is asked again.
func TestAskAgainAfterPanic(t *testing.T) {
	c, err := NewClient("http://registry", sr.HTTPClient(&http.Client{Transport: failing{}}))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("question %d was not asked", n)
				}
			}()
			_, _ = c.Schema(t.Context(), 7)
		}()
	}
}

// TestAskUntil asks after the time that was set. What is cached is returned, and the registry gets
// no question.
func TestAskUntil(t *testing.T) {
	questions := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		questions++
		fmt.Fprint(w, `{"id": 7, "schema": "\"int\""}`)
	}))
	t.Cleanup(s.Close)
	c := fresh(t, s.URL)
	if id, err := c.ID(AskUntil(t.Context(), time.Now().Add(time.Minute)), "known", schema); id != 7 || err != nil {
		t.Fatalf("before the time: id %d, %v", id, err)
	}
	late := AskUntil(t.Context(), time.Now())
	if id, err := c.ID(late, "known", schema); id != 7 || err != nil {
		t.Errorf("of a cached schema: id %d, %v", id, err)
	}
	if id, err := c.ID(late, "other", schema); !errors.Is(err, ErrAway) {
		t.Errorf("of another schema: id %d, %v", id, err)
	}
	if text, err := c.Schema(late, 8); !errors.Is(err, ErrAway) {
		t.Errorf("of another id: schema %q, %v", text, err)
	}
	if questions != 1 {
		t.Errorf("the registry got %d questions", questions)
	}
}

// padded is a transport whose answers have a start and then blanks, n bytes in all. It counts what
// is read of them.
type padded struct {
	start string
	n     int
	read  int
}

func (e *padded) RoundTrip(r *http.Request) (*http.Response, error) {
	blanks := strings.Repeat(" ", e.n-len(e.start))
	body := io.TeeReader(strings.NewReader(e.start+blanks), e)
	return &http.Response{StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(body)}, nil
}

func (e *padded) Write(b []byte) (int, error) {
	e.read += len(b)
	return len(b), nil
}

// TestLongAnswer asks a registry whose answer is as long as a client reads, and longer.
func TestLongAnswer(t *testing.T) {
	for _, n := range []int{largestAnswer, largestAnswer + 1, 4 * largestAnswer} {
		e := &padded{start: `{"schema": "\"int\""}`, n: n}
		c := fresh(t, "http://registry", sr.HTTPClient(&http.Client{Transport: e}))
		got, err := c.Schema(t.Context(), 7)
		switch {
		case n <= largestAnswer:
			if got != `"int"` || err != nil {
				t.Errorf("%d bytes: schema %q, %v", n, got, err)
			}
		case !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "longer than 4194304 bytes"):
			t.Errorf("%d bytes: schema %q, %v", n, got, err)
		case e.read > largestAnswer+1:
			t.Errorf("%d bytes were read of %d", e.read, n)
		}
	}
}

// TestOptions sets how the registry is reached. The length of its answers is limited with each.
func TestOptions(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Asker") != "me" {
			return
		}
		fmt.Fprint(w, `{"schema": "\"int\""}`)
		if strings.HasSuffix(r.URL.Path, "/8") {
			fmt.Fprint(w, strings.Repeat(" ", largestAnswer))
		}
	}))
	t.Cleanup(s.Close)
	trusted := s.Client().Transport.(*http.Transport).TLSClientConfig
	asks := sr.PreReq(func(r *http.Request) error { r.Header.Set("X-Asker", "me"); return nil })
	for name, option := range map[string]sr.ClientOpt{
		"client": sr.HTTPClient(s.Client()), "TLS": sr.DialTLSConfig(&tls.Config{RootCAs: trusted.RootCAs}),
	} {
		c := fresh(t, s.URL, option, asks)
		if got, err := c.Schema(t.Context(), 7); got != `"int"` || err != nil {
			t.Errorf("%s: schema %q, %v", name, got, err)
		}
		if _, err := c.Schema(t.Context(), 8); err == nil || !strings.Contains(err.Error(), "longer than") {
			t.Errorf("%s: a long answer: %v", name, err)
		}
	}
}
