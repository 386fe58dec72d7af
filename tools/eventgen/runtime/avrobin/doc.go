// Package avrobin reads and writes the Avro binary encoding for code that eventgen generated: scalars, blocks, logical types,
// the two framings of a message (Confluent's and Avro's single-object encoding), and the resolution of a writer's schema to
// the compiled one. Generated packages import it; so may whatever handles their values.
//
// Reading is bounded, whatever the bytes say: a length or a count is compared with the bytes that are left before anything is
// allocated for it, recursive types stop at MaxDepth, items that take no bytes are counted for the whole message, and every
// failure is an error of the Reader, never a panic. What decoding allocates is what it returns.
//
// # What hamba/avro is used for
//
// This is the only package that imports github.com/hamba/avro/v2 at run time, and it uses hamba's Reader for scalars alone:
// varints of more than one byte, floats and doubles, each from a slice that was cut to the scalar's length first. hamba's
// ReadInt is not used, it drops the bits that overflow; nor ReadBytes and ReadString, which allocate what a hostile length
// asks for; nor its block headers, which overflow on the smallest long; nor its generic and reflection decoders, which trust
// all of these. One-byte varints are decoded in place, because that is most lengths, counts, branches and symbols. Writing
// does without hamba: its Writer owns its buffer and cannot append to the caller's, which would cost each message a copy.
package avrobin
