// Package golden holds documents and the code that eventgen makes of them, kept in the repository
// so that it is read, compiled and used by tests.
//
// go test -update writes the code again. Nothing imports what is below.
package golden
