// Package jsonvalue reads, checks and writes JSON values: it is what the code that eventgen
// generates from a JSON Schema calls.
//
// Generated code imports it, and whoever uses generated types whose schema says nothing of a value
// (Any) or leaves a nullable value out (Optional). It uses no reflection.
//
// Reading goes in three steps. The text is indexed: this checks that it is JSON, all of it, that it
// is not larger or deeper than the limits, and that no object names a member twice. Then the value
// is checked against its schema; then it becomes a Go value. Writing goes the same way back: what
// was written is checked before anybody gets it. No input makes it panic, and the work is bounded
// by the size of the input.
package jsonvalue

// Generation1 is what code made by this version of the generator needs; it goes when such code no
// longer works.
const Generation1 = 1

// The limits of what is read and written.
const (
	MaxSize   = 16 << 20 // bytes of one text
	MaxDepth  = 200      // arrays and objects within one another
	MaxNumber = 400      // characters of a number
	maxExp    = 9999     // exponent of a number
)
