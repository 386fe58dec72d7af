// Package call sends the requests of the story to the services and gives access to the members of
// their answers. Package story and its screen import it.
package call

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/deferpay/deferpay/tools/cluster"
)

// Request is a request to a service. Empty headers are not sent.
type Request struct {
	To     *cluster.Service
	Method string
	Path   string // without the prefix of the service
	Key    string // Idempotency-Key
	Match  string // If-Match
	Fresh  string // Log-Position
	Body   any    // sent as JSON; nil for none
}

// FullPath returns the path with the prefix of the service.
func (q Request) FullPath() string {
	if strings.HasPrefix(q.To.Name(), "contract-") {
		return "/refcontract/v1" + q.Path
	}
	return "/billing/v1" + q.Path
}

// Answer is the answer to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   map[string]any // numbers are json.Number
}

// At returns the value at a path of member names separated by dots, or nil if there is none.
func (a Answer) At(path string) any {
	var v any = a.Body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// Text returns the text at a path, or "" if there is none.
func (a Answer) Text(path string) string {
	s, _ := a.At(path).(string)
	return s
}

// Amount returns the amount of money at a path in minor units, or -1 if there is none.
func (a Answer) Amount(path string) int64 {
	n, ok := a.At(path + ".amount").(json.Number)
	if !ok {
		return -1
	}
	v, err := n.Int64()
	if err != nil {
		return -1
	}
	return v
}

// Replayed reports whether the service repeated the answer to an earlier request with the same key.
func (a Answer) Replayed() bool { return a.Header.Get("Idempotent-Replayed") == "true" }

// Send sends a request. An error is returned if there is no complete answer, or if its body is
// neither empty nor a JSON object.
func Send(ctx context.Context, client *http.Client, q Request) (Answer, error) {
	var body io.Reader
	if q.Body != nil {
		data, err := json.Marshal(q.Body)
		if err != nil {
			return Answer{}, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, q.To.URL+q.FullPath(), body)
	if err != nil {
		return Answer{}, err
	}
	for name, value := range map[string]string{"X-API-Key": "demo", "Idempotency-Key": q.Key, "If-Match": q.Match, "Log-Position": q.Fresh} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if q.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	data, err := io.ReadAll(resp.Body)
	if err != nil || len(data) == 0 {
		return a, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&a.Body); err != nil {
		return a, fmt.Errorf("%s %s: the answer is not a JSON object: %w: %.200s", q.Method, q.Path, err, data)
	}
	return a, nil
}
