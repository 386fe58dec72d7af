package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// impostor is in front of the schema registry and may answer in its place.
type impostor struct {
	mode  atomic.Value // string, a key of answers; empty: the registry answers
	asked atomic.Int64
}

// answers are what an impostor answers, by its mode.
var answers = map[string]func(w http.ResponseWriter, r *http.Request){
	"404":  says(http.StatusNotFound, "<html><body>404 page not found</body></html>"),
	"500":  says(http.StatusInternalServerError, `{"error_code":50001,"message":"Error in the backend data store"}`),
	"401":  says(http.StatusUnauthorized, `{"error_code":401,"message":"Unauthorized"}`),
	"{}":   says(http.StatusOK, "{}"),
	"[]":   says(http.StatusOK, "[]"),
	"null": says(http.StatusOK, "null"),
	"code": says(http.StatusOK, `{"error_code":40403,"message":"Schema not found"}`),
	"text": says(http.StatusOK, `{"id":1,"schema":"<html></html>"}`),
	"cut":  says(http.StatusOK, `{"schema":"{\"type\":\"rec`),
	"length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		_, _ = io.WriteString(w, `{"schema":"\"string\""}`)
	},
	"login": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/login" {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "<html><body>Log in</body></html>")
	},
	"circle": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	},
	"endless": func(w http.ResponseWriter, _ *http.Request) {
		blank := bytes.Repeat([]byte(" "), 1<<16)
		for {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	},
	"hang": hangs,
}

func says(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(patience):
	}
}

// front returns the front of a system with one broker. It puts the impostor before the registry.
func (p *impostor) front(t *testing.T) func(addr string) (told string, err error) {
	p.mode.Store("")
	broker := true
	return func(addr string) (told string, err error) {
		if broker {
			broker = false
			return addr, nil
		}
		return p.impersonate(t, addr), nil
	}
}

// impersonate starts the impostor of the registry at an address and returns its own address.
func (p *impostor) impersonate(t *testing.T, addr string) string {
	t.Helper()
	through := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mode := p.mode.Load().(string)
		switch answer := answers[mode]; {
		case answer != nil:
			answer(w, r)
		case mode == "in turn" && p.asked.Add(1)%2 == 1:
			w.WriteHeader(http.StatusBadGateway)
		default:
			through.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}
