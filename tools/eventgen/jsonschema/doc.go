// Package jsonschema turns the JSON Schemas of a contract (draft-07, and the Schema Object of
// AsyncAPI, which extends it) into Go: types that distinguish an absent value from a zero one, and
// static code that reads, checks and writes them.
//
// The model and emit stages of eventgen import it. Generated code imports jsonvalue and the
// standard library. It works in three steps: internal/schema reads the schemas, internal/shape
// decides what the Go types are, and internal/codec prints them.
//
// A schema becomes:
//
//   - an object with properties: a struct. A required property is a plain field, an optional one a
//     pointer (a list or a map may be nil instead), or an Optional if it can also be null. A
//     required property with one value only has no field: its value is written.
//   - an object without properties: a map. With both properties and additionalProperties that is
//     not false, a struct with the field Extra. Other members that the schema does not name are
//     ignored when a value is read.
//   - a list: a slice, or a struct with the fields Item1, Item2 and so on if items is a list.
//   - an enum of strings or integers: a named type with constants. An enum of lists and objects: a
//     type whose constants are numbered. Any other enum, and const, is checked and has the type of
//     its values.
//   - several types, oneOf or anyOf: an interface that only those types implement. Null and one
//     other type make a pointer. allOf, oneOf or anyOf of a single $ref, and nothing else, is that
//     type. A value that conforms to several objects of an anyOf has the type that names the most
//     of its members, and keeps the others in the field Extra.
//   - allOf: one struct with everything in it. Parts that contradict each other are an error.
//   - a discriminator: its value decides which type the value has, by the const or enum of the
//     property, the mapping, or the key of the $ref. A value with the discriminator of another type
//     is not written. A type that does not name it has it added if it is written as one of the
//     union; if it is several alternatives, each of them is a struct with a value of the type.
//   - a schema whose subtypes have it in their allOf, and that lists them in oneOf or anyOf or has
//     a discriminator: one of the subtypes. Those that it does not list are looked for in its file
//     and in the documents.
//   - not, if, contains, dependencies and all limits: checked when a value is read and before it is
//     written.
//   - true, {} and schemas that allow every value: jsonvalue.Any.
//
// An integer has 64 bits, unless its format is int32. A number is a float64, also if its format is
// float: a float32 would write another number than was read. Digits beyond the precision of a
// float64 are not kept, as by any reader that has doubles. date-time is a time.Time; date, time
// and duration have types of jsonvalue; uuid is a uuid.UUID; byte and contentEncoding base64 are
// []byte. The formats email, hostname, ipv4, ipv6, uri, uri-reference and regex are checked and
// stay strings; others are not checked.
//
// A schema without type whose keywords all apply to one type is assumed to have that type, with a
// warning; so does its text. A pattern that RE2 does not support is not checked, with a warning.
//
// A type is named after the key under components or definitions in the $ref to it, or after the
// file; or else after its title; or else after the path to it from a type with a name. Package
// goname makes Go names of them. A name that is taken gets a number, and its comment says so.
package jsonschema
