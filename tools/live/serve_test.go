package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// ask sends a request with headers to the handler of a view and returns the status of the answer.
func ask(v *View, addr, method, path, host string, headers ...string) int {
	gone, leave := context.WithCancel(context.Background())
	leave() // the events end when the browser goes away
	r := httptest.NewRequestWithContext(gone, method, path, nil)
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	v.Handler(addr).ServeHTTP(w, r)
	return w.Code
}

// TestForeignHost checks that the name of a foreign page that was made to lead to this machine
// reaches nothing.
func TestForeignHost(t *testing.T) {
	const none, good = http.StatusMisdirectedRequest, http.StatusOK
	for _, c := range []struct {
		addr, host string
		want       int
	}{
		{"127.0.0.1:8087", "127.0.0.1:8087", good},
		{"127.0.0.1:8087", "localhost:8087", good},
		{"127.0.0.1:8087", "LOCALHOST:9000", good}, // through a forwarded port
		{"127.0.0.1:8087", "[::1]:8087", good},
		{"127.0.0.1:80", "127.0.0.1", good},
		{"[::1]:80", "[::1]", good},
		{"127.0.0.1:8087", "evil.example:8087", none},
		{"127.0.0.1:8087", "localhost.evil.example:8087", none},
		{"127.0.0.1:8087", "127.0.0.1.evil.example:8087", none},
		{"127.0.0.1:8087", "192.0.2.1:8087", none},
		{"127.0.0.1:8087", "", none},
		{"192.0.2.1:8087", "192.0.2.1:8087", good},
		{"192.0.2.1:8087", "192.0.2.2:8087", none},
		{"demo.example:8087", "demo.example:8087", good},
		{"demo.example:8087", "evil.example:8087", none},
		{"0.0.0.0:8087", "192.0.2.1:8087", good}, // any address may be this machine's
		{":8087", "192.0.2.1:8087", good},
		{"0.0.0.0:8087", "evil.example:8087", none},
		{":8087", "evil.example:8087", none},
	} {
		v := New()
		for _, path := range []string{"/", "/story", "/healthz", "/events"} {
			if got := ask(v, c.addr, http.MethodGet, path, c.host); got != c.want {
				t.Errorf("on %s, GET %s of host %q: %d, want %d", c.addr, path, c.host, got, c.want)
			}
		}
		const via = "/via/billing-1/billing/v1/operations" // 404 as long as there is no system
		if got := ask(v, c.addr, http.MethodGet, via, c.host); (got == none) != (c.want == none) {
			t.Errorf("on %s, GET %s of host %q: %d", c.addr, via, c.host, got)
		}
	}
}

// TestForeignOrigin checks that a page of another site cannot press a button or send a request.
func TestForeignOrigin(t *testing.T) {
	const host = "127.0.0.1:8087"
	for name, c := range map[string]struct {
		headers []string
		allowed bool
	}{
		"our page":            {[]string{"Origin", "http://" + host, "Sec-Fetch-Site", "same-origin"}, true},
		"our page, old":       {[]string{"Origin", "http://" + host}, true},
		"no browser":          {nil, true},
		"another site":        {[]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, false},
		"another site, old":   {[]string{"Origin", "https://evil.example"}, false},
		"another port":        {[]string{"Origin", "http://127.0.0.1:9999", "Sec-Fetch-Site", "same-site"}, false},
		"another scheme, old": {[]string{"Origin", "null"}, false},
	} {
		v := New()
		for _, path := range []string{"/do/buy", "/do/restart", "/via/billing-1/billing/v1/operations"} {
			if got := ask(v, host, http.MethodPost, path, host, c.headers...); (got != http.StatusForbidden) != c.allowed {
				t.Errorf("%s: POST %s: %d", name, path, got)
			}
		}
	}
}

// TestRestart presses the button for another system, twice, and lets that system fail.
func TestRestart(t *testing.T) {
	const host = "127.0.0.1:8087"
	v := New()
	if got := ask(v, host, http.MethodPost, "/do/restart", host); got != http.StatusConflict {
		t.Errorf("a system of others: %d, want 409", got)
	}
	starting, outcome := make(chan bool), make(chan error)
	v.Restart = func() error { starting <- true; return <-outcome }
	for _, fault := range []error{nil, errors.New("no room"), nil} {
		if got := ask(v, host, http.MethodPost, "/do/restart", host); got != http.StatusAccepted {
			t.Fatalf("the first press: %d, want 202", got)
		}
		<-starting
		if got := ask(v, host, http.MethodPost, "/do/restart", host); got != http.StatusConflict {
			t.Errorf("the second press: %d, want 409", got)
		}
		outcome <- fault
		v.settled(t)
		if got := v.phase == "failed" && v.text == "no room"; got != (fault != nil) {
			t.Errorf("after %v the view is %s: %s", fault, v.phase, v.text)
		}
		v.phase, v.text = "starting", ""
	}
}

// settled waits until no restart is going on.
func (v *View) settled(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		v.mu.Lock()
		over := !v.restarting
		v.mu.Unlock()
		if over {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the restart does not end")
		}
	}
}
