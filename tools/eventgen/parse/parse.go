// Package parse reads AsyncAPI 3 documents into objects whose references are resolved and whose every part knows its place in the files.
//
// It judges the documents by the AsyncAPI specification alone; what Go makes of them is package model's, which imports it.
package parse

import (
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Document is one AsyncAPI document.
type Document struct {
	File        string
	Pos         diag.Pos
	Title       string
	Description string
	GoPackage   string // info.x-go-package
	Channels    []*Channel
	Operations  []*Operation
}

// Channel is a channel. A channel that several documents refer to is one object.
type Channel struct {
	Name        string // its name where it is defined
	File        string // where it is defined
	Pos         diag.Pos
	Address     string // empty when null or absent
	Title       string
	Summary     string
	Description string
	Messages    []*ChannelMessage
	Kafka       ChannelKafka
	Broken      bool // some of its messages could not be read, which was told
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
	Headers     *Object // nil: none declared
	Payload     *Payload
	Key         *Scalar // of the Kafka binding; nil: none declared
	Encoding    string  // schemaIdPayloadEncoding
	EncodingPos diag.Pos
	Lookup      string // schemaLookupStrategy
	LookupPos   diag.Pos
	Examples    []Example
	Broken      bool // its payload could not be read, which was told
}

// Payload is a message's payload schema.
type Payload struct {
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
	Title string
	Doc   string
	Props []Prop
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
	KeyField  string // x-key-field
	FieldPos  diag.Pos
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
	Broken      bool     // some of its messages could not be found, which was told
}

// Retry is x-retry.
type Retry struct {
	MaxAttempts  int64
	Fixed        bool
	Initial, Max time.Duration
}

// Documents reads documents. Objects that several refer to are shared. When the list gets errors, what is given is incomplete.
func Documents(files *Files, names []string, diags *diag.List) []*Document {
	p := &parser{Files: files, diags: diags, channels: map[*source.Node]*Channel{}, messages: map[*source.Node]*Message{}}
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
	*Files
	diags    *diag.List
	channels map[*source.Node]*Channel
	messages map[*source.Node]*Message
}
