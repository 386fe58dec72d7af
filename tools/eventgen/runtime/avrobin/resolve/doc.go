// Package resolve reads values that were written with another version of a schema, by the rules of
// schema resolution in the Avro specification: fields are matched by name and alias, missing ones
// get their default, numbers are promoted, unknown symbols become the enum's default, and branches
// of unions are matched by type. Names of types are compared without their namespaces.
//
// The writer's schema comes from a registry (NewPlan) or is a former version that generated code
// carries (Decode). Check reports at generation time what could not be read at run time.
//
// The runtime's packages and eventgen import it.
//
// # What hamba/avro is used for
//
// This is the only package that imports github.com/hamba/avro/v2 at run time. A Plan reads the
// floats that it widens with hamba's Reader, each from a slice of exactly four bytes. Package
// avrobin does the rest itself. Hamba's ReadInt drops the bits that overflow, ReadBytes and
// ReadString allocate whatever length the input announces, the block headers overflow on the
// smallest long, and the generic and reflection decoders rely on all of these. ReadLong is safe on
// a slice that ends with the varint, but does not return how much it read. The Reader keeps its
// position in memory, where each read waits for the one before it, and takes half of the stack that
// a small message needs. The Writer owns its buffer and cannot append to the caller's, so each
// message would be copied.
package resolve
