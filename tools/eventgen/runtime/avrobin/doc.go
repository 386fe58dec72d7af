// Package avrobin reads and writes the Avro binary encoding for code that eventgen generated:
// scalars, blocks, logical types, the two framings of a message (Confluent's and Avro's
// single-object encoding). Generated packages import it, and so may whatever handles their values.
//
// Reading is bounded, whatever the bytes say: a length or a count is compared with the bytes that
// are left before anything is allocated for it, recursive types stop at MaxDepth, items that take
// no bytes are counted for the whole message, and every failure is an error of the Reader, never a
// panic. What decoding allocates is what it returns.
package avrobin
