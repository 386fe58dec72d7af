//go:build unix

// Package cputime measures processor time, which other processes on the machine change less than
// the time of a clock. Tests and benchmarks import it, and nothing else does.
package cputime

import (
	"syscall"
	"testing"
	"time"
)

// Used returns the processor time that this process has used, in user mode and in the kernel. If it
// is not known, Used ends the test.
func Used(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
