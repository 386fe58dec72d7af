package registry

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// largestAnswer is how many bytes are read of an answer. Registries keep each schema in a record of
// Kafka, which has a megabyte by default.
const largestAnswer = 4 << 20

// limited returns a client that returns an error for an answer that is longer than largestAnswer.
// The client of the registry reads an answer to its end, however long it is.
func limited(c *http.Client) *http.Client {
	l := *c
	l.Transport = limit{c.Transport}
	return &l
}

type limit struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limit) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := l.inner
	if inner == nil {
		inner = http.DefaultTransport
	}
	resp, err := inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > largestAnswer {
		return nil, fmt.Errorf("the answer is longer than %d bytes", largestAnswer)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
