// Package conformance tests the golden types of package jsonschema against an independent
// validator. It has no code.
package conformance
