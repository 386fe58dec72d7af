// Package avro turns the Avro schemas of a contract into Go. It reads them with their positions,
// across files and namespaces, reports every fault at its position, and emits a Go package for each
// namespace, with static codecs.
//
// The model and emit stages of eventgen import it. Generated code imports avrobin and the standard
// library. It works in three steps: runtime/avrobin/schema reads the schemas, internal/layout
// decides what the Go types are, and internal/codec prints them. internal/example prints the
// examples of a contract.
//
// Package goname makes the Go names. A name that is taken gets a number, and its comment says so.
package avro
