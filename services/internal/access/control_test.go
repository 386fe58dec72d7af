package access

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// credentials writes a file of keys and returns its path.
func credentials(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, cfg Config) *Control {
	t.Helper()
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome returns the subject that was let in, or the code of the problem.
func outcome(t *testing.T, ctx context.Context, err error) string {
	t.Helper()
	var p *problem.Problem
	switch {
	case err == nil:
		c, _ := From(ctx)
		return c.Subject
	case errors.As(err, &p):
		return p.Code.String()
	}
	t.Fatalf("the error is no problem: %v", err)
	return ""
}

const operation = "GetContract"

func TestKey(t *testing.T) {
	c := open(t, Config{File: credentials(t, `[
		{"subject":"agency","sha256":"`+Hash("old")+`","scopes":["read","write"]},
		{"subject":"agency","sha256":"`+strings.ToUpper(Hash("new"))+`","scopes":["read","write"]},
		{"subject":"audit","sha256":"`+Hash("looks")+`","scopes":["read"]},
		{"subject":"acme","sha256":"`+Hash("bound")+`","scopes":["read"],"customers":["CE-ACME"]},
		{"subject":"treasury","sha256":"`+Hash("pays")+`","scopes":["payments"]}]`)})
	for _, tt := range []struct {
		key    string
		scopes []string
		want   string
	}{
		{"old", []string{Write}, "agency"},
		{"new", []string{Read, Write}, "agency"},
		{"looks", []string{Read}, "audit"},
		{"looks", nil, "audit"},
		{"bound", []string{Read}, "acme"},
		{"pays", []string{Payments}, "treasury"},
		{"looks", []string{Write}, "forbidden"},
		{"old", []string{Payments}, "forbidden"},
		{"old", []string{Admin}, "forbidden"},
		{"", nil, "unauthenticated"},
		{"secret-guess", []string{Read}, "unauthenticated"},
		{Hash("old"), []string{Read}, "unauthenticated"},
	} {
		ctx, err := c.Key(t.Context(), operation, tt.key, tt.scopes)
		if got := outcome(t, ctx, err); got != tt.want {
			t.Errorf("%q for %v: %s, want %s", tt.key, tt.scopes, got, tt.want)
		}
		if err != nil && tt.key != "" && strings.Contains(err.Error(), tt.key) {
			t.Errorf("the problem contains the key: %v", err)
		}
	}
	ctx, _ := c.Key(t.Context(), operation, "bound", nil)
	if who, _ := From(ctx); !who.Sees("CE-ACME") || who.Sees("CE-OTHER") || len(Customers(ctx)) != 1 {
		t.Errorf("the bound caller is %+v", who)
	}
	ctx, _ = c.Key(t.Context(), operation, "old", nil)
	if who, _ := From(ctx); !who.Sees("CE-OTHER") || Customers(ctx) != nil {
		t.Errorf("the caller that is not bound is %+v", who)
	}
	ctx, err := c.Bearer(t.Context(), operation, "old", nil)
	if got := outcome(t, ctx, err); got != "unauthenticated" {
		t.Errorf("a key as a token: %s", got)
	}
}

func TestKeyExpires(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := open(t, Config{Now: func() time.Time { return now }, File: credentials(t, `[
		{"subject":"a","sha256":"`+Hash("k")+`","scopes":["read"],"expires":"2026-03-01T13:00:00+01:00"}]`)})
	for at, want := range map[time.Duration]string{-time.Nanosecond: "a", 0: "unauthenticated", time.Hour: "unauthenticated"} {
		now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(at)
		ctx, err := c.Key(t.Context(), operation, "k", []string{Read})
		if got := outcome(t, ctx, err); got != want {
			t.Errorf("%v after it expires: %s, want %s", at, got, want)
		}
	}
}

// A file that cannot be used lets nobody new in, and those in force stay.
func TestFileIsReadAgain(t *testing.T) {
	entry := func(subject, key string) string {
		return `{"subject":"` + subject + `","sha256":"` + Hash(key) + `","scopes":["read"]}`
	}
	path := credentials(t, "["+entry("one", "k1")+"]")
	var log bytes.Buffer
	c := open(t, Config{File: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	in := func(key string) bool { _, err := c.Key(t.Context(), operation, key, nil); return err == nil }
	for _, step := range []struct {
		name, text string
		mode       os.FileMode
		k1, k2     bool
		logged     string
	}{
		{"half written", "[" + entry("one", "k1") + "," + entry("two", "k2")[:40], 0o600, true, false, "credentials"},
		{"another key", "[" + entry("one", "k1") + "," + entry("two", "k2") + "]", 0o600, true, true, "read again"},
		{"trailing text", "[" + entry("one", "k1") + "] x", 0o600, true, true, path},
		{"mode 666", "[" + entry("one", "k1") + "]", 0o666, true, true, "mode 666"},
		{"empty", "", 0o600, true, true, "empty"},
		{"a key removed", "[" + entry("two", "k2") + "]", 0o600, false, true, "read again"},
	} {
		log.Reset()
		if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, step.mode); err != nil {
			t.Fatal(err)
		}
		c.Check()
		if in("k1") != step.k1 || in("k2") != step.k2 {
			t.Errorf("%s: k1 is let in: %t, k2: %t", step.name, in("k1"), in("k2"))
		}
		if !strings.Contains(log.String(), step.logged) {
			t.Errorf("%s: logged %s", step.name, log.String())
		}
	}
}

func TestInvalidFiles(t *testing.T) {
	hash := `"sha256":"` + Hash("a") + `","scopes":["read"]`
	for text, want := range map[string]string{
		``:                                  "empty",
		`[]`:                                "empty",
		`{}`:                                "not a list of keys",
		`[1]`:                               "the value of /0 is not",
		`[{"subject":"a",` + hash + `}`:     "unexpected EOF",
		`[{"subject":"a",` + hash + `}] []`: "after top-level value",
		`[{"subject":"a",` + hash + `,"subject":"b"}]`:                            "duplicate",
		`[{"subject":"a","key":"x"}]`:                                             "unknown object member",
		`[{` + hash + `}]`:                                                        "no subject",
		`[{"subject":"a","sha256":"12","scopes":["read"]}]`:                       "64 hexadecimal digits",
		`[{"subject":"a","sha256":"` + Hash("") + `","scopes":["read"]}]`:         "empty key",
		`[{"subject":"a","sha256":"` + Hash("a") + `"}]`:                          "no scopes",
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":[]}]`:              "no scopes",
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":["root"]}]`:        `unknown scope "root"`,
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":["Read"]}]`:        `unknown scope "Read"`,
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":["read","read"]}]`: "twice",
		`[{"subject":"a",` + hash + `,"customers":[]}]`:                           "list of customers is empty",
		`[{"subject":"a",` + hash + `,"customers":["CE-1","*"]}]`:                 "leave customers out",
		`null`:   "list is empty",
		`[null]`: "no subject",
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":null}]`:                                                   "no scopes",
		`[{"subject":"a",` + hash + `,"expires":"2027-02-30T00:00:00Z"}]`:                                                "/0/expires",
		`[{"subject":"a",` + hash + `},` + "\r\n" + `{"subject":"a",` + strings.ToUpper(hash[:11]) + hash[11:] + `}]`:    "SHA256",
		`[{"subject":"a",` + hash + `},{"subject":"a","sha256":"` + strings.ToUpper(Hash("a")) + `","scopes":["read"]}]`: "same key",
		`[{"subject":"a",` + hash + `,"customers":["CE-1 "]}]`:                                                           "is not a customer",
		`[{"subject":"a",` + hash + `,"expires":"soon"}]`:                                                                "expires",
		`[{"subject":"a",` + hash + `,"expires":null}]`:                                                                  "/0/expires",
		`[{"subject":"a",` + hash + `,"customers":null}]`:                                                                "/0/customers",
		`[{"subject":"a",` + hash + `},{"subject":"b",` + hash + `}]`:                                                    "same key",
		`[{"subject":"a",` + hash + `,"rate":0}]`:                                                                        "rate",
		`[{"subject":"a",` + hash + `,"rate":-1}]`:                                                                       "rate",
		`[{"subject":"a",` + hash + `,"rate":"5"}]`:                                                                      "/0/rate",
		`[{"subject":"a",` + hash + `,"rate":1e999}]`:                                                                    "/0/rate",
	} {
		path := credentials(t, text)
		if _, err := Open(Config{File: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q and the path", text, err, want)
		}
	}
	if _, err := Open(Config{File: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a missing file was accepted")
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("no credentials were accepted")
	}
	path := credentials(t, `[{"subject":"a",`+hash+`}]`)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{File: path}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("mode 666: %v", err)
	}
}

func TestInsecure(t *testing.T) {
	c := Insecure()
	ctx, err := c.Key(t.Context(), operation, "whatever", []string{Read, Write, Admin, Payments})
	if got := outcome(t, ctx, err); got != "dev" {
		t.Errorf("subject %q, want dev", got)
	}
	for given, want := range map[string]string{"": "none", "mine": "mine"} {
		var seen string
		h := c.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get(HeaderName) }))
		r := httptest.NewRequest("GET", "/", nil)
		if given != "" {
			r.Header.Set(HeaderName, given)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if seen != want {
			t.Errorf("key %q reached the server as %q, want %q", given, seen, want)
		}
	}
}

func TestTwoCredentialsAreRefused(t *testing.T) {
	for _, c := range []*Control{Insecure(), open(t, Config{File: credentials(t, `[{"subject":"a","sha256":"`+Hash("k")+`","scopes":["read"]}]`)})} {
		h := c.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request went on") }))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(HeaderName, "k")
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 400 || !strings.Contains(w.Body.String(), "header:Authorization") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

func TestRateOfASubject(t *testing.T) {
	now := time.Now()
	c := open(t, Config{Rate: 2, Now: func() time.Time { return now }, File: credentials(t, `[
		{"subject":"a","sha256":"`+Hash("a1")+`","scopes":["read"]},
		{"subject":"a","sha256":"`+Hash("a2")+`","scopes":["read"]},
		{"subject":"c","sha256":"`+Hash("c")+`","scopes":["read"],"rate":0.5},
		{"subject":"b","sha256":"`+Hash("b")+`","scopes":["read"]}]`)})
	ask := func(key, want string) *problem.Problem {
		t.Helper()
		ctx, err := c.Key(t.Context(), operation, key, []string{Read})
		if got := outcome(t, ctx, err); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
		var p *problem.Problem
		errors.As(err, &p)
		return p
	}
	ask("a1", "a")
	ask("a2", "a")
	for range 5 { // what is refused does not count
		if p := ask("a1", "too-many-requests"); p == nil || p.RetryAfter != 1 || p.Code.Status() != 429 {
			t.Errorf("%+v", p)
		}
	}
	ask("b", "b") // another subject
	ask("c", "c") // another bound, of its own
	if p := ask("c", "too-many-requests"); p == nil || p.RetryAfter != 2 {
		t.Errorf("%+v", p)
	}
	now = now.Add(500 * time.Millisecond)
	ask("a2", "a")
	ask("a1", "too-many-requests")
	now = now.Add(time.Hour) // no more at once than before
	ask("a1", "a")
	ask("a1", "a")
	ask("a1", "too-many-requests")
}

// A client that closes its connection does not keep a goroutine until the refusal is due.
func TestHoldBackEndsWithClient(t *testing.T) {
	c := open(t, Config{Hold: time.Minute, File: credentials(t, `[{"subject":"a","sha256":"`+Hash("a1")+`","scopes":["read"]}]`)})
	waits, ended := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(waits)
		c.HoldBack(r.Context(), problem.Unauthenticated)
		close(ended)
	}))
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-waits
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		server.Close()
	case <-time.After(20 * time.Second):
		t.Error("still held back after 20 s")
	}
}

// A client is never told to wait longer than the documents allow.
func TestRateTooLow(t *testing.T) {
	key := func(rate string) string {
		return `[{"subject":"a","sha256":"` + Hash("k") + `","scopes":["read"],"rate":` + rate + `}]`
	}
	for _, rate := range []string{"0", "-1", "0.0002777", "1e-300"} {
		if _, err := Open(Config{File: credentials(t, key(rate))}); err == nil || !strings.Contains(err.Error(), "below one request in 1h0m0s") {
			t.Errorf("a key with %s: %v", rate, err)
		}
	}
	for _, rate := range []float64{-1, 0.0002, math.NaN()} {
		if _, err := Open(Config{File: credentials(t, key("1")), Rate: rate}); err == nil {
			t.Errorf("%v is accepted for all", rate)
		}
	}
	c := open(t, Config{File: credentials(t, key("0.00028"))})
	for range 2 {
		_, err := c.Key(t.Context(), operation, "k", nil)
		var p *problem.Problem
		if errors.As(err, &p) && (p.RetryAfter == 0 || p.RetryAfter > 3600) {
			t.Errorf("told to wait for %d s", p.RetryAfter)
		}
	}
}

func TestRefusalsAreHeldBack(t *testing.T) {
	c := open(t, Config{Hold: 50 * time.Millisecond, File: credentials(t, `[{"subject":"a","sha256":"`+Hash("a1")+`","scopes":["read"]}]`)})
	took := func(ctx context.Context, code problem.Code) time.Duration {
		began := time.Now()
		c.HoldBack(ctx, code)
		return time.Since(began)
	}
	for code, held := range map[problem.Code]bool{problem.Unauthenticated: true, problem.TooManyRequests: true, problem.Forbidden: false, problem.InvalidRequest: false} {
		if got := took(t.Context(), code); got >= c.cfg.Hold != held {
			t.Errorf("%s: held back for %v", code, got)
		}
	}
	for code, held := range map[problem.Code]*atomic.Int64{problem.Unauthenticated: &c.strangers, problem.TooManyRequests: &c.known} {
		held.Store(crowd * maxHolds * 2)
		if got := took(t.Context(), code); got < maxHolds*c.cfg.Hold || got > 20*maxHolds*c.cfg.Hold {
			t.Errorf("%s: held back for %v in a crowd", code, got)
		}
		held.Store(0)
	}
	c.strangers.Store(crowd * maxHolds * 2)
	if got := took(t.Context(), problem.TooManyRequests); got >= maxHolds*c.cfg.Hold {
		t.Errorf("a client is held back for %v because of strangers", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	c.cfg.Hold = time.Minute
	if got := took(gone, problem.Unauthenticated); got > 10*time.Second {
		t.Errorf("held back for %v from a client that has gone", got)
	}
}

// TestEarlyRefusalsDelayNoOthers has an early refusal held back, and looks which refusals are
// delayed by it.
func TestEarlyRefusalsDelayNoOthers(t *testing.T) {
	c := open(t, Config{Insecure: true, Hold: time.Minute})
	c.atOnce.SetBurst(0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		c.HoldEarly(ctx)
		close(ended)
	}()
	for began := time.Now(); c.early.Load() == 0 && time.Since(began) < 10*time.Second; {
		time.Sleep(time.Millisecond)
	}
	if e, s, k := c.early.Load(), c.strangers.Load(), c.known.Load(); e != 1 || s != 0 || k != 0 {
		t.Errorf("held back: %d early refusals, %d of strangers, %d of clients; want 1, 0, 0", e, s, k)
	}
	cancel()
	<-ended
}

// TestHoldsAreMetered counts how long the refusals of a request are held back, and nothing else.
func TestHoldsAreMetered(t *testing.T) {
	c := open(t, Config{Insecure: true, Hold: 20 * time.Millisecond})
	c.atOnce.SetBurst(0)
	ctx, held := Metered(t.Context())
	c.HoldBack(ctx, problem.InvalidRequest)
	if got := held(); got != 0 {
		t.Errorf("%v counted of an answer that is not held back", got)
	}
	c.HoldBack(ctx, problem.Unauthenticated)
	once := held()
	c.HoldEarly(ctx)
	if twice := held(); once < c.cfg.Hold || twice < once+c.cfg.Hold {
		t.Errorf("held back for at least 20 ms and 40 ms, counted %v and %v", once, twice)
	}
}

// TestRequestsUnderWay has a subject wait for answers, with two keys, until it may have no more
// requests under way. Requests that are refused count for nothing.
func TestRequestsUnderWay(t *testing.T) {
	const most = 3
	c := open(t, Config{UnderWay: most, File: credentials(t, `[
		{"subject":"a","sha256":"`+Hash("a1")+`","scopes":["read"]},
		{"subject":"a","sha256":"`+Hash("a2")+`","scopes":["read"]},
		{"subject":"b","sha256":"`+Hash("b")+`","scopes":["read"]}]`)})
	entered, answer := make(chan bool), make(chan bool)
	server := c.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := c.Key(r.Context(), operation, r.Header.Get(HeaderName), []string{Read})
		if err == nil { // a server may look at the credentials of a request twice
			_, err = c.Key(ctx, operation, r.Header.Get(HeaderName), []string{Read})
		}
		if err != nil {
			problem.Write(w, problem.From(err))
			return
		}
		entered <- true
		if !<-answer {
			panic(http.ErrAbortHandler)
		}
	}))
	send := func(key string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set(HeaderName, key)
		defer func() { _ = recover() }()
		server.ServeHTTP(w, r)
		return w
	}
	ended := make(chan bool)
	begin := func(key string) {
		t.Helper()
		go func() { send(key); ended <- true }()
		select {
		case <-entered:
		case <-time.After(10 * time.Second):
			t.Fatalf("a request of %s is refused", key)
		}
	}
	end := func(rightly bool) { answer <- rightly; <-ended }
	refused := func(key string) *httptest.ResponseRecorder {
		t.Helper()
		answered := make(chan *httptest.ResponseRecorder, 1)
		go func() { answered <- send(key) }()
		select {
		case w := <-answered:
			return w
		case <-entered:
			t.Fatalf("a request of %s is let in beside %d others", key, most)
			return nil
		}
	}
	for range 2 { // the second time, nothing of the first is left
		for n := range most {
			begin([]string{"a1", "a2"}[n%2])
		}
		for _, key := range []string{"a1", "a2", "a1", "a2"} {
			if w := refused(key); w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), `\"a\" has 3 requests under way`) {
				t.Errorf("%s: %d %v %s", key, w.Code, w.Header(), w.Body)
			}
		}
		begin("b")
		end(true)
		begin("b")
		for n := range most {
			end(n != 1) // after a panic too
		}
		end(true)
	}
	if len(c.underWay) != 0 {
		t.Errorf("%v are under way in the end", c.underWay)
	}
}

// TestRateRefusesFirst has requests above the rate of a subject held back: they are not under way.
func TestRateRefusesFirst(t *testing.T) {
	c := open(t, Config{UnderWay: 1, Rate: 1, File: credentials(t, `[{"subject":"a","sha256":"`+Hash("a")+`","scopes":["read"]}]`)})
	for _, want := range []string{"a", "too-many-requests"} {
		ctx := context.WithValue(t.Context(), lineKey{}, &line{})
		got, err := c.Key(ctx, operation, "a", nil)
		if came := outcome(t, got, err); came != want {
			t.Errorf("%s, want %s", came, want)
		}
		if err != nil && !strings.Contains(err.Error(), "a second") {
			t.Error(err)
		}
	}
	if c.underWay["a"] != 1 {
		t.Errorf("%v under way", c.underWay)
	}
}
