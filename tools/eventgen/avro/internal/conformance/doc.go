// Package conformance tests the code of the golden schemas: against an independent Avro codec, with
// damaged bytes, and against the speed of hamba. It has no code, and is separate from the tests of
// package avro because those rewrite the golden code and so must compile without it.
package conformance
