// Package asyncdiff compares versions of AsyncAPI documents: channels, operations, messages and
// what is in them. It reads them with eventgen's parser.
//
// Package gate imports it.
package asyncdiff

import (
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Document is a document with the schemas of its messages.
type Document struct {
	*parse.Document
	Reader *input.Reader
	types  map[*source.Node]**schema.Type
}

// Load reads a document of a side. An error has every fault with its place.
func Load(s *input.Side, file string) (*Document, error) {
	r := s.Reader()
	docs := parse.Documents(r.Files, []string{file}, true, &r.Diags)
	if err := r.Err(); err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("%s: this is not an AsyncAPI document", s.Display(file))
	}
	d := &Document{Document: docs[0], Reader: r, types: map[*source.Node]**schema.Type{}}
	var nodes []*source.Node
	for _, c := range d.Channels {
		for _, m := range c.Messages {
			nodes = append(nodes, avroOf(m.Payload)...)
			if m.Key != nil {
				nodes = append(nodes, avroOf(m.Key.Payload)...)
			}
		}
	}
	if len(d.Channels) == 0 { // what others refer to is under components
		for _, m := range d.Messages {
			nodes = append(nodes, avroOf(m.Payload)...)
			if m.Key != nil {
				nodes = append(nodes, avroOf(m.Key.Payload)...)
			}
		}
		for _, c := range d.Schemas {
			nodes = append(nodes, avroOf(c.Payload)...)
		}
	}
	d.load(nodes)
	return d, r.Err()
}

func avroOf(p *parse.Payload) []*source.Node {
	if p == nil || p.Format != parse.Avro {
		return nil
	}
	return []*source.Node{p.Schema}
}

// load reads Avro schemas that may use each other's names.
func (d *Document) load(nodes []*source.Node) {
	seen := map[*source.Node]bool{}
	l := schema.Loader{Lenient: true, Valid: true, Nearest: diag.Nearest}
	l.Find = func(fullname string, use any) *schema.Node {
		at, _ := use.(diag.Pos)
		n := d.Reader.FindType(fullname, at.File)
		if n == nil || seen[n] {
			return nil
		}
		seen[n] = true
		return avro.Node(n)
	}
	for _, n := range nodes {
		if !seen[n] {
			seen[n] = true
			d.types[n] = l.Add(avro.Node(n))
		}
	}
	for _, f := range l.Link() {
		if at, _ := f.Pos.(diag.Pos); !f.Warning {
			d.Reader.Diags.ErrorHint(at, f.Hint, "%s", f.Message)
		}
	}
}

// avroType returns the type of an Avro payload.
func (d *Document) avroType(p *parse.Payload) *schema.Type { return *d.types[p.Schema] }

// kept reports whether a message is read in a former version of its schema, by the list of versions
// that it keeps.
func (d *Document) kept(m *parse.Message, former *schema.Type) bool {
	if m.Versions == nil {
		return false
	}
	return slices.ContainsFunc(m.Versions.List, func(n *source.Node) bool {
		l := schema.Loader{Lenient: true}
		t := l.Add(avro.Node(n))
		for _, f := range l.Link() {
			if !f.Warning {
				return false
			}
		}
		if string((*t).Canonical()) != string(former.Canonical()) {
			return false
		}
		_, differs := schema.LogicalDifference(*t, former)
		return !differs
	})
}

// framing returns the framing of a message in a channel.
func (d *Document) framing(c *parse.Channel, m *parse.Message) string {
	name, known := model.Framing(m, d.Registry(c) != nil)
	if !known {
		return m.Encoding
	}
	return name
}

// Own reports whether a channel is defined by this document, or by a file that is no document.
func (d *Document) Own(c *parse.Channel) bool { return c.File == d.File }

// name returns what the application of the document is called.
func (d *Document) name() string {
	if d.Title != "" {
		return d.Title
	}
	return d.Reader.Display(d.File)
}

// topic returns the address of a channel, by which it is the same in two documents.
func topic(c *parse.Channel) string {
	if c.Kafka.Topic != "" {
		return c.Kafka.Topic
	}
	return c.Address
}

// label returns what a channel is called in messages: its topic, or else its name.
func label(c *parse.Channel) string {
	if at := topic(c); at != "" {
		return at
	}
	return "channel " + c.Name
}

// People are the applications that send and receive on each topic.
type People struct {
	senders, receivers map[string][]string
}

// Applications returns who sends and receives, by the operations of documents.
func Applications(docs []*Document) *People {
	p := &People{senders: map[string][]string{}, receivers: map[string][]string{}}
	for _, d := range docs {
		for _, o := range d.Operations {
			list := p.senders
			if o.Action == parse.Receive {
				list = p.receivers
			}
			if at := topic(o.Channel); !slices.Contains(list[at], d.name()) {
				list[at] = append(list[at], d.name())
			}
		}
	}
	return p
}
