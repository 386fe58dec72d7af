package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// SIGHUP changes nothing: the same processes go on deciding.
func TestHangupChangesNothing(t *testing.T) {
	fulltest.Only(t, "it starts a system for one signal")
	s := start(t, setup{})
	c := s.contracts("hangup", 5000)
	for _, x := range s.services() {
		s.signal(x.Process, syscall.SIGHUP)
	}
	for n, b := range s.Billing {
		s.insist(&purchase{key: fmt.Sprint("hangup-", n), contract: c[0], amount: 1}, func() (*cluster.Service, time.Duration) { return b, patience })
	}
	for _, x := range s.services() {
		if !x.Running() {
			t.Errorf("%s ended", x.Name())
		}
	}
}

// A process that gets SIGTERM ends in time, with status 0.
func TestStopsOnSIGTERM(t *testing.T) {
	fulltest.Only(t, "TestRollingRestart stops instances under load")
	s := start(t, setup{})
	s.contracts("stop", 5000)
	for _, b := range s.Billing {
		t.Logf("%s stopped in %v", b.Name(), s.stopped(b).Round(time.Millisecond))
	}
}
