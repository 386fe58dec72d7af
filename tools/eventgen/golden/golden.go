// Package golden holds documents and the code that is generated from them, which tests compile and
// run.
//
// The command go test -update rewrites the code. Only tests import it.
package golden
