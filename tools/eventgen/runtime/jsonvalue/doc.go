// Package jsonvalue reads, checks and writes JSON values. The code that eventgen generates from a
// JSON Schema calls it.
//
// Generated code imports it, and so does code that uses generated types with a value of any type
// (Any) or a nullable value that may be absent (Optional). It uses no reflection.
//
// Reading has three steps. First the text is indexed, which checks that all of it is JSON, that it
// does not exceed the limits, and that no object has a member twice. Then the value is checked
// against its schema. Then it is converted to a Go value.
//
// Writing compares each value with what its schema requires (Writer.Expect) on the way. If all of
// it certainly conforms, the text is done. Otherwise the text is indexed and checked like one that
// was read, so that one set of rules decides what is refused.
//
// No input makes the package panic, and the work is bounded by the size of the input.
package jsonvalue

// Generation2 exists as long as the runtime supports code of this version of the generator.
const Generation2 = 2

// The limits of what is read and written.
const (
	MaxSize   = 16 << 20 // bytes of one text
	MaxDepth  = 200      // nested arrays and objects
	MaxNumber = 400      // characters of a number
	maxExp    = 9999     // exponent of a number
)
