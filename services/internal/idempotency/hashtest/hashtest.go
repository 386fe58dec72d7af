// Package hashtest checks that requests have the hashes that logs hold. The tests of the services'
// HTTP layers import it.
package hashtest

import (
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/deferpay/deferpay/services/internal/idempotency"
)

// Request is a body, and the hash that a request with it has.
type Request struct {
	// Body is a new value of the generated type.
	Body interface {
		json.Marshaler
		json.Unmarshaler
	}
	Text string // as a client wrote it, in any order
	Hash string
}

// Check decodes each body and compares the hash of its request. A retry of a request whose hash has
// changed is taken for another request. The hash depends on the order of members in the OpenAPI
// document: keep it, and add new members at the end of a schema.
func Check(t *testing.T, requests map[string]Request) {
	t.Helper()
	for name, c := range requests {
		if err := c.Body.UnmarshalJSON([]byte(c.Text)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r, err := idempotency.New("agency", "k-1", "operation", "path", c.Body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := hex.EncodeToString(r.Hash); got != c.Hash {
			t.Errorf("%s has the hash %s, want %s", name, got, c.Hash)
		}
	}
}
