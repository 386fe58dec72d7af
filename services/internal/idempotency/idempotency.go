// Package idempotency names requests, so that a repeated one has one effect and one answer. The
// services' stores and HTTP layers import it.
//
// A request's key is a stream of the log, key/<client>/<key>, that only one record can begin. That
// record keeps a hash of the request, by which a repetition is told from another request that uses
// the same key.
//
// A hash has a version. Version 2 is a byte 2 and the SHA-256 over operation, path and body as the
// generated code encodes it. Version 1 is the SHA-256 alone, over the same with the members of the
// body sorted. New records have version 2. Logs hold both, so Check computes version 1 if the
// recorded hash has it. The state of a key has half of a hash of version 2; see Request.Kept.
package idempotency

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// ErrReused is the error of a request whose key was used for another one.
var ErrReused = errors.New("idempotency key belongs to another request")

// Streams is what the names of the streams of keys begin with.
const Streams = "key/"

// MaxKey is the length of the longest key.
const MaxKey = 128

// version2 begins a hash of version 2. A hash of version 1 is shorter.
const version2 = 2

// kept is the length of what a state keeps of a hash of version 2: half of the SHA-256.
const kept = 1 + sha256.Size/2

// Request is what a record keeps of the request it answers.
type Request struct {
	Client    string // subject of the credential
	Key       string
	Operation string // operationId
	Hash      []byte

	path string // of a request that asks, not of a recorded one
	body []byte
}

// New names a request. Path is what the path's parameters say, body the decoded body or nil. It is
// hashed as the generated code encodes it, so that neither blanks nor the order in which the client
// wrote the members make another request of it.
func New(client, key, operation, path string, body json.Marshaler) (Request, error) {
	r := Request{Client: client, Key: key, Operation: operation, path: path}
	if body != nil {
		var err error
		if r.body, err = body.MarshalJSON(); err != nil {
			return Request{}, fmt.Errorf("hash the request: %w", err)
		}
	}
	sum := r.sum(r.body)
	r.Hash = append([]byte{version2}, sum[:]...)
	return r, nil
}

// sum returns the SHA-256 over operation, path and an encoded body.
func (r *Request) sum(body []byte) [sha256.Size]byte {
	text := make([]byte, 0, 256)
	text = append(appendLength(text, len(r.Operation)), r.Operation...)
	text = append(appendLength(text, len(r.path)), r.path...)
	text = append(appendLength(text, len(body)), body...)
	return sha256.Sum256(text)
}

func appendLength(b []byte, n int) []byte { return append(strconv.AppendInt(b, int64(n), 10), ':') }

// Recorded returns a copy that holds no more than a record does; nil for nil.
func (r *Request) Recorded() *Request {
	if r == nil {
		return nil
	}
	return &Request{Client: r.Client, Key: r.Key, Operation: r.Operation, Hash: r.Hash}
}

// Kept returns what the state of a key keeps of the recorded request that used it: the operation,
// and of the hash so much that two requests do not have the same by chance. A client that computes
// two which do gets an answer to its own former request: keys are a client's own.
func (r *Request) Kept() Request {
	k := Request{Operation: r.Operation, Hash: r.Hash}
	if len(k.Hash) == 1+sha256.Size && k.Hash[0] == version2 {
		k.Hash = k.Hash[:kept:kept]
	}
	return k
}

// isKept reports whether a hash is what a state keeps of that of the request.
func (r *Request) isKept(hash []byte) bool {
	return len(hash) == kept && bytes.HasPrefix(r.Hash, hash)
}

// sameAsVersion1 reports whether a hash of version 1 is that of the request.
func (r *Request) sameAsVersion1(hash []byte) bool {
	body, err := sorted(r.body)
	if err != nil {
		return false
	}
	sum := r.sum(body)
	return bytes.Equal(sum[:], hash)
}

// sorted returns JSON with the members sorted and numbers as they were.
func sorted(body []byte) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// Stream returns the name of the key's stream. Slashes in the client and the key are escaped, so
// that different keys have different streams.
func (r Request) Stream() string {
	return Streams + url.PathEscape(r.Client) + "/" + url.PathEscape(r.Key)
}

// Check returns nil if a recorded request, or what is kept of it, is the same, else an error that
// wraps ErrReused.
func (r *Request) Check(recorded Request) error {
	if bytes.Equal(r.Hash, recorded.Hash) || r.isKept(recorded.Hash) || len(recorded.Hash) == sha256.Size && r.sameAsVersion1(recorded.Hash) {
		return nil
	}
	return fmt.Errorf("%w: it was used for %s", ErrReused, recorded.Operation)
}

// ValidKey reports whether a key is 1 to MaxKey printable ASCII characters.
func ValidKey(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return key != "" && len(key) <= MaxKey
}
