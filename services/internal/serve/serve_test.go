package serve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

var quiet = slog.New(slog.DiscardHandler)

// start runs the server in a group. It returns the URL, and a function that stops the group and
// returns its error.
func start(t *testing.T, cfg HTTPConfig) (string, func() error) {
	t.Helper()
	addr := make(chan net.Addr, 1)
	cfg.Addr, cfg.Listening = "127.0.0.1:0", func(a net.Addr) { addr <- a }
	if cfg.State == nil {
		cfg.State = NewState(nil)
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	cfg.Linger = cmp.Or(cfg.Linger, time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Group(ctx, quiet, HTTP(cfg)) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	select {
	case a := <-addr:
		return "http://" + a.String(), stop
	case err := <-done:
		t.Fatalf("not started: %v", err)
		return "", nil
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func TestReadyzReasons(t *testing.T) {
	var mu sync.Mutex
	var journal error = errors.New("replaying: 10 of 20 records")
	state := NewState([]Check{
		{"journal", func() error { mu.Lock(); defer mu.Unlock(); return journal }},
		{"clock", func() error { return nil }},
	})
	url, stop := start(t, HTTPConfig{Handler: http.NotFoundHandler(), State: state})
	admin := startAdmin(t, state)
	expect := func(url string, status int, body string) {
		t.Helper()
		if s, b := get(t, url); s != status || strings.TrimSpace(b) != body {
			t.Errorf("%s: %d %s, want %d %s", url, s, b, status, body)
		}
	}
	expect(admin+"/readyz", 503, `{"ready":false,"reasons":[{"check":"journal","reason":"replaying: 10 of 20 records"}]}`)
	expect(url+"/readyz", 503, `{"ready":false}`) // for anybody
	for _, u := range []string{url, admin} {
		expect(u+"/healthz", 200, `{"status":"alive"}`)
	}
	mu.Lock()
	journal = nil
	mu.Unlock()
	for _, u := range []string{url, admin} {
		expect(u+"/readyz", 200, `{"ready":true}`)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	expect(admin+"/readyz", 503, `{"ready":false,"reasons":[{"check":"http","reason":"the service is stopping"}]}`)
}

// Metrics and profiles are on the address for operators, and on no other.
func TestAdminServesMetricsAndProfiles(t *testing.T) {
	state := NewState(nil)
	url, _ := start(t, HTTPConfig{Handler: http.NotFoundHandler(), State: state})
	admin := startAdmin(t, state)
	for path, want := range map[string]string{"/metrics": "deferpay_", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "serveAdmin", "/debug/pprof/heap?debug=1": "heap profile"} {
		if status, body := get(t, admin+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if status, _ := get(t, url+path); status != 404 {
			t.Errorf("%s is served to the public: %d", path, status)
		}
	}
	if status, _ := get(t, admin+"/debug/pprof/cmdline"); status != 404 {
		t.Errorf("the command line is shown: %d", status)
	}
}

// startAdmin runs the server for operators and returns its URL.
func startAdmin(t *testing.T, state *State) string {
	t.Helper()
	addr := make(chan net.Addr, 1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "deferpay_ready 1") })
	task := Admin(AdminConfig{Addr: "127.0.0.1:0", State: state, Metrics: metrics, Logger: quiet, Listening: func(a net.Addr) { addr <- a }})
	go func() { done <- Group(ctx, quiet, task) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + (<-addr).String()
}

func TestStopAnswersRequests(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	url, stop := start(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-release
		if r.Context().Err() == nil {
			_, _ = io.WriteString(w, "answered")
		}
	})})
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(url + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-inside
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	// until the listener is closed
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err != nil {
			break
		} else {
			c.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("still listening")
		}
	}
	close(release)
	if got := <-answer; got != "answered" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	inside := make(chan struct{})
	url, stop := start(t, HTTPConfig{DrainIn: 20 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
	})})
	go func() {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
		}
	}()
	<-inside
	if err := stop(); err == nil || !strings.Contains(err.Error(), "requests cut") {
		t.Errorf("error %v, want that requests were cut", err)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	var log bytes.Buffer
	url, stop := start(t, HTTPConfig{Logger: Logger(&log, slog.LevelInfo, "billing", "b-1"), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("index 7") })})
	status, body := get(t, url+"/x")
	if status != 500 || strings.Contains(body, "index 7") || !strings.Contains(body, `"code":"internal"`) {
		t.Errorf("%d %s", status, body)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry["service"] != "billing" || entry["writer"] != "b-1" {
			t.Errorf("log line %s: %v", line, err)
		}
	}
	if !strings.Contains(log.String(), "index 7") {
		t.Error("the panic is not in the log")
	}
}

func TestGroupStopsInReverseOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	task := func(name string) Task {
		return Task{Name: name, Run: func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
			return ctx.Err()
		}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Group(ctx, quiet, task("journal"), task("router"), task("http")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "http router journal" {
		t.Errorf("stopped in order %s", got)
	}
}

func TestGroupEndsWhenATaskDoes(t *testing.T) {
	waits := Task{Name: "waits", Run: func(ctx context.Context) error { <-ctx.Done(); return nil }}
	for name, c := range map[string]struct {
		task Task
		want string
	}{
		"failure": {Task{Name: "bad", Run: func(context.Context) error { return errors.New("wrong topic") }}, "bad: wrong topic"},
		"early":   {Task{Name: "bad", Run: func(context.Context) error { return nil }}, "bad: ended by itself"},
		"panic":   {Task{Name: "bad", Run: func(context.Context) error { panic("oops") }}, "bad: panic: oops"},
		"stuck":   {Task{Name: "bad", StopIn: time.Millisecond, Run: func(context.Context) error { select {} }}, "bad: not stopped after 1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if name == "stuck" {
				stopped, cancel := context.WithCancel(ctx)
				cancel()
				ctx = stopped
			}
			err := Group(ctx, quiet, waits, c.task)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestListenFailureNamesTheAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = Group(t.Context(), quiet, HTTP(HTTPConfig{Addr: taken.Addr().String(), Handler: http.NotFoundHandler(), State: NewState(nil), Logger: quiet}))
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("error %v", err)
	}
}
