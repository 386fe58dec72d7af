package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// State is whether a process serves. It is ready while every check holds, until its HTTP server
// stops.
type State struct {
	checks   []Check
	stopping atomic.Bool
}

// NewState returns a state with checks, which are evaluated in order each time it is asked for.
// Without checks the process is always ready.
func NewState(checks []Check) *State { return &State{checks: checks} }

// Readiness is the answer of GET /readyz: 200 if the service is ready, else 503 with every reason.
type Readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// Reason is one condition that does not hold.
type Reason struct {
	Check  string `json:"check"`
	Reason string `json:"reason"`
}

// Readiness returns whether the process is ready, and every reason why it is not.
func (s *State) Readiness() Readiness {
	r := Readiness{Ready: true}
	if s.stopping.Load() {
		r = Readiness{Reasons: []Reason{{"http", "the service is stopping"}}}
	}
	for _, c := range s.checks {
		if err := c.Ready(); err != nil {
			r.Ready, r.Reasons = false, append(r.Reasons, Reason{c.Name, problem.WithoutAddresses(err.Error())})
		}
	}
	return r
}

func readyStatus(ready bool) int {
	if ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
}

// AdminConfig describes the server for operators.
type AdminConfig struct {
	Addr    string
	State   *State
	Metrics http.Handler // answers GET /metrics whether the process is ready or not
	Logger  *slog.Logger
	// Listen is net.Listen if it is nil.
	Listen func(network, address string) (net.Listener, error)
	// Listening, unless it is nil, is called once with the address of the listener.
	Listening func(net.Addr)
}

// Admin returns the task that serves what operators look at: health, readiness with its reasons,
// metrics, and profiles as net/http/pprof describes them. It asks for no credentials, so its
// address is not for the public.
func Admin(cfg AdminConfig) Task {
	return Task{Name: "admin", Run: func(ctx context.Context) error { return serveAdmin(ctx, cfg) }}
}

func serveAdmin(ctx context.Context, cfg AdminConfig) error {
	listen := cfg.Listen
	if listen == nil {
		listen = net.Listen
	}
	listener, err := listen("tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w (-admin chooses another address)", err)
	}
	if cfg.Listening != nil {
		cfg.Listening(listener.Addr())
	}
	cfg.Logger.Info("serving health and metrics", "address", listener.Addr().String())
	server := &http.Server{
		Handler: withHeaders(false, adminHandler(cfg)), ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeaders, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // somebody takes a profile
	} else {
		return err
	}
}

func adminHandler(cfg AdminConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := cfg.State.Readiness()
		writeJSON(w, readyStatus(r.Ready), r)
	})
	mux.Handle("GET /metrics", cfg.Metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
