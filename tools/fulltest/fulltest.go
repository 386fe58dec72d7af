// Package fulltest decides how long the long tests run. They have a short form, which `make test`
// runs, and a full form, which `make race` and the gate run: more seeds, more documents, and the Go
// compiler where the short form uses the type checker alone.
//
// Test files whose tests have no short form, and whose imports take long to compile or to link,
// begin with the build constraint of Tag:
//
//	//go:build full
//
// Tests import it, and nothing else does.
package fulltest

import (
	"os"
	"testing"
)

// Variable is the environment variable that requests the full form, if it is not empty.
const Variable = "DEFERPAY_FULL"

// Tag is the build tag of the files that belong to the full form alone. A test in them still begins
// with Only, if it runs for long.
const Tag = "full"

// Requested reports whether the full form is requested.
func Requested() bool { return os.Getenv(Variable) != "" }

// Only skips a test whose short form is nothing, and says why.
func Only(t testing.TB, why string) {
	t.Helper()
	if !Requested() {
		t.Skipf("%s: run with %s=1", why, Variable)
	}
}

// Choose returns full if the full form is requested, and short otherwise.
func Choose[T any](short, full T) T {
	if Requested() {
		return full
	}
	return short
}
