package serve

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Load balancers go on sending for a moment after a service has begun to stop.
func TestStopLingers(t *testing.T) {
	state := NewState(nil)
	url, stop := start(t, HTTPConfig{State: state, Linger: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "answered")
	})})
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for state.Readiness().Ready {
		time.Sleep(time.Millisecond)
	}
	client := &http.Client{Transport: &http.Transport{}} // no connection of before
	resp, err := client.Get(url + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "answered" || !resp.Close {
		t.Errorf("answered %q; the connection is closed: %t", body, resp.Close)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A connection that was accepted before the stop is answered, although its request comes after it.
func TestStopAnswersNewConnections(t *testing.T) {
	bounds := NewConnections(0, 0, quiet)
	url, stop := start(t, HTTPConfig{Connections: bounds, Handler: http.NotFoundHandler()})
	client := dial(t, strings.TrimPrefix(url, "http://"))
	for bounds.Open() == 0 {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for refused := false; !refused; { // until the listener is closed
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if refused = err != nil; !refused {
			_ = c.Close()
		}
	}
	if !answers(client) {
		t.Error("not answered")
	}
	_ = client.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// lateConn is a connection on which a request arrives while the server closes it as idle.
type lateConn struct {
	net.Conn
	holds   atomic.Bool   // the next request is held
	arrive  chan struct{} // closed: what is held is read
	closing func()        // called at each Close
}

func (c *lateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	// net/http reads a single byte while a handler runs, and then the connection is not idle
	if n > 0 && len(b) > 1 && c.holds.Load() {
		<-c.arrive
	}
	return n, err
}

func (c *lateConn) Close() error {
	c.closing()
	return c.Conn.Close()
}

// lateListener returns one connection, and then none.
type lateListener struct {
	net.Listener
	conn *lateConn
	used atomic.Bool
}

func (l *lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || l.used.Swap(true) {
		return c, err
	}
	l.conn.Conn = c
	return l.conn, nil
}

// A request that arrives while its connection is closed as idle is not handled: it could not be
// answered, and the tasks that the handler relies on may have stopped. net/http sees to it.
func TestNoHandlerAfterStop(t *testing.T) {
	ran, closed := make(chan struct{}), make(chan struct{}, 8)
	conn := &lateConn{arrive: make(chan struct{}), closing: func() { closed <- struct{}{} }}
	mux := http.NewServeMux()
	mux.HandleFunc("/late", func(http.ResponseWriter, *http.Request) { close(ran) })
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	url, stop := start(t, HTTPConfig{Handler: mux, Listen: func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return &lateListener{Listener: l, conn: conn}, err
	}})
	client := dial(t, strings.TrimPrefix(url, "http://"))
	ask := func(path string) {
		if _, err := io.WriteString(client, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	ask("/")
	if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
		t.Fatal(err)
	}
	conn.holds.Store(true)
	ask("/late")
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-closed // by the server, which has stopped
	close(conn.arrive)
	select {
	case <-ran:
		t.Error("a request was handled after the stop")
	case <-closed: // by the goroutine of the connection, which ends
	}
}
