package e2e

import (
	"context"
	"testing"
	"time"
)

// Asked to stop, every process answers what is under way, leaves its groups and ends by itself.
func TestStopsByItself(t *testing.T) {
	s := start(t, setup{})
	s.contracts("stop", 5000)
	for _, b := range s.Billing {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		began := time.Now()
		if err := b.Stop(ctx); err != nil {
			t.Errorf("%s: %v", b.Name(), err)
		}
		cancel()
		t.Logf("%s stopped in %v", b.Name(), time.Since(began).Round(time.Millisecond))
	}
}
