// Package handshake lets generated code and runtime that do not fit together not compile: generated
// code names the version it was made for.
package handshake

// Version3 stays as long as code generated for it works.
const Version3 = true
