// Package foreign finds and installs Kafka clients that are not ours, in Python, for Node and in C, with which a test reads
// and writes our public topics as any other team would. Its test is what `make foreign-test` runs; the install command and
// the test import it, nothing else.
package foreign
