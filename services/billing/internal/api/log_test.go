package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// log reads the kinds of all records on the log, void ones included, by a client of its own.
func (s *system) log() (kinds []string) {
	s.t.Helper()
	client, err := kgo.NewClient(append(s.options, kgo.ConsumeTopics(store.Log))...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(s.t.Context(), store.Log)
	if err != nil {
		s.t.Fatal(err)
	}
	end, _ := ends.Lookup(store.Log, 0)
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(s.t.Context())
		if err := fetches.Err(); err != nil {
			s.t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			kinds, next = append(kinds, kindOf(s.t, r.Value)), r.Offset+1
		}
	}
	return kinds
}

func kindOf(t testing.TB, data []byte) string {
	_, body, err := avrobin.CutSingleObject(data)
	if err != nil {
		t.Fatal(err)
	}
	var r journalrecord.JournalRecord
	if err := r.DecodeAvro(body); err != nil {
		t.Fatal(err)
	}
	return r.Kind
}

func loadAccess(t *testing.T) *access.Control {
	path := filepath.Join(t.TempDir(), "keys.json")
	text := fmt.Sprintf(`[{"subject":"r","sha256":%q,"scopes":["read"]},{"subject":"w","sha256":%q,"scopes":["read","write"]}]`, access.Hash("reader"), access.Hash("writer"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := access.Open(access.Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
