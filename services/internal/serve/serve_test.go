package serve

import (
	"bytes"
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
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
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
	url, _ := start(t, HTTPConfig{Handler: http.NotFoundHandler(), Checks: []Check{
		{"journal", func() error { mu.Lock(); defer mu.Unlock(); return journal }},
		{"clock", func() error { return nil }},
	}})
	status, body := get(t, url+"/readyz")
	if status != 503 || strings.TrimSpace(body) != `{"ready":false,"reasons":[{"check":"journal","reason":"replaying: 10 of 20 records"}]}` {
		t.Errorf("not ready: %d %s", status, body)
	}
	if status, _ := get(t, url+"/healthz"); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	mu.Lock()
	journal = nil
	mu.Unlock()
	if status, body := get(t, url+"/readyz"); status != 200 || strings.TrimSpace(body) != `{"ready":true}` {
		t.Errorf("ready: %d %s", status, body)
	}
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
	err = Group(t.Context(), quiet, HTTP(HTTPConfig{Addr: taken.Addr().String(), Handler: http.NotFoundHandler(), Logger: quiet}))
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("error %v", err)
	}
}
