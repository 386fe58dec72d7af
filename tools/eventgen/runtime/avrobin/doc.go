// Package avrobin reads and writes the Avro binary encoding for code that eventgen generated:
// scalars, blocks, logical types, the two framings of a message (Confluent's and Avro's
// single-object encoding), and the resolution of a writer's schema to the compiled one. Generated
// packages import it; so may whatever handles their values.
//
// Reading is bounded, whatever the bytes say: a length or a count is compared with the bytes that
// are left before anything is allocated for it, recursive types stop at MaxDepth, items that take
// no bytes are counted for the whole message, and every failure is an error of the Reader, never a
// panic. What decoding allocates is what it returns.
//
// # What hamba/avro is used for
//
// This is the only package that imports github.com/hamba/avro/v2 at run time, for scalars alone,
// and of those it uses what holds up and costs nothing: a Plan reads the floats it widens with
// hamba's Reader, from a slice that was cut to four bytes first. The rest is done here. Its ReadInt
// drops the bits that overflow, ReadBytes and ReadString allocate what a hostile length asks for,
// its block headers overflow on the smallest long, and its generic and reflection decoders trust
// all of these. ReadLong is sound on a slice cut to one varint, but says not how much it read. Its
// Reader keeps the position in memory, where each value waits for the one before, and would itself
// be half of what a small message needs on the stack. Its Writer owns its buffer and cannot append
// to the caller's, which would cost each message a copy.
package avrobin
