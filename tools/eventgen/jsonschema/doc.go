// Package jsonschema turns the JSON Schemas of a contract (draft-07, and the Schema Object of
// AsyncAPI, which is more) into Go: types that keep what is absent apart from what is zero, and
// static code that reads, checks and writes them.
//
// The model and emit stages of eventgen import it. What it emits imports jsonvalue and the standard
// library.
//
// What becomes what:
//
//   - an object with properties: a struct. A property that is required is a plain field, another
//     one a pointer (a list or a map may be nil instead), or an Optional when it may be null too. A
//     required property of one value only has no field: it is written by itself.
//   - an object without properties: a map. Properties and additionalProperties, if that says more
//     than false: a struct with the field Extra. Members that the schema neither names nor speaks
//     of are passed over in reading.
//   - a list: a slice, or a struct with the fields Item1, Item2 and so on when items is a list.
//   - an enum of texts or integers: a named type with constants; of lists and objects: one whose
//     constants are numbered. Any other enum or const is checked, and has the type of its values.
//   - type, oneOf or anyOf with several forms: an interface that only those types implement. Null
//     beside one form makes a pointer.
//   - allOf: one struct with everything in it; parts that contradict each other are an error.
//   - a discriminator: what it names is the form the value must have, by the const of the property,
//     the mapping, or the key of what a $ref leads to.
//   - not, if, contains, dependencies and all limits: checked in reading and before writing.
//   - true, {} and what says no more: jsonvalue.Any.
//
// An integer has 64 bits, unless its format is int32; a number is a float64, or a float32 when its
// format is float. date-time is a time.Time, date, time and duration have types of jsonvalue, uuid
// is a uuid.UUID, byte and contentEncoding base64 are []byte. The formats email, hostname, ipv4,
// ipv6, uri, uri-reference and regex are checked and stay text; others are not checked.
//
// A schema without type that speaks of one type's keywords only is taken to mean that type, with a
// warning; its text says so too. A pattern that RE2 does not know is not checked, with a warning.
//
// Names: the key under components or definitions, or the file, of what a $ref leads to; else the
// title; else the way to it from what has a name. They become Go names by package goname. A name
// that is taken gets a number, and its comment says so.
package jsonschema
