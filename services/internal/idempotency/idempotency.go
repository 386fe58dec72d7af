// Package idempotency names requests, so that a repeated one has one effect and one answer. The
// services' stores and HTTP layers import it.
//
// A request's key is a stream of the log, key/<client>/<key>, that only one record can begin. That
// record keeps the request's hash, which tells a repetition from another request that uses the same
// key.
package idempotency

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
)

// ErrReused: the key was used for another request.
var ErrReused = errors.New("idempotency key belongs to another request")

// MaxKey is the length of the longest key.
const MaxKey = 128

// Request is what a record keeps of the request it answers.
type Request struct {
	Client    string // subject of the credential
	Key       string
	Operation string // operationId
	Hash      []byte // SHA-256 over operation, path and body
}

// New names a request. Path is what the path's parameters say; body is the decoded body, which is
// marshalled to JSON, so that neither blanks nor the order of members nor defaults that were left
// out make another request of it.
func New(client, key, operation, path string, body json.Marshaler) (Request, error) {
	data, err := canonical(body)
	if err != nil {
		return Request{}, fmt.Errorf("hash the request: %w", err)
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(operation), []byte(path), data} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return Request{Client: client, Key: key, Operation: operation, Hash: h.Sum(nil)}, nil
}

// canonical is JSON with sorted members and numbers as they were.
func canonical(body json.Marshaler) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	data, err := body.MarshalJSON()
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// Stream is the name of the key's stream. A slash in the client or the key cannot make it that of
// another.
func (r Request) Stream() string {
	return "key/" + url.PathEscape(r.Client) + "/" + url.PathEscape(r.Key)
}

// Check tells whether a recorded request is the same: nil, or ErrReused.
func (r Request) Check(recorded Request) error {
	if !slices.Equal(r.Hash, recorded.Hash) {
		return fmt.Errorf("%w: it was used for %s", ErrReused, recorded.Operation)
	}
	return nil
}

// ValidKey says whether a key is 1 to MaxKey printable ASCII characters.
func ValidKey(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= MaxKey
}
