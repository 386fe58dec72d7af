// Package model decides what the Go will be: packages, files, names and types. Everything that
// cannot be generated is refused here, unless a document violates AsyncAPI or Avro itself, so that
// package emit only prints.
//
// It reads the documents of package parse. Package emit and the eventgen command import it.
package model

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/eventgen/versions"
)

// Config selects what to generate.
type Config struct {
	ImportPath string // of the output folder
	Role       Role
	// a present schema that is not among the versions of its message is not refused
	Keep bool
}

// Role is the side of a document's operations that is generated.
type Role string

// The roles. The zero Role is Owner.
const (
	Owner  Role = "owner"  // the application that the document describes
	Client Role = "client" // the other side of every operation: send and receive swapped
	Both   Role = "both"   // a package for each side; they share the types of payloads
)

// sides returns the roles of the packages of a document. A document without operations has one
// side.
func (r Role) sides(d *parse.Document) []Role {
	switch {
	case r == Both && len(d.Operations) > 0:
		return []Role{Owner, Client}
	case r == Client:
		return []Role{Client}
	}
	return []Role{Owner}
}

// Model is everything that one call generates.
type Model struct {
	Avro     *avro.Set
	JSON     *jsonschema.Set
	Packages []*Package
	Sealed   []*Sealed         // interfaces in packages of Avro types
	Unkept   []versions.Unkept // present schemas to add to the versions of their messages

	importPath, jsonPackage string
}

// Package is the Go package of one side of a document.
type Package struct {
	Name, ImportPath string
	Role             Role
	Document         string   // the file it is made from
	Pos              diag.Pos // of its name
	Title            string
	Doc              string
	Servers          []parse.Server
	Topics           []Topic
	Addresses        []*Address
	Keys             []Key
	Headers          []Headers
	Specs            []*Spec // every message that is sent or received, on its channel
	Senders          []Operation
	Requesters       []Operation // senders that get an answer
	Receivers        []Operation
	Together         bool // all receivers can share a subscriber
	Framed           []Framed
	Examples         []Example
	Imports          map[string]string // package name -> import path, of Avro types
}

// Registered reports whether a message that the document defines has a schema in a registry.
func (p *Package) Registered() bool {
	return slices.ContainsFunc(p.Specs, func(s *Spec) bool { return s.Own && (s.Subject != "" || s.KeySubject != "") })
}

// Named returns the topics that have a constant.
func (p *Package) Named() []Topic {
	return slices.DeleteFunc(slices.Clone(p.Topics), func(t Topic) bool { return t.Const == "" })
}

// OwnTopics returns the topics that the document defines.
func (p *Package) OwnTopics() []Topic { return p.topics(true) }

// OtherTopics returns the topics that other documents define.
func (p *Package) OtherTopics() []Topic { return p.topics(false) }

func (p *Package) topics(own bool) []Topic {
	return slices.DeleteFunc(slices.Clone(p.Topics), func(t Topic) bool { return t.Own != own || t.Again })
}

// Leading returns the receivers without the last one.
func (p *Package) Leading() []Operation { return p.Receivers[:len(p.Receivers)-1] }

// Last returns the last receiver.
func (p *Package) Last() Operation { return p.Receivers[len(p.Receivers)-1] }

// Topic is a topic of a channel.
type Topic struct {
	Const string // Go name; empty: the topic is one of an address with parameters
	Doc   string
	Own   bool // the document defines it
	Again bool // another channel has the same address
	topics.Topic
}

// Address is a channel's address with parameters.
type Address struct {
	Go, Var, Doc string
	Template     string
	Params       []Param
}

// Param is a parameter of an address: text, or a type of its own if it has an enum.
type Param struct {
	*parse.Param
	Go, Type, Doc string
	Values        []Value
	// Go of the value in a message, and of the condition that it is set, if it may not be
	Value, There string
	located      *parse.Location
}

// Value is a value of an enum.
type Value struct{ Go, Text string }

// Key is the Go type of a key.
type Key struct {
	Go, Doc string
	Base    string // string or int64
	Scalar  parse.Scalar
}

// Headers is the Go type of a headers schema.
type Headers struct {
	Go, Doc string // Go is empty if every header has only one value
	Table   string // Go name of the table of declared headers
	Props   []HeaderField
}

// HeaderField is a header and the field that holds it. A constant has no field.
type HeaderField struct {
	*parse.Prop
	Go, Type, Doc string
	Set, Get      string // functions of the runtime: SetText, Text
}

// Spec is a message on a channel.
type Spec struct {
	Go      string // of the message: ContractSuspended
	Alias   string // of what a handler gets: ContractSuspendedMessage
	Var     string // of the variable that describes it
	Doc     string
	Name    string // in the document
	Value   string // Go type of the payload, qualified
	Key     string // Go type of the key
	Headers string // Go type of the headers
	Fixed   bool   // every declared header has only one value, so that a sender has none to name
	Table   string // of the declared headers; empty: none
	// headers with listed values, if the headers are more than a table
	Constants []jsonschema.Constant
	// Go of the function that writes the headers; empty: the contract declares none
	Write    string
	Read     string
	Codec    string
	KeyCodec string
	KeyText  string // Go of the field of m that the key repeats, as text
	Empty    bool   // it has no payload
	Reply    string // Go of the location of its correlation id
	Topic    string // Go name of the constant
	Subject  string // in the registry; empty: none
	Content  string
	Framing  string // of the runtime: Confluent, IDInHeader, SingleObject, Bare
	Unsaid   bool   // nothing in the document says the framing
	Keyed    bool
	KeyField string // the field that the key repeats
	Schema   string // name of the Go constant with the schema's text, qualified
	Record   string // full name of the schema in the registry
	Title    string
	Own      bool // the document defines the channel
	text     string
	root     *payload.Root
	head     *payload.Root // of headers that are more than a table
	keyOf    *parse.Key
	keyRoot  *payload.Root // of a key that is more than a scalar

	KeySubject, KeySchema, keyText string // of a key framed with a schema id; empty: none
}

// Operation is an operation with its methods.
type Operation struct {
	Name       string
	Suffix     string // of the Go names if there are several: OnContractFacts
	GroupConst string
	Group      string
	About      string // ends a sentence: ": Follow orders." or "."
	Topic      string // Go name of the constant; empty: given at run time
	Address    *Address
	Unknown    string // policy of the runtime
	InOrder    bool
	Apart      string  // how a reader tells its messages apart
	Answers    []*Spec // of the reply
	NoAnswers  []*Spec // other messages of that topic, which a requester skips
	Answer     string  // Go type of the answer
	ReplyTo    string  // Go of the location in a message
	ReplyTopic string  // Go name of the constant
	// of the reply, with parameters that the request has too
	ReplyAddress *Address
	Compacted    bool
	DeadLetters  string // topic
	Retry        string // fields of the runtime's Retry
	Methods      []Method
	Others       []*Spec // of the channel, which the operation does not handle
}

// Method is how one message is sent or handled.
type Method struct {
	*Spec
	Method  string
	Address *Address // that the caller fills in
	Settled bool     // the message's topic is fixed
	Answers string   // Go type that a handler or a request returns; empty: none
	At      string   // Go of the location of the address of its answer
	Located []Param  // of the address, with the Go of their values in the message
}

// Framed is a channel without operations whose messages are in single-object encoding.
type Framed struct {
	Go        string // LogBody; for a channel with one message, that message
	Doc       string
	Single    bool
	Interface string // qualified, if it is in the package of its types
	Together  bool   // it is
	Marker    string // its method, if it is not
	Members   []Member
}

// HasFormer reports whether a message of the channel has former versions.
func (f Framed) HasFormer() bool {
	return slices.ContainsFunc(f.Members, func(m Member) bool { return len(m.Former) > 0 })
}

// Member is a message of a Framed channel.
type Member struct {
	Name, Type, FingerprintConst string
	Method                       string   // of the channel's visitor
	Former                       []uint64 // fingerprints of former versions
	fingerprint                  uint64
}

// Sealed makes types of an Avro package implement an interface that no other type implements.
type Sealed struct {
	Package  string // name and folder
	Go       string
	Marker   string
	Types    []string
	Sources  []string // documents
	Together bool     // the interface itself is there too
	Pos      diag.Pos // of the channel
}

// Example is an example of a message's payload.
type Example struct {
	Go, Doc, Type, Expr string

	message string // its name in the document
	node    *source.Node
}

// Build returns the model of documents. If errors are added to the list, the model must not be
// used.
func Build(docs []*parse.Document, files *reference.Files, c Config, diags *diag.List) *Model {
	b := &builder{config: c, files: files, diags: diags, consts: map[*parse.Message]map[string][]string{}, listed: map[*jsonschema.Root][]jsonschema.Constant{}, registry: map[*parse.ChannelMessage]*parse.Server{}, told: map[string]bool{}}
	resolved := b.resolve(docs)
	diags.Add(resolved...)
	if resolved.HasErrors() {
		b.leaveOut(docs)
		again := b.resolve(docs)
		if diags.Add(again...); again.HasErrors() {
			return nil
		}
	}
	for _, d := range docs {
		b.findRegistries(d)
	}
	m := &Model{Avro: b.avro, JSON: b.json, importPath: c.ImportPath, jsonPackage: b.jsonPackage(docs)}
	b.jsonConfig = m.JSONConfig()
	m.Unkept = versions.Check(docs, b.avroRoot, diags)
	if !c.Keep {
		versions.Refuse(m.Unkept, docs, diags)
	}
	for _, d := range docs {
		for _, side := range c.Role.sides(d) {
			m.Packages = append(m.Packages, b.pkg(d, side))
		}
	}
	m.Sealed = b.sealed
	b.checkPackages(m)
	if resolved.HasErrors() {
		return nil
	}
	return m
}

// resolve adds the schemas of all documents to new sets, decides their types, and returns their
// faults.
func (b *builder) resolve(docs []*parse.Document) diag.List {
	b.avro, b.json = avro.NewSet(), b.newJSON(docs)
	b.roots, b.heads = map[*parse.Payload]*payload.Root{}, map[*source.Node]*payload.Root{}
	b.avro.Lookup(b.files.FindType)
	for _, d := range docs {
		b.addRoots(d)
	}
	return append(b.avro.Resolve(), b.json.Resolve()...)
}

func (b *builder) newJSON(docs []*parse.Document) *jsonschema.Set {
	return jsonschema.NewSet(b.files.Deref, func(file string) []*source.Node {
		roots := []*source.Node{b.files.Open(file, diag.Pos{})}
		for _, d := range docs {
			if d.File != file {
				roots = append(roots, b.files.Open(d.File, diag.Pos{}))
			}
		}
		return roots
	})
}

// leaveOut leaves out the messages whose schemas have faults, so that the faults of all others are
// reported too. The model cannot be used any more.
func (b *builder) leaveOut(docs []*parse.Document) {
	sound := map[*parse.Message]bool{}
	for _, d := range docs {
		messages := slices.Clone(d.Messages)
		for _, c := range d.Channels {
			for _, m := range c.Messages {
				messages = append(messages, m.Message)
			}
		}
		for _, m := range messages {
			if _, known := sound[m]; !known {
				sound[m] = b.sound(m, docs)
			}
			if !sound[m] {
				m.Broken, m.Payload, m.Key, m.HeaderRef, m.Correlation = true, nil, nil, nil, nil
			}
		}
		d.Schemas = nil
	}
}

// sound reports whether the schemas of a message have no fault of their own.
func (b *builder) sound(m *parse.Message, docs []*parse.Document) bool {
	one := &builder{config: b.config, files: b.files, avro: avro.NewSet(), json: b.newJSON(docs), roots: map[*parse.Payload]*payload.Root{}, heads: map[*source.Node]*payload.Root{}}
	one.avro.Lookup(b.files.FindType)
	one.addMessage(m)
	return !append(one.avro.Resolve(), one.json.Resolve()...).HasErrors()
}

// builder builds the packages of one call.
type builder struct {
	config     Config
	files      *reference.Files
	diags      *diag.List
	avro       *avro.Set
	json       *jsonschema.Set
	jsonConfig jsonschema.Config
	roots      map[*parse.Payload]*payload.Root
	heads      map[*source.Node]*payload.Root             // headers that are more than scalars
	consts     map[*parse.Message]map[string][]string     // values that headers can have
	listed     map[*jsonschema.Root][]jsonschema.Constant // members of payloads
	sealed     []*Sealed
	// the servers with a schema registry, by the messages of their channels
	registry map[*parse.ChannelMessage]*parse.Server
	told     map[string]bool // faults that were reported, and would be again for each message
}

// avroRoot returns the schema of a payload in Avro, or nil.
func (b *builder) avroRoot(p *parse.Payload) *avro.Root {
	if r := b.roots[p]; r != nil {
		return r.Avro
	}
	return nil
}

// Subjects returns the subjects of all messages with the id of a schema that the documents
// define, each once, in order.
func (m *Model) Subjects() []registry.Subject {
	var out []registry.Subject
	seen := map[string]bool{}
	for _, p := range m.Packages {
		for _, s := range p.Specs {
			if s.Own && s.Subject != "" && !seen[s.Subject] {
				seen[s.Subject] = true
				out = append(out, registry.Subject{Name: s.Subject, Schema: s.text})
			}
			if s.Own && s.KeySubject != "" && !seen[s.KeySubject] {
				seen[s.KeySubject] = true
				out = append(out, registry.Subject{Name: s.KeySubject, Schema: s.keyText})
			}
		}
	}
	return out
}

// Topics returns the topics that the documents define, in order.
func (m *Model) Topics() []topics.Topic {
	var out []topics.Topic
	for _, p := range m.Packages {
		for _, t := range p.Topics {
			if t.Own && !t.Again {
				out = append(out, t.Topic)
			}
		}
	}
	return out
}
