// Package fulltest decides how long the long tests run. They have a short form, which `make test`
// runs, and a full form, which `make race` and the gate run: more seeds, more documents, and the Go
// compiler where the short form uses the type checker alone.
//
// Tests import it, and nothing else does.
package fulltest

import (
	"os"
	"testing"
)

// Variable is the environment variable that requests the full form, if it is not empty.
const Variable = "DEFERPAY_FULL"

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
