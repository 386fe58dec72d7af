// Package conformance holds the golden types of package jsonschema to what an independent validator
// says. It has tests only.
package conformance
