// Package parse reads AsyncAPI 3 documents into objects with resolved references. Every object has
// its position in the files.
//
// It checks the documents against the AsyncAPI specification alone. Package model, which imports
// it, decides what the Go will be.
package parse

import (
	"slices"
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

// Server is a server of the document.
type Server struct {
	Name, Host, Path, Protocol, Version string // with variables as they stand
	Title, Summary, Description         string
	Variables                           []Variable
	Registry, Vendor                    string // of the Kafka binding
	VendorPos                           diag.Pos

	at *source.Node
}

// Variable is a variable part of a server's host or path.
type Variable struct {
	Name, Default, Description string
	Enum                       []string
}

// Component is a named schema of components.
type Component struct {
	Name string
	*Payload
}

// Channel is a channel. A channel that several documents refer to is one object.
type Channel struct {
	Name string // its name where it is defined
	// the document that it belongs to: the one that defines it, or the first one that refers to it
	// if it is defined in a file that is not a document
	File        string
	Pos         diag.Pos
	Address     string // empty if null or absent; parts in braces are parameters
	AddressPos  diag.Pos
	Params      []*Param // in the order of the address
	Title       string
	Summary     string
	Description string
	Messages    []*ChannelMessage
	Kafka       ChannelKafka
	More        []string // tags, external documentation and the like, one sentence each
	Broken      bool     // some of its messages could not be read, which was reported

	servers []*source.Node // none: all of the document
}

// Param is a parameter of a channel's address.
type Param struct {
	Name        string
	Pos         diag.Pos
	Description string
	Enum        []string
	Default     string
	Location    *Location // of its value in the message; nil: not given
}

// Location is a runtime expression: a place in a message.
type Location struct {
	Pos    diag.Pos
	Text   string   // as written
	Header bool     // in the headers; otherwise in the payload
	Added  bool     // the document does not have it
	Path   []string // of members; empty: the whole payload
}

// ChannelMessage is a message with its name in a channel.
type ChannelMessage struct {
	Name string
	Pos  diag.Pos
	*Message
}

// ChannelKafka is a channel's Kafka binding.
type ChannelKafka struct {
	Pos        diag.Pos // of the binding; unknown without one
	Topic      string
	Partitions int64 // 0: not given
	Replicas   int64
	Configs    []Config // in the order of the document
}

// Config is one setting of a topic.
type Config struct{ Name, Value string }

// Message is a message with its traits applied.
type Message struct {
	Pos         diag.Pos
	Name        string // the name field, or else the name under which it is defined
	Title       string
	Summary     string
	Description string
	ContentType string
	Headers     *Object      // nil: none declared, or they are not a flat object
	HeaderRef   *source.Node // a headers schema that Headers cannot express
	HeaderNode  *source.Node // the headers as JSON Schema; nil: none declared, or in another format
	HeaderName  string       // of the component or trait; empty: it is defined in its message
	Payload     *Payload     // nil: none declared
	Key         *Key         // of the Kafka binding; nil: none declared
	Correlation *Location
	Encoding    string // schemaIdPayloadEncoding
	EncodingPos diag.Pos
	Lookup      string // schemaLookupStrategy
	LookupPos   diag.Pos
	InHeader    bool // schemaIdLocation is header
	LocationPos diag.Pos
	Versions    *Versions // x-versions; nil: not given
	Examples    []Example
	More        []string
	Broken      bool // its payload could not be read, which was reported
}

// Key is the schema of a message's key.
type Key struct {
	*Payload
	Name     string  // of the component or trait; empty: it is defined in its message
	Scalar   *Scalar // the same, if it is text, a number or a boolean
	Field    string  // x-key-field: the field of the payload that it repeats
	FieldPos diag.Pos
}

// Payload is a schema in any format: of a payload, or of a key or headers.
type Payload struct {
	Name   string // schemaFormat, as written
	Format Format
	Schema *source.Node // with references followed
	Ref    *source.Node // as it stands in the document
}

// Format is a schema's language.
type Format int

// The schema languages that are distinguished.
const (
	JSONSchema Format = iota
	Avro
	Raw // an unknown language; its values are bytes
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
	Name  string // of the component or trait; empty: it is defined in its message
	Title string
	Doc   string
	Props []Prop

	Closed bool // it refuses members that it does not name
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
	Messages    []*ChannelMessage // all of the channel if the document names none
	GroupID     string
	Retry       Retry
	DeadLetter  *Channel // x-dead-letter; nil: none
	Unknown     string   // x-unknown-message: dead-letter, error, ack; empty: not given
	InOrder     bool     // x-dispatch: in-order
	Reply       *Reply
	More        []string
	Broken      bool // some of its messages could not be found, which was reported
}

// Reply describes the answers to the messages of an operation.
type Reply struct {
	Pos diag.Pos
	// where a message contains the address of its reply; nil: the channel has an address
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

// Registry returns the server of a channel that names a schema registry, or nil.
func (d *Document) Registry(c *Channel) *Server {
	i := slices.IndexFunc(d.Servers, func(s Server) bool {
		return (s.Registry != "" || s.Vendor != "") && (len(c.servers) == 0 || slices.Contains(c.servers, s.at))
	})
	if i < 0 {
		return nil
	}
	return &d.Servers[i]
}

// Documents reads documents. Objects that several documents refer to are shared. If errors are
// added to the list, the result is incomplete. With raw, payloads in unknown formats are bytes;
// otherwise they are refused.
func Documents(files *reference.Files, names []string, raw bool, diags *diag.List) []*Document {
	p := &parser{Files: files, raw: raw, diags: diags, channels: map[*source.Node]*Channel{}, messages: map[*source.Node]*Message{}, traits: map[*source.Node]string{}, found: map[*source.Node]diag.List{}}
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
	traits   map[*source.Node]string    // names of traits, by their headers and keys
	found    map[*source.Node]diag.List // faults of channels and messages
}
