// Package handshake prevents generated code from compiling with a runtime that it was not generated
// for. Generated code names the version that it needs.
package handshake

// Version3 exists as long as the runtime supports code that was generated for it.
const Version3 = true
