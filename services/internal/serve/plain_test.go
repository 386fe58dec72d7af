package serve

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// What net/http answers by itself is a problem document too.
func TestOwnErrorsAreProblems(t *testing.T) {
	var held atomic.Int64
	url, _ := start(t, HTTPConfig{HoldEarly: func(context.Context) { held.Add(1) }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"not-found","status":404}`)
	})})
	for name, tt := range map[string]struct {
		request string
		status  int
		code    string
	}{
		"no HTTP":        {"nonsense\r\n\r\n", 400, "invalid-request"},
		"bad escape":     {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid-request"},
		"bad host":       {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid-request"},
		"two hosts":      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "invalid-request"},
		"bad header":     {"GET / HTTP/1.1\r\nHost: x\r\nbad header: 1\r\n\r\n", 400, "invalid-request"},
		"large headers":  {"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", 431, "headers-too-large"},
		"double slash":   {"GET //invoices HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"},
		"dots":           {"GET /a/../invoices HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"},
		"expectation":    {"GET / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n", 400, "invalid-request"},
		"whole server":   {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not-found"},
		"post to health": {"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404, "not-found"},
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		before := held.Load()
		if _, err := io.WriteString(c, tt.request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got struct{ Code string }
		err = json.NewDecoder(resp.Body).Decode(&got)
		if err != nil || resp.StatusCode != tt.status || got.Code != tt.code || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %+v %v %v", name, resp.StatusCode, got, resp.Header, err)
		}
		if own := tt.status != http.StatusNotFound; held.Load()-before != map[bool]int64{true: 1}[own] {
			t.Errorf("%s: held back %d times", name, held.Load()-before)
		}
		for header := range securityHeaders {
			if resp.Header.Get(header) == "" {
				t.Errorf("%s: no %s", name, header)
			}
		}
		_ = c.Close()
	}
}
