package access

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/trace"
)

// TestAudit sends requests through a control, with a handler that does what a generated server
// does.
func TestAudit(t *testing.T) {
	var log bytes.Buffer
	var counted []string
	answered := func(operation, outcome string) { counted = append(counted, operation+" "+outcome) }
	c := open(t, Config{Answered: answered, Audit: slog.New(slog.NewJSONHandler(&log, nil)), File: credentials(t, `[
		{"subject":"agency","sha256":"`+Hash("k-secret")+`","scopes":["read","write"]}]`)})
	const traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, tt := range map[string]struct {
		key      string
		required []string
		code     problem.Code // of the handler's answer
		foreign  bool
		panics   bool
		unasked  bool           // nothing in the request looks like a credential
		want     map[string]any // nil: no line
	}{
		"a read":            {key: "k-secret", required: []string{Read}},
		"a read of nothing": {key: "k-secret", required: []string{Read}, code: problem.NotFound},
		"a write":           {key: "k-secret", required: []string{Write}, want: map[string]any{"action": "signMandate", "subject": "agency", "contract": "CTR-7", "outcome": "done", "traceparent": traced}},
		"a refused write":   {key: "k-secret", required: []string{Write}, code: problem.TransitionForbidden, want: map[string]any{"subject": "agency", "outcome": "transition-forbidden"}},
		"a failed write":    {key: "k-secret", required: []string{Write}, code: problem.Internal, want: map[string]any{"outcome": "internal"}},
		"a panic":           {key: "k-secret", required: []string{Write}, panics: true, want: map[string]any{"subject": "agency", "outcome": "internal"}},
		"a wrong key":       {key: "k-guess", required: []string{Read}, want: map[string]any{"subject": "", "outcome": "unauthenticated", "from": "192.0.2.1:1234"}},
		"no credential":     {unasked: true, want: map[string]any{"action": "", "subject": "", "outcome": "unauthenticated", "request": "PUT /contracts/CTR-7/mandate"}},
		"a missing scope":   {key: "k-secret", required: []string{Admin}, want: map[string]any{"subject": "agency", "outcome": "forbidden"}},
		"another customer":  {key: "k-secret", required: []string{Read}, foreign: true, code: problem.NotFound, want: map[string]any{"reason": "the credentials are bound to other customers", "outcome": "not-found"}},
	} {
		log.Reset()
		counted = nil
		server := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if tt.unasked { // the generated server answers by itself
				Outcome(r.Context(), problem.Unauthenticated)
				return
			}
			ctx, err := c.Key(r.Context(), "SignMandate", tt.key, tt.required)
			if err != nil {
				Outcome(r.Context(), problem.From(err).Code)
				return
			}
			note(ctx, func(l *line) { l.target, l.foreign = Target{"contract", "CTR-7"}, tt.foreign })
			if tt.panics {
				panic("index")
			}
			if tt.code != (problem.Code{}) {
				Outcome(ctx, tt.code)
			}
		})
		r := httptest.NewRequest("PUT", "/contracts/CTR-7/mandate", nil)
		func() {
			defer func() { _ = recover() }()
			c.HTTP(server).ServeHTTP(httptest.NewRecorder(), r.WithContext(trace.With(t.Context(), traced)))
		}()
		operation, outcome := "signMandate ", tt.code.String()
		if tt.unasked {
			operation = " "
		}
		if outcome == "" {
			outcome = "done"
		}
		if of, ok := tt.want["outcome"].(string); ok {
			outcome = of
		}
		if len(counted) != 1 || counted[0] != operation+outcome {
			t.Errorf("%s: counted %q, want %s%s", name, counted, operation, outcome)
		}
		if tt.want == nil {
			if log.Len() > 0 {
				t.Errorf("%s: logged %s", name, log.String())
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(log.Bytes(), &got); err != nil {
			t.Errorf("%s: not one line: %s", name, log.String())
		}
		for attribute, want := range tt.want {
			if got[attribute] != want {
				t.Errorf("%s: %s is %v, want %v", name, attribute, got[attribute], want)
			}
		}
		if tt.key != "" && strings.Contains(log.String(), tt.key) || strings.Contains(log.String(), Hash(tt.key)) {
			t.Errorf("%s: the line has the key: %s", name, log.String())
		}
	}
}

// TestAuditOfStrangers sends more wrong keys in a second than lines are written.
func TestAuditOfStrangers(t *testing.T) {
	var log bytes.Buffer
	now, counted := time.Now(), 0
	c := open(t, Config{Now: func() time.Time { return now }, Answered: func(string, string) { counted++ }, Audit: slog.New(slog.NewJSONHandler(&log, nil)),
		File: credentials(t, `[{"subject":"agency","sha256":"`+Hash("k-secret")+`","scopes":["read"]}]`)})
	server := c.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := c.Key(r.Context(), "SignMandate", r.Header.Get(HeaderName), []string{Write}); err != nil {
			Outcome(r.Context(), problem.From(err).Code)
		}
	}))
	send := func(key string) {
		r := httptest.NewRequest("PUT", "/contracts/CTR-7/mandate", nil)
		r.Header.Set(HeaderName, key)
		server.ServeHTTP(httptest.NewRecorder(), r)
	}
	for range unknownLines + 7 {
		send("k-guess")
	}
	if n := strings.Count(log.String(), `"audit"`); n != unknownLines || counted != unknownLines+7 {
		t.Errorf("%d lines and %d counted of %d wrong keys", n, counted, unknownLines+7)
	}
	log.Reset()
	send("k-secret")
	if !strings.Contains(log.String(), `"agency"`) {
		t.Error("no line of a caller that is known")
	}
	log.Reset()
	now = now.Add(time.Second)
	send("k-guess")
	send("k-guess")
	if strings.Count(log.String(), `"audit"`) != 2 || strings.Count(log.String(), `"skipped":7`) != 1 {
		t.Errorf("a second later: %s", log.String())
	}
}
