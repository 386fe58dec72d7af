// Package waittest polls for a condition that nothing signals. Only tests import it. The tests of
// the journal have their own, because the journal knows nothing of the services.
package waittest

import (
	"errors"
	"testing"
	"time"
)

const pause = 5 * time.Millisecond

// Nil calls fn until it returns nil. If that takes longer than patience, it ends the test with the
// last error of fn.
func Nil(t testing.TB, patience time.Duration, what string, fn func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

var errNot = errors.New("not in time")

// True calls done until it reports true, or ends the test as Nil does.
func True(t testing.TB, patience time.Duration, what string, done func() bool) {
	t.Helper()
	Nil(t, patience, what, func() error {
		if done() {
			return nil
		}
		return errNot
	})
}
