package serve

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestOriginOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:80":                  "192.0.2.7",
		"[::ffff:192.0.2.7]:80":         "192.0.2.7",
		"[2001:db8:1:2:aaaa::1]:80":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:bbbb::9]:80":     "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:80":          "2001:db8:1:3::/64",
		"[fe80::1%lo]:80":               "fe80::/64",
		"[::1]:80":                      "::1",
		"[0:0:0:0:0:ffff:7f00:0002]:80": "127.0.0.2",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := originOf(tcp); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if got := originOf(&net.UnixAddr{Name: "pipe"}); got != "pipe" {
		t.Errorf("of no address: %s", got)
	}
}

func TestConnectionBounds(t *testing.T) {
	for name, c := range map[string]struct{ total, each int }{"in total": {3, 0}, "of an address": {0, 3}} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			bounds := NewConnections(c.total, c.each, slog.New(slog.NewTextHandler(&log, nil)))
			addr := serveBounded(t, bounds)
			held := make([]net.Conn, 3)
			for i := range held {
				held[i] = dial(t, addr)
				if !answers(held[i]) {
					t.Fatalf("connection %d is refused", i)
				}
			}
			if answers(dial(t, addr)) || bounds.Open() != 3 || bounds.Refused() != 1 {
				t.Errorf("a fourth is answered, or %d are open, or %d refused", bounds.Open(), bounds.Refused())
			}
			if answers(dial(t, addr)) || strings.Count(log.String(), "connections are refused") != 1 {
				t.Errorf("a fifth is answered, or not one line is logged:\n%s", log.String())
			}
			_ = held[0].Close()
			for end := time.Now().Add(5 * time.Second); bounds.Open() == 3 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if !answers(dial(t, addr)) {
				t.Error("refused although one was closed")
			}
		})
	}
}

// serveBounded serves HTTP until the test ends, and returns the address.
func serveBounded(t *testing.T, bounds *Connections) string {
	listening, ended := make(chan net.Addr, 1), make(chan error, 1)
	task := HTTP(HTTPConfig{
		Addr: "127.0.0.1:0", Connections: bounds, State: NewState(nil), Logger: slog.New(slog.DiscardHandler),
		Handler: http.NotFoundHandler(), Listening: func(a net.Addr) { listening <- a }, Linger: time.Millisecond, DrainIn: time.Second,
	})
	ctx, stop := context.WithCancel(context.Background())
	go func() { ended <- task.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if open := bounds.Open(); open != 0 {
			t.Errorf("%d connections are counted after the end", open)
		}
	})
	return (<-listening).String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	return conn
}

// answers reports whether a connection answers a request, and leaves it open.
func answers(conn net.Conn) bool {
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 4096))
	return n > 0 && err == nil
}
