// Package conformance has no code: its tests hold what the generator makes of the golden schemas to
// an independent Avro codec, to damaged bytes and to hamba's speed. It is apart from the
// generator's own tests because those rewrite the golden packages, and so must build without them.
package conformance
