// Package avrobin reads and writes the Avro binary encoding for generated code: scalars, blocks,
// logical types, and the two framings of a message (Confluent's and Avro's single-object encoding).
// Generated packages import it, and so may any code that handles their values.
//
// Reading is bounded for any input. A length or a count is compared with the number of bytes that
// are left before anything is allocated for it. Recursive types stop at MaxDepth, and items that
// take no bytes are counted for the whole message. Every fault is an error of the Reader, never a
// panic.
package avrobin
