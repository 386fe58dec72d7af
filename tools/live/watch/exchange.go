package watch

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deferpay/deferpay/tools/live/feed"
)

// Exchange is a request with its answer. It is added to the feed twice: when the request is sent,
// without a status, and when the answer has come.
type Exchange struct {
	ID       int64             `json:"id"`
	To       string            `json:"to"` // name of the instance
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Trace    string            `json:"trace"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     json.RawMessage   `json:"body,omitempty"`
	Status   int               `json:"status,omitempty"`
	Answered map[string]string `json:"answered,omitempty"` // headers of the answer
	Answer   json.RawMessage   `json:"answer,omitempty"`
	Millis   float64           `json:"millis,omitempty"`
	Fault    string            `json:"fault,omitempty"` // why there is no answer
}

// Recorder is an HTTP transport that adds every exchange to the feed. It begins a trace for a
// request without one.
type Recorder struct {
	Next http.RoundTripper
	Feed *feed.Feed
	Name func(host string) string // name of the instance that listens on an address

	count atomic.Int64
}

// LoseAnswer is the header of a request whose answer is to be lost: the request is sent without
// this header, and the caller gets an error instead of the answer.
const LoseAnswer = "Live-Lose-Answer"

type lostError struct{}

func (lostError) Error() string { return "the answer was lost on its way" }

// RoundTrip sends the request and adds it to the feed with its answer.
func (r *Recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	lose := req.Header.Get(LoseAnswer) != ""
	req.Header.Del(LoseAnswer)
	if req.Header.Get("traceparent") == "" {
		req.Header.Set("traceparent", newTraceparent())
	}
	e := Exchange{ID: r.count.Add(1), To: r.Name(req.URL.Host), Method: req.Method, Path: req.URL.RequestURI(), Trace: TraceID(req.Header.Get("traceparent")),
		Headers: some(req.Header, "Idempotency-Key", "If-Match", "Log-Position")}
	if req.Body != nil {
		sent, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		req.Body, e.Body = io.NopCloser(bytes.NewReader(sent)), shown(sent)
	}
	r.Feed.Add("http", e)
	began := time.Now()
	resp, answer, err := r.send(req)
	e.Millis = float64(time.Since(began).Microseconds()) / 1000
	if err == nil && lose {
		e.Status, err = resp.StatusCode, lostError{}
	}
	if err != nil {
		e.Fault = err.Error()
		r.Feed.Add("http", e)
		return nil, err
	}
	e.Status, e.Answer, e.Answered = resp.StatusCode, shown(answer), some(resp.Header, "ETag", "Log-Position", "Idempotent-Replayed", "Retry-After")
	r.Feed.Add("http", e)
	return resp, nil
}

// send sends a request and reads its answer to the end.
func (r *Recorder) send(req *http.Request) (*http.Response, []byte, error) {
	resp, err := r.Next.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	return resp, answer, err
}

// some returns the headers that are shown.
func some(h http.Header, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if v := h.Get(name); v != "" {
			out[name] = v
		}
	}
	return out
}

// maxShown is the size of the largest body that the page receives.
const maxShown = 8000

var account = regexp.MustCompile(`("iban"\s*:\s*")[^"]*([^"]{4}")`)

// shown returns a body for the page, which does not show bank accounts. It is nil for a body that
// is too large or not JSON.
func shown(body []byte) json.RawMessage {
	if len(body) == 0 || len(body) > maxShown || !json.Valid(body) {
		return nil
	}
	return account.ReplaceAll(body, []byte(`${1}… ${2}`))
}

func newTraceparent() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"
}

// TraceID returns the trace id of a W3C trace context, or "" if it has none.
func TraceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 || len(parts[1]) != 32 {
		return ""
	}
	return parts[1]
}
