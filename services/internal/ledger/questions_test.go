package ledger

import (
	"errors"
	"testing"

	"github.com/deferpay/deferpay/services/internal/idempotency"
)

// TestRepeatedKeysWriteNothing asks for what needs no barrier: the log stays as it is.
func TestRepeatedKeysWriteNothing(t *testing.T) {
	b := open(t, options(t), "one", "added", "added")
	ctx := t.Context()
	if _, err := b.add(ctx, request(t, "k-1", `1`), "a", 1); err != nil {
		t.Fatal(err)
	}
	at := b.Position()
	for range 100 {
		if out, err := b.add(ctx, request(t, "k-1", `1`), "a", 1); err != nil || !out.Replayed {
			t.Fatalf("a retry: %+v, %v", out, err)
		}
		_, err := b.add(ctx, request(t, "k-1", `2`), "a", 2)
		if !errors.Is(err, idempotency.ErrReused) || err.Error() != idempotency.ErrReused.Error()+": it was used for add" {
			t.Fatalf("a reused key: %v", err)
		}
	}
	if now := b.Position(); now != at {
		t.Errorf("%d records were appended", now-at)
	}
}
