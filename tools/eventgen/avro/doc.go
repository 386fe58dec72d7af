// Package avro turns the Avro schemas of a contract into Go: it reads them from files with
// positions, across files and namespaces, tells every fault with its place, and emits one Go
// package per namespace with static codecs.
//
// The model and emit stages of eventgen import it. What it emits imports avrobin and the standard
// library.
//
// Names: a name becomes what package goname makes of it. A name that is taken gets a number, and
// its comment says so.
package avro
