// Package foreign finds and installs third-party clients: Kafka clients for Python, for Node and in
// C, by which a test reads and writes the public topics as any other team would, and
// implementations of Avro in Python and Java, which the generator's codecs are compared with. `make
// foreign-test` runs its test. Only the install command, that test and the one of `make
// foreign-avro` import it.
package foreign
