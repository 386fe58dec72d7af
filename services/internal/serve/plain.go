package serve

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// plainErrors is a listener whose connections turn the errors that net/http answers by itself,
// before there is a request for a handler, into problem documents: a request line, a Host or a
// header that cannot be read, and headers that are too large.
type plainErrors struct {
	net.Listener
	tls  bool
	hold func() // called before such an error is answered
}

func (l plainErrors) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainConn{c, l.tls, l.hold}, nil
}

type plainConn struct {
	net.Conn
	tls  bool
	hold func()
}

// ownHeaders are the headers of net/http's own errors, which it writes at once. Our handlers answer
// with JSON.
const ownHeaders = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

func (c *plainConn) Write(b []byte) (int, error) {
	line, begins := bytes.CutPrefix(b, []byte("HTTP/1.1 "))
	if !begins || len(line) == 0 || line[0] != '4' && line[0] != '5' {
		return c.Conn.Write(b) // most answers, which are not searched
	}
	head, _, own := bytes.Cut(line, []byte(ownHeaders))
	code, _, _ := strings.Cut(string(head), " ")
	status, err := strconv.Atoi(code)
	own = own || status == http.StatusExpectationFailed // no handler of ours answers that
	if !own || err != nil {
		return c.Conn.Write(b)
	}
	c.hold()
	if _, err := c.Conn.Write(document(status, c.tls)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// document returns the answer to a request that was not read.
func document(status int, tls bool) []byte {
	p := problem.New(problem.InvalidRequest, "the request cannot be read as HTTP").WithHint("check its first line, its Host and its headers")
	if status == http.StatusRequestHeaderFieldsTooLarge {
		p = problem.New(problem.HeadersTooLarge, "the headers are larger than %d bytes", maxHeaders).WithHint("send fewer or shorter headers")
	}
	if status == http.StatusExpectationFailed {
		p = problem.New(problem.InvalidRequest, "the header Expect can only be 100-continue").WithHint("leave it out")
	}
	w := &collected{header: http.Header{}}
	addSecurityHeaders(w.header, tls)
	problem.Write(w, p)
	var out bytes.Buffer
	out.WriteString("HTTP/1.1 " + strconv.Itoa(w.status) + " " + http.StatusText(w.status) + "\r\n")
	w.header.Set("Connection", "close")
	w.header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	_ = w.header.Write(&out) // a buffer takes everything
	out.WriteString("\r\n")
	out.Write(w.body.Bytes())
	return out.Bytes()
}

// collected is a http.ResponseWriter that keeps what is written.
type collected struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *collected) Header() http.Header         { return w.header }
func (w *collected) WriteHeader(status int)      { w.status = status }
func (w *collected) Write(b []byte) (int, error) { return w.body.Write(b) }
