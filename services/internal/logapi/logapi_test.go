package logapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
)

// code returns the code of the problem that an error is, the zero Code if it is none.
func code(err error) problem.Code {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return problem.Code{}
}

func TestWhenReady(t *testing.T) {
	for name, c := range map[string]struct {
		method    string
		readiness []error // the answers one after the other
		want      problem.Code
		handled   bool
	}{
		"ready":                     {"GET", []error{nil, nil}, problem.Code{}, true},
		"not ready":                 {"GET", []error{errors.New("reading")}, problem.NotReady, false},
		"command before":            {"POST", []error{errors.New("reading")}, problem.NotReady, false},
		"state lost under a query":  {"GET", []error{nil, errors.New("lost")}, problem.NotReady, true},
		"state lost after a record": {"POST", []error{nil, errors.New("lost")}, problem.Code{}, true},
	} {
		asked, handled := 0, false
		ready := func() error { asked++; return c.readiness[asked-1] }
		next := func(middleware.Request) (middleware.Response, error) {
			handled = true
			return middleware.Response{Type: "answer"}, nil
		}
		_, err := WhenReady(ready)(middleware.Request{Raw: &http.Request{Method: c.method}}, next)
		if code(err) != c.want || handled != c.handled {
			t.Errorf("%s: %v, handled %t", name, err, handled)
		}
	}
}

type log struct{ at int64 }

func (log) Barrier(context.Context) error { return nil }

func (log) Topic() string     { return "x.log.v1" }
func (l log) Position() int64 { return l.at }
func (l log) WaitFor(_ context.Context, offset int64) error {
	if offset > l.at {
		return context.DeadlineExceeded
	}
	return nil
}

func TestFresh(t *testing.T) {
	for asked, want := range map[string]problem.Code{
		"": {}, "x.log.v1:0": {}, "x.log.v1:7": {}, "x.log.v1:8": problem.PositionNotReached,
		"y.log.v1:7": problem.InvalidRequest, "x.log.v1": problem.InvalidRequest, "x.log.v1:": problem.InvalidRequest,
		"x.log.v1:99999999999999999999": problem.InvalidRequest, "7": problem.InvalidRequest,
	} {
		if err := Fresh(t.Context(), log{7}, asked); code(err) != want || (err == nil) != (want == problem.Code{}) {
			t.Errorf("%q: %v, want %q", asked, err, want)
		}
	}
	if got := Position(log{}, 7); got != "x.log.v1:7" || Fresh(t.Context(), log{7}, got) != nil {
		t.Errorf("position %s", got)
	}
}

// lagging is a log of which something is read by a barrier only.
type lagging struct {
	log
	read *bool
	err  error
}

func (l lagging) Barrier(context.Context) error {
	*l.read = true
	return l.err
}

func TestFindReadsBeforeNotFound(t *testing.T) {
	for name, tt := range map[string]struct {
		here, there bool // found before the barrier, and behind it
		broken      error
		found       bool
		problem     problem.Code
	}{
		"is here":                 {here: true, found: true, broken: errors.New("not asked")},
		"is recorded":             {there: true, found: true},
		"is nowhere":              {},
		"the log cannot be read":  {there: true, broken: context.DeadlineExceeded, problem: problem.NotReady},
		"the log is not followed": {broken: journal.ErrNotReady, problem: problem.NotReady},
	} {
		read := false
		found, err := Find(t.Context(), lagging{read: &read, err: tt.broken}, func() bool { return tt.here || read && tt.there })
		if found != tt.found || code(err) != tt.problem || read == tt.here {
			t.Errorf("%s: found %v, error %v, barrier %v", name, found, err, read)
		}
	}
}

// TestForeignTakesAsLongAsMissing looks for what belongs to another customer.
func TestForeignTakesAsLongAsMissing(t *testing.T) {
	ctx := access.With(t.Context(), access.Caller{Subject: "agency", Customers: []string{"CE-1"}})
	for customer, barrier := range map[string]bool{"CE-1": false, "CE-2": true} {
		read := false
		got, found, err := Owner(ctx, lagging{read: &read}, func() (string, bool) { return customer, true })
		if got != customer || !found || err != nil || read != barrier {
			t.Errorf("%s: %s, found %t, error %v, barrier %t", customer, got, found, err, read)
		}
	}
	read := false
	if _, _, err := Owner(ctx, lagging{read: &read, err: journal.ErrNotReady}, func() (string, bool) { return "CE-2", true }); code(err) != problem.NotReady {
		t.Errorf("a log that cannot be read: %v", err)
	}
}

func TestRequests(t *testing.T) {
	var r Requests
	ctx := access.With(t.Context(), access.Caller{Subject: "agency"})
	begin := func(key string) (func(), error) {
		_, release, err := r.Begin(ctx, key, "op", "", json.RawMessage(`1`))
		return release, err
	}
	for key, want := range map[string]problem.Code{"": problem.IdempotencyKeyMissing, "a b": problem.InvalidRequest, strings.Repeat("k", 129): problem.InvalidRequest} {
		if _, err := begin(key); code(err) != want {
			t.Errorf("%q: %v", key, err)
		}
	}
	release, err := begin("k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin("k"); code(err) != problem.RequestInProgress {
		t.Errorf("at the same time: %v", err)
	}
	if other, err := begin("l"); err != nil {
		t.Errorf("another key: %v", err)
	} else {
		other()
	}
	release()
	if release, err = begin("k"); err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	release()
	if _, _, err := r.Begin(t.Context(), "k", "op", "", nil); err == nil || code(err) != (problem.Code{}) {
		t.Errorf("without a caller: %v", err)
	}
}

// TestProblem checks that an outcome that is not known is never called refused or failed, whatever
// else the error wraps.
func TestProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want problem.Code
	}{
		{fmt.Errorf("%w: %w", journal.ErrUnknownOutcome, context.DeadlineExceeded), problem.OutcomeUnknown},
		{fmt.Errorf("%w: %w", journal.ErrUnknownOutcome, journal.ErrNotReady), problem.OutcomeUnknown},
		{fmt.Errorf("%w: reading", journal.ErrNotReady), problem.NotReady},
		{fmt.Errorf("%w: contract/CTR-1", journal.ErrParked), problem.StreamParked},
		{journal.ErrTooLarge, problem.BodyTooLarge},
		{idempotency.ErrReused, problem.IdempotencyKeyReused},
		{context.DeadlineExceeded, problem.NotReady},
		{context.Canceled, problem.NotReady},
	} {
		if p := Problem(c.err); p == nil || p.Code != c.want {
			t.Errorf("%v: %v, want %s", c.err, p, c.want)
		} else if strings.Contains(p.Detail, "othing was recorded") {
			t.Errorf("%v: an earlier attempt with the key may have been recorded: %s", c.err, p.Detail)
		}
	}
	if p := Problem(journal.ErrImpossible); p != nil {
		t.Errorf("a fault of this program has a problem of its own: %v", p)
	}
}

func TestErrorHandlerLogsInternalOnly(t *testing.T) {
	var log bytes.Buffer
	c := Config{Access: access.Insecure(), Logger: slog.New(slog.NewTextHandler(&log, nil))}
	const traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, r := trace.With(t.Context(), traced), httptest.NewRequest("POST", "/operations", nil)
	answer := func(err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		c.ErrorHandler(ctx, w, r, err)
		return w
	}
	if w := answer(problem.New(problem.InvalidRequest, "no")); w.Code != 400 || log.Len() > 0 {
		t.Errorf("a client's fault: %d, logged %s", w.Code, log.String())
	}
	w := answer(errors.New("index out of range"))
	if w.Code != 500 || !strings.Contains(log.String(), "index out of range") || strings.Contains(w.Body.String(), "index out of range") {
		t.Errorf("status %d, log %s, body %s", w.Code, log.String(), w.Body.String())
	}
	if !strings.Contains(w.Body.String(), `"instance":"urn:trace:0af7651916cd43dd8448eb211c80319c"`) || !strings.Contains(log.String(), traced) {
		t.Errorf("the log and the answer do not have the trace: %s %s", log.String(), w.Body.String())
	}
}

// Anybody may ask a service that is not ready; the address of the broker is in its log.
func TestNotReadyHasNoAddress(t *testing.T) {
	away := fmt.Errorf("%w: the broker does not answer: unable to dial: dial tcp 10.1.2.3:9092: connect: connection refused", journal.ErrNotReady)
	for name, p := range map[string]*problem.Problem{"of a decision": Problem(away), "before it": notReady(away)} {
		if strings.Contains(p.Detail, "10.1.2.3") || !strings.Contains(p.Detail, "connection refused") {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
}

func TestReportHoldsRefusalsBack(t *testing.T) {
	const hold = 50 * time.Millisecond
	control, err := access.Open(access.Config{Insecure: true, Hold: hold})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Access: control, Logger: slog.New(slog.DiscardHandler)}
	for code, held := range map[problem.Code]bool{problem.Unauthenticated: true, problem.TooManyRequests: true, problem.NotFound: false} {
		began := time.Now()
		p := problem.New(code, "no")
		c.Report(t.Context(), p, p)
		if took := time.Since(began); took >= hold != held {
			t.Errorf("%s: answered after %v", code, took)
		}
	}
}

// TestEarlyRefusalsAreHeldBack causes refusals of requests whose credentials are not looked at. The
// first are answered at once, and those after them are held back, of each kind.
func TestEarlyRefusalsAreHeldBack(t *testing.T) {
	const hold = 50 * time.Millisecond
	now := time.Now()
	control, err := access.Open(access.Config{Insecure: true, Hold: hold, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Access: control, Logger: slog.New(slog.DiscardHandler)}
	began := time.Now()
	for range 100 {
		c.NotFound(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	if took := time.Since(began); took > 100*hold {
		t.Errorf("100 refusals in one second took %v", took)
	}
	around := c.Around(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("not refused") }))
	request := func(body string, header http.Header) func(http.ResponseWriter) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header = header
		return func(w http.ResponseWriter) { around.ServeHTTP(w, r) }
	}
	for name, refuse := range map[string]func(http.ResponseWriter){
		"no path":         func(w http.ResponseWriter) { c.NotFound(w, httptest.NewRequest("GET", "/", nil)) },
		"no method":       func(w http.ResponseWriter) { c.MethodNotAllowed(w, httptest.NewRequest("GET", "/", nil), "POST") },
		"media type":      request("{}", http.Header{"Content-Type": {"text/plain"}}),
		"repeated header": request("", http.Header{"If-Match": {"a", "b"}}),
		"two credentials": request("", http.Header{"X-Api-Key": {"a"}, "Authorization": {"Bearer b"}}),
	} {
		w, began := httptest.NewRecorder(), time.Now()
		refuse(w)
		if took := time.Since(began); took < hold || w.Code < 400 || w.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: answered %d %v after %v", name, w.Code, w.Header(), took)
		}
	}
}
