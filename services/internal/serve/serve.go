// Package serve starts and stops a service: its JSON log, its tasks in order, its HTTP server with
// /healthz and /readyz, and the one for operators with metrics and profiles. The front packages of
// the services import it; the domains never do.
package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// Logger returns the logger of a process. It writes one JSON object a line, with the name of the
// service and of the instance. Nothing is logged if w is nil.
func Logger(w io.Writer, level slog.Leveler, service, writer string) *slog.Logger {
	if w == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})).With("service", service, "writer", writer)
}

// Task is one part of a process. Run works until its context ends, finishes what is under way, and
// returns.
type Task struct {
	Name string
	Run  func(context.Context) error
	// StopIn bounds how long Run may take after its context has ended; 0 is 15 s.
	StopIn time.Duration
}

const defaultStopIn = 15 * time.Second

// Group starts the tasks in order. When the context ends or a task returns, it stops them one after
// the other in the opposite order, so that a task may rely on those before it: the HTTP server,
// which is last, drains while the journal still runs. It returns the joined errors of the tasks,
// nil if the context ended and all tasks stopped without an error. A task that returns before it
// was stopped has failed.
func Group(ctx context.Context, logger *slog.Logger, tasks ...Task) error {
	type running struct {
		Task
		cancel context.CancelFunc
		done   chan error
	}
	ended := make(chan string, len(tasks)) // the reason for stopping
	all := make([]*running, 0, len(tasks))
	for _, t := range tasks {
		taskCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r := &running{Task: t, cancel: cancel, done: make(chan error, 1)}
		all = append(all, r)
		go func() {
			err := runTask(taskCtx, r.Task)
			if taskCtx.Err() == nil && err == nil {
				err = errors.New("ended by itself")
			}
			r.done <- err
			ended <- fmt.Sprintf("task %s returned: %v", r.Name, err)
		}()
	}
	select {
	case <-ctx.Done():
		logger.Info("stopping", "reason", context.Cause(ctx).Error())
	case reason := <-ended:
		logger.Error("stopping", "reason", reason)
	}
	var failures []error
	for _, r := range slices.Backward(all) {
		r.cancel()
		limit := r.StopIn
		if limit == 0 {
			limit = defaultStopIn
		}
		select {
		case err := <-r.done:
			if err != nil && !errors.Is(err, context.Canceled) {
				failures = append(failures, fmt.Errorf("%s: %w", r.Name, err))
			}
		case <-time.After(limit):
			failures = append(failures, fmt.Errorf("%s: not stopped after %v", r.Name, limit))
		}
	}
	return errors.Join(failures...)
}

func runTask(ctx context.Context, t Task) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return t.Run(ctx)
}

// Check is one condition of readiness. Ready returns nil if the condition holds, else why it does
// not.
type Check struct {
	Name  string
	Ready func() error
}

// Ready returns a function that returns nil if every check holds, else the error of the first that
// does not.
func Ready(checks []Check) func() error {
	return func() error {
		for _, c := range checks {
			if err := c.Ready(); err != nil {
				return err
			}
		}
		return nil
	}
}

// HTTPConfig describes what an HTTP server serves.
type HTTPConfig struct {
	Addr    string       // port 0 is any free port; Listening gets the address
	TLS     *Certificate // nil: without TLS
	Handler http.Handler
	State   *State // what GET /healthz and GET /readyz answer
	Logger  *slog.Logger
	// Connections bounds the connections that are open; nil: there is no bound.
	Connections *Connections
	// HoldEarly, unless it is nil, waits before a request is answered that cannot be read as HTTP,
	// and before a connection is closed on which TLS does not begin. The wait ends with ctx. A
	// connection whose handshake the client breaks off is closed at once.
	HoldEarly func(ctx context.Context)
	// Listen is net.Listen if it is nil.
	Listen func(network, address string) (net.Listener, error)
	// Listening, unless it is nil, is called once with the address of the listener.
	Listening func(net.Addr)
	// Linger is for how long connections are still accepted once the server stops, so that load
	// balancers that ask /readyz send no more requests; 0 is 200 ms. The kernel resets connections
	// that are not accepted when the listener is closed.
	Linger time.Duration
	// DrainIn bounds how long requests under way may take after that; 0 is 10 s. Then they are cut
	// off.
	DrainIn time.Duration
}

// HTTP returns the task that serves cfg. When its context ends, the service is not ready, and each
// answer closes its connection. After cfg.Linger no connection is accepted, and the requests on
// those that were accepted are answered. No handler runs once the task has returned without an
// error. GET /healthz and GET /readyz answer with a status, for load balancers; the reasons are on
// the address of Admin.
func HTTP(cfg HTTPConfig) Task {
	cfg.DrainIn = cmp.Or(cfg.DrainIn, 10*time.Second)
	cfg.Linger = cmp.Or(cfg.Linger, 200*time.Millisecond)
	return Task{Name: "http", StopIn: cfg.Linger + cfg.DrainIn + 5*time.Second, Run: func(ctx context.Context) error { return serveHTTP(ctx, cfg) }}
}

// maxHeaders is the size of the headers that are read, in bytes.
const maxHeaders = 32 << 10

func serveHTTP(ctx context.Context, cfg HTTPConfig) error {
	listen := cfg.Listen
	if listen == nil {
		listen = net.Listen
	}
	listener, err := listen("tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if cfg.Listening != nil {
		cfg.Listening(listener.Addr())
	}
	cfg.Logger.Info("serving HTTP", "address", listener.Addr().String())
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	open := &busy{conns: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler:           withHealth(cfg),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      40 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaders,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState:         open.note,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		// OPTIONS * gets the answer of any other path that does not exist
		DisableGeneralOptionsHandler: true,
	}
	hold := func() {
		if cfg.HoldEarly != nil {
			cfg.HoldEarly(ctx)
		}
	}
	failed := make(chan error, 1)
	go func() {
		failed <- server.Serve(plainErrors{cfg.TLS.over(cfg.Connections.over(listener)), cfg.TLS != nil, hold})
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	cfg.State.stopping.Store(true)
	select {
	case err := <-failed:
		return err
	case <-time.After(cfg.Linger):
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainIn)
	defer cancel()
	open.settle(drain, listener, failed)
	if err := server.Shutdown(drain); err != nil {
		cut()
		return errors.Join(fmt.Errorf("requests cut after %v", cfg.DrainIn), server.Close())
	}
	return nil
}

func withHealth(cfg HTTPConfig) http.Handler {
	others := guard(cfg.Logger, cfg.Handler)
	return withHeaders(cfg.TLS != nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cfg.State.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		// Not a mux, which redirects paths that are not clean, with a page of HTML.
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/healthz":
			alive(w, r)
		case r.Method == http.MethodGet && r.URL.Path == "/readyz":
			ready := cfg.State.Readiness().Ready
			writeJSON(w, readyStatus(ready), Readiness{Ready: ready})
		default:
			others.ServeHTTP(w, r)
		}
	}))
}

// guard returns a handler that answers a panic of next with a problem document, and logs it.
func guard(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &recorder{ResponseWriter: w}
		start := time.Now()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				logger.ErrorContext(r.Context(), "panic in a handler", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if seen.status == 0 {
					problem.Write(seen, problem.From(fmt.Errorf("panic: %v", p)))
				}
			} else if p != nil {
				panic(p)
			}
			if logger.Enabled(r.Context(), slog.LevelDebug) {
				logger.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", seen.status, "took", time.Since(start).String())
			}
		}()
		next.ServeHTTP(seen, r)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
