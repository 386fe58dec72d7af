package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
)

// explain prints what would be generated, as a person or a program reads it.
func (c *command) explain(args []string) int {
	f := c.flags("explain", "[flags] DOCUMENT...\n\nPrints what would be generated: operations, topics and messages, with their types, framing, keys and subjects, and how a\nreader tells messages apart. Nothing is written.")
	role := f.String("role", "owner", "owner, client or both, as of generate")
	asJSON := f.Bool("json", false, "print one array of JSON, an object for each package")
	reads := readingFlags(f)
	docs, status, ok := c.parse(f, args)
	if !ok {
		return status
	}
	if !isRole(*role) {
		return c.wrong("-role is owner, client or both, not %q", *role)
	}
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath, config.Role, config.Keep = "contract", model.Role(*role), true
	m, _, ds := generate.Model(disk{}, config)
	if c.tell(ds) {
		return fault
	}
	all := []explained{}
	for _, p := range m.Packages {
		all = append(all, explainedOf(p))
	}
	if *asJSON {
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return c.failed(err)
		}
		fmt.Fprintf(c.stdout, "%s\n", text)
		return done
	}
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		e.print(c.stdout)
	}
	return done
}

// The facts about a package that explain prints. Their JSON is for programs.
type (
	explained struct {
		Title      string               `json:"title"`
		Document   string               `json:"document"`
		Package    string               `json:"package"`
		Role       model.Role           `json:"role"`
		Operations []explainedOperation `json:"operations"`
		Topics     []explainedTopic     `json:"topics"`
	}
	explainedOperation struct {
		Name        string             `json:"name"`
		Verb        string             `json:"verb"`  // sends, asks or receives
		Topic       string             `json:"topic"` // empty: given at run time
		DeadLetters string             `json:"deadLetters,omitempty"`
		Messages    []explainedMessage `json:"messages"`
		Answers     []explainedMessage `json:"answers,omitempty"`
		Apart       string             `json:"toldApart,omitempty"` // of an operation that receives
	}
	explainedMessage struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Framing  string `json:"framing"` // as of schemaIdPayloadEncoding
		InHeader bool   `json:"schemaIdInHeader,omitempty"`
		Assumed  bool   `json:"framingAssumed,omitempty"` // nothing says it
		Subject  string `json:"subject,omitempty"`
		Key      string `json:"key,omitempty"`
		KeyField string `json:"keyField,omitempty"`
	}
	explainedTopic struct {
		Name       string             `json:"name"`
		Partitions int32              `json:"partitions,omitempty"`
		Replicas   int16              `json:"replicas,omitempty"`
		Configs    []explainedSetting `json:"configs,omitempty"`
	}
	explainedSetting struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

func explainedOf(p *model.Package) explained {
	out := explained{Title: p.Title, Document: p.Document, Package: p.Name, Role: p.Role, Operations: []explainedOperation{}, Topics: []explainedTopic{}}
	for _, group := range []struct {
		verb string
		list []model.Operation
	}{{"sends", p.Senders}, {"asks", p.Requesters}, {"receives", p.Receivers}} {
		for _, o := range group.list {
			out.Operations = append(out.Operations, explainedOperationOf(p, group.verb, o))
		}
	}
	for _, t := range p.Topics {
		one := explainedTopic{Name: t.Name, Partitions: t.Partitions, Replicas: t.Replicas}
		for _, s := range t.Configs {
			one.Configs = append(one.Configs, explainedSetting{s.Name, s.Value})
		}
		out.Topics = append(out.Topics, one)
	}
	return out
}

func explainedOperationOf(p *model.Package, verb string, o model.Operation) explainedOperation {
	out := explainedOperation{Name: o.Name, Verb: verb, DeadLetters: o.DeadLetters, Messages: []explainedMessage{}}
	for _, t := range p.Topics {
		if t.Const != "" && t.Const == o.Topic {
			out.Topic = t.Name
		}
	}
	if o.Address != nil {
		out.Topic = o.Address.Template
	}
	for _, m := range o.Methods {
		out.Messages = append(out.Messages, explainedMessageOf(m.Spec))
	}
	for _, a := range o.Answers {
		out.Answers = append(out.Answers, explainedMessageOf(a))
	}
	if verb == "receives" {
		out.Apart = o.Apart
	}
	return out
}

// framingWords are the framings of the runtime as a document names them.
var framingWords = map[string]string{"Confluent": "confluent", "IDInHeader": "confluent", "SingleObject": "avro-single-object", "Bare": "none"}

func explainedMessageOf(s *model.Spec) explainedMessage {
	out := explainedMessage{Name: s.Name, Type: s.Value, Framing: framingWords[s.Framing], InHeader: s.Framing == "IDInHeader", Assumed: s.Unsaid, Subject: s.Subject, KeyField: s.KeyField}
	if s.Keyed {
		out.Key = s.Key
	}
	return out
}

func (e explained) print(w io.Writer) {
	fmt.Fprintf(w, "%s: package %s\n", cmp.Or(e.Title, e.Document), e.Package)
	for _, o := range e.Operations {
		o.print(w)
	}
	for _, t := range e.Topics {
		fmt.Fprintf(w, "  topic %s", t.Name)
		if t.Partitions > 0 {
			fmt.Fprintf(w, ", partitions %d", t.Partitions)
		}
		for _, s := range t.Configs {
			fmt.Fprintf(w, ", %s=%s", s.Name, s.Value)
		}
		fmt.Fprintln(w)
	}
}

func (o explainedOperation) print(w io.Writer) {
	fmt.Fprintf(w, "  %s %s on %s", o.Name, o.Verb, cmp.Or(o.Topic, "a topic that is given at run time"))
	if o.DeadLetters != "" {
		fmt.Fprintf(w, ", dead letters to %s", o.DeadLetters)
	}
	fmt.Fprintln(w)
	for _, m := range o.Messages {
		fmt.Fprintf(w, "    %s\n", m)
	}
	for _, a := range o.Answers {
		fmt.Fprintf(w, "    answered by %s\n", a)
	}
	if o.Apart != "" {
		fmt.Fprintf(w, "    a reader knows a message %s\n", o.Apart)
	}
}

// framings describes the framings.
var framings = map[string]string{"confluent": "the id of its schema in front", "avro-single-object": "the fingerprint of its schema in front", "none": "the payload alone"}

func (m explainedMessage) String() string {
	framing := framings[m.Framing]
	if m.InHeader {
		framing = "the id of its schema in a header"
	}
	parts := []string{m.Name + ": " + m.Type, framing}
	if m.Subject != "" {
		parts = append(parts, "subject "+m.Subject)
	}
	if m.Key != "" {
		key := "key " + m.Key
		if m.KeyField != "" {
			key += " = " + m.KeyField
		}
		parts = append(parts, key)
	}
	return strings.Join(parts, ", ")
}
