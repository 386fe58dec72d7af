// Package foreign finds and installs clients that are not ours: Kafka clients in Python, for Node
// and in C, with which a test reads and writes our public topics as any other team would, and
// implementations of Avro in Python and Java, which the generator's codecs are held to. Its test is
// what `make foreign-test` runs; the install command, that test and the one of `make foreign-avro`
// import it, nothing else.
package foreign
