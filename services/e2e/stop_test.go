package e2e

import (
	"testing"
	"time"
)

// Asked to stop, every process answers what is under way, leaves its groups and ends by itself.
func TestStopsByItself(t *testing.T) {
	s := start(t, setup{})
	s.contracts("stop", 5000)
	for _, b := range s.Billing {
		t.Logf("%s stopped in %v", b.Name(), s.stopped(b).Round(time.Millisecond))
	}
}
