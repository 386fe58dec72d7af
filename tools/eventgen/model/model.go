// Package model decides what the Go will be: packages, files, names, types. Every refusal that is not about AsyncAPI or Avro themselves happens here, so that
// emit only prints.
//
// It reads what parse gives; package emit and the eventgen command import it.
package model

import (
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Config says what to make.
type Config struct {
	ImportPath string // of the output folder
	Client     bool   // for the other side: send and receive swapped
}

// Model is everything that one call generates.
type Model struct {
	Avro      *avro.Set
	JSON      *jsonschema.Set
	JSONTypes jsonschema.Config // where its types go
	Packages  []*Package
	Sealed    []*Sealed // interfaces that stand in packages of Avro types
}

// Package is the Go package of one document.
type Package struct {
	Name, ImportPath string
	Document         string // the file it is made from
	Title            string
	Doc              string
	Topics           []Topic // that have a name
	Keys             []Key
	Headers          []Headers
	Specs            []*Spec // every message that is sent or received, on its channel
	Senders          []Operation
	Receivers        []Operation
	Framed           []Framed
	Examples         []Example
	Imports          map[string]string // package name -> import path, of Avro types
}

// Topic is a channel's topic.
type Topic struct {
	Const string // Go name
	Doc   string
	Own   bool // the document defines it
	topics.Topic
}

// Key is the Go type of a key.
type Key struct {
	Go, Doc string
	Scalar  parse.Scalar
}

// Headers is the Go type of a headers schema.
type Headers struct {
	Go, Doc string
	Table   string // Go name of the table of declared headers
	Props   []HeaderField
}

// HeaderField is a header and the field that holds it; constants have none.
type HeaderField struct {
	*parse.Prop
	Go, Type, Doc string
	Set, Get      string // functions of the runtime: SetText, Text
}

// Spec is a message on a channel.
type Spec struct {
	Go       string // of the message: ContractSuspended
	Alias    string // of what a handler gets: ContractSuspendedMessage
	Var      string // of the variable that describes it
	Doc      string
	Name     string // in the document
	Value    string // Go type of the payload, qualified
	Key      string // Go type of the key
	Headers  string // Go type of the headers
	Table    string // of the declared headers; empty: none
	Topic    string // Go name of the constant
	Subject  string // in the registry; empty: none
	Content  string
	Framing  string // of the runtime: Confluent, SingleObject, Bare
	Keyed    bool
	KeyField string // Avro name
	KeyGo    string // Go name of that field; empty: no check
	Codec    string // expression for it
	Schema   string // name of the Go constant with the schema's text, qualified
	Record   string // Avro full name, or the message's
	Title    string
	Own      bool // the document defines the channel
	text     string
}

// Operation is an operation with its methods.
type Operation struct {
	Name        string
	Suffix      string // of the Go names when there are several: OnContractFacts
	GroupConst  string
	Group       string
	About       string // ends a sentence: ": Follow orders." or "."
	Topic       string // Go name of the constant
	Compacted   bool
	DeadLetters string  // topic
	Retry       string  // fields of the runtime's Retry
	Specs       []*Spec // it takes or sends
	Others      []*Spec // of the channel, which it does not take
}

// Framed is a channel without operations whose messages are in single-object encoding.
type Framed struct {
	Go        string // LogBody; for a channel with one message, that message
	Doc       string
	Single    bool
	Interface string // qualified, when it stands beside its types
	Together  bool   // it does
	Marker    string // its method, when it does not
	Members   []Member
}

// Member is a message of a Framed channel.
type Member struct {
	Name, Type, FingerprintConst string
	fingerprint                  uint64
}

// Sealed is what makes types of an Avro package members of an interface that no other type is a member of.
type Sealed struct {
	Package  string // name and folder
	Go       string
	Marker   string
	Types    []string
	Sources  []string // documents
	Together bool     // the interface itself stands there too
}

// Example is an example of a message's payload.
type Example struct {
	Go, Doc, Type, Expr string
}

// Build makes the model of documents. When the list gets errors the model is of no use.
func Build(docs []*parse.Document, files *parse.Files, c Config, diags *diag.List) *Model {
	b := &builder{config: c, files: files, diags: diags, avro: avro.NewSet(), json: jsonschema.NewSet(files.Deref),
		avroRoots: map[*parse.Payload]*avro.Root{}, jsonRoots: map[*parse.Payload]*jsonschema.Root{}}
	b.avro.Lookup(b.findType)
	for _, d := range docs {
		b.addRoots(d)
	}
	resolved := append(b.avro.Resolve(), b.json.Resolve()...)
	diags.Add(resolved...)
	if resolved.HasErrors() {
		return nil
	}
	m := &Model{Avro: b.avro, JSON: b.json, JSONTypes: b.jsonConfig()}
	for _, d := range docs {
		m.Packages = append(m.Packages, b.pkg(d))
	}
	m.Sealed = b.sealed
	b.checkPackages(m)
	return m
}

// builder makes the packages of one call.
type builder struct {
	config    Config
	files     *parse.Files
	diags     *diag.List
	avro      *avro.Set
	json      *jsonschema.Set
	avroRoots map[*parse.Payload]*avro.Root
	jsonRoots map[*parse.Payload]*jsonschema.Root
	sealed    []*Sealed
}

// findType finds the file of an Avro type that is named and not defined: beside the file that names it, called like the type.
func (b *builder) findType(fullname, fromFile string) *source.Node {
	for _, name := range candidates(fullname, fromFile) {
		if b.files.Exists(name) {
			return b.files.Open(name, diag.Pos{})
		}
	}
	return nil
}

// Subjects gives the subjects of all messages in Confluent's wire format that the documents define, each once, in order.
func (m *Model) Subjects() []registry.Subject {
	var out []registry.Subject
	seen := map[string]bool{}
	for _, p := range m.Packages {
		for _, s := range p.Specs {
			if s.Own && s.Subject != "" && !seen[s.Subject] {
				seen[s.Subject] = true
				out = append(out, registry.Subject{Name: s.Subject, Schema: s.text})
			}
		}
	}
	return out
}

// Topics gives the topics that the documents define, in order.
func (m *Model) Topics() []topics.Topic {
	var out []topics.Topic
	for _, p := range m.Packages {
		for _, t := range p.Topics {
			if t.Own {
				out = append(out, t.Topic)
			}
		}
	}
	return out
}
