package problem

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestRefusedBodyIsNoRequest checks that the connection ends after an answer that leaves a large
// body unread, and that no part of the body is answered as a request.
func TestRefusedBodyIsNoRequest(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"read up to the limit": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			Write(w, FromOgen(err))
		},
		"not read at all": func(w http.ResponseWriter, r *http.Request) {
			_ = r.Body.Close()
			Write(w, New(UnsupportedMediaType, "not read"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Wrapped as the services wrap it: the limit has no access to the response writer of
			// the server.
			wrapped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				LimitBody(handler).ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			})
			server := httptest.NewServer(wrapped)
			defer server.Close()
			if answers := exchange(t, server.Listener.Addr().String(), 3*MaxBody); answers != 1 {
				t.Errorf("one request was answered %d times", answers)
			}
		})
	}
}

// exchange sends one request with a body of size bytes, and returns the number of answers until the
// connection ends.
func exchange(t *testing.T, addr string, size int) int {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	go func() { // writing fails if the server stops reading
		_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	}()
	answers := 0
	for r := bufio.NewReader(conn); ; answers++ {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return answers
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
