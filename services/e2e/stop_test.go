package e2e

import (
	"testing"
	"time"
)

// A process that gets SIGTERM ends in time, with status 0.
func TestStopsOnSIGTERM(t *testing.T) {
	s := start(t, setup{})
	s.contracts("stop", 5000)
	for _, b := range s.Billing {
		t.Logf("%s stopped in %v", b.Name(), s.stopped(b).Round(time.Millisecond))
	}
}
