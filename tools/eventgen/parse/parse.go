// Package parse reads AsyncAPI 3 documents into objects whose references are resolved and whose
// every part knows its place in the files.
//
// It judges the documents by the AsyncAPI specification alone; what Go makes of them is package
// model's, which imports it.
package parse

import (
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Document is one AsyncAPI document.
type Document struct {
	File        string
	Pos         diag.Pos
	Title       string
	Description string
	GoPackage   string // info.x-go-package
	PackagePos  diag.Pos
	Content     string // defaultContentType
	Channels    []*Channel
	Operations  []*Operation
	Servers     []Server
	Messages    []*Message   // of components, in the order of the document
	Schemas     []*Component // of components
}

// Server is a server the document names.
type Server struct {
	Name, Host, Path, Protocol, Version string // with variables as they stand
	Title, Summary, Description         string
	Variables                           []Variable
	Registry, Vendor                    string // of the Kafka binding
}

// Variable is a part of a server's host or path that is not fixed.
type Variable struct {
	Name, Default, Description string
	Enum                       []string
}

// Component is a schema of components under its name.
type Component struct {
	Name string
	*Payload
}

// Channel is a channel. A channel that several documents refer to is one object.
type Channel struct {
	Name string // its name where it is defined
	// of the document that it belongs to: the one it is defined in, or the first one that takes it
	// from a file that is no document itself
	File        string
	Pos         diag.Pos
	Address     string // empty when null or absent; parts in braces are parameters
	AddressPos  diag.Pos
	Params      []*Param // in the order of the address
	Title       string
	Summary     string
	Description string
	Messages    []*ChannelMessage
	Kafka       ChannelKafka
	More        []string // tags, external documentation and the like, one sentence each
	Broken      bool     // some of its messages could not be read, which was told
}

// Param is a parameter of a channel's address.
type Param struct {
	Name        string
	Pos         diag.Pos
	Description string
	Enum        []string
	Default     string
	Location    *Location // where in the message its value stands; nil: not said
}

// Location is a runtime expression: a place in a message.
type Location struct {
	Pos    diag.Pos
	Text   string   // as written
	Header bool     // in the headers; else in the payload
	Path   []string // of members
}

// ChannelMessage is a message under its name in a channel.
type ChannelMessage struct {
	Name string
	Pos  diag.Pos
	*Message
}

// ChannelKafka is a channel's Kafka binding.
type ChannelKafka struct {
	Pos        diag.Pos // of the binding; unknown without one
	Topic      string
	Partitions int64 // 0: not said
	Replicas   int64
	Configs    []Config // in the order of the document
}

// Config is one setting of a topic.
type Config struct{ Name, Value string }

// Message is a message with its traits applied.
type Message struct {
	Pos         diag.Pos
	Name        string // the name field, else that under which it is defined
	Title       string
	Summary     string
	Description string
	ContentType string
	Headers     *Object      // nil: none declared, or they are no flat object
	HeaderRef   *source.Node // a headers schema that says more than Headers can
	HeaderName  string       // of the component or trait it is; empty: it stands in its message
	Payload     *Payload     // nil: none declared
	Key         *Key         // of the Kafka binding; nil: none declared
	Correlation *Location
	Encoding    string // schemaIdPayloadEncoding
	EncodingPos diag.Pos
	Lookup      string // schemaLookupStrategy
	LookupPos   diag.Pos
	InHeader    bool // schemaIdLocation is header
	LocationPos diag.Pos
	Versions    *Versions // x-versions; nil: none given
	Examples    []Example
	More        []string
	Broken      bool // its payload could not be read, which was told
}

// Key is the schema of a message's key.
type Key struct {
	*Payload
	Name     string  // of the component or trait it is; empty: it stands in its message
	Scalar   *Scalar // the same, when it is plain text, a number or a boolean
	Field    string  // x-key-field: the field of the payload that it repeats
	FieldPos diag.Pos
}

// Payload is a schema: of a payload, or of what else may be written in any format.
type Payload struct {
	Name   string // schemaFormat, as written
	Format Format
	Schema *source.Node // with references followed
	Ref    *source.Node // as it stands in the document
}

// Format is a schema's language.
type Format int

// The schema languages told apart.
const (
	JSONSchema Format = iota
	Avro
	Raw // none that is known here; its values are bytes
)

// Example is one of a message's examples.
type Example struct {
	Name    string
	Pos     diag.Pos
	Payload *source.Node
	Headers *source.Node
}

// Object is a flat object of scalars: a headers schema.
type Object struct {
	Pos   diag.Pos
	Name  string // of the component or trait it is; empty: it stands in its message
	Title string
	Doc   string
	Props []Prop

	Closed bool // it refuses what it does not name
}

// Prop is one property of an Object.
type Prop struct {
	Name     string
	Required bool
	Scalar
}

// Scalar is the schema of text, a number or a boolean.
type Scalar struct {
	Pos       diag.Pos
	Title     string
	Doc       string
	Type      string // string, integer, number, boolean
	Format    string
	Const     string
	Enum      []string
	MinLength int64
	MaxLength int64 // 0: no limit
	Pattern   string
}

// Action is what the application does with an operation.
type Action string

// The two actions.
const (
	Send    Action = "send"
	Receive Action = "receive"
)

// Operation is an operation.
type Operation struct {
	Name        string
	Pos         diag.Pos
	Action      Action
	Title       string
	Summary     string
	Description string
	Channel     *Channel
	Messages    []*ChannelMessage // those of the channel when the document names none
	GroupID     string
	Retry       Retry
	DeadLetter  *Channel // x-dead-letter; nil: none
	Unknown     string   // x-unknown-message: dead-letter, error, ack; empty: not said
	InOrder     bool     // x-dispatch: in-order
	Reply       *Reply
	More        []string
	Broken      bool // some of its messages could not be found, which was told
}

// Reply is what answers the messages of an operation.
type Reply struct {
	Pos diag.Pos
	// where the requester says the reply shall go; nil: the channel has an address
	Address  *Location
	Channel  *Channel
	Messages []*ChannelMessage
}

// Retry is x-retry.
type Retry struct {
	MaxAttempts  int64
	Fixed        bool
	Initial, Max time.Duration
}

// Documents reads documents. Objects that several refer to are shared. When the list gets errors,
// what is given is incomplete. With raw, payloads in formats that are not known are bytes, else
// they are refused.
func Documents(files *reference.Files, names []string, raw bool, diags *diag.List) []*Document {
	p := &parser{Files: files, raw: raw, diags: diags, channels: map[*source.Node]*Channel{}, messages: map[*source.Node]*Message{}, traits: map[*source.Node]string{}}
	var out []*Document
	for _, name := range names {
		if d := p.document(name); d != nil {
			out = append(out, d)
		}
	}
	return out
}

// parser reads objects, each once.
type parser struct {
	*reference.Files
	raw      bool
	diags    *diag.List
	channels map[*source.Node]*Channel
	messages map[*source.Node]*Message
	traits   map[*source.Node]string // names of traits, by the headers and keys they bring
}
