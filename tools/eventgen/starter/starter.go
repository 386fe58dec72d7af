// Package starter begins a program for a document: a config with what the document says and leaves
// out, and a main package that sends and receives its messages. Both are written once, for people
// to change.
//
// The eventgen command imports it.
package starter

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/model"
)

// Names of the files.
const (
	ConfigFile  = "eventgen.yaml"
	ProgramFile = "main.go"
)

// Start is what the files are made from.
type Start struct {
	Model      *model.Model
	Document   string // as generate has to name it
	Folder     string // of the generated packages, below that of the program
	ImportPath string // of that folder
	Role       model.Role
	Flags      []string // further flags of generate
}

// Alone reports whether the owner of a document receives every message that it sends, and sends
// every one that it receives.
func Alone(m *model.Model) bool {
	names := func(list []model.Operation) []string {
		var out []string
		for _, o := range list {
			for _, m := range o.Methods {
				out = append(out, m.Var)
			}
		}
		return slices.Compact(slices.Sorted(slices.Values(out)))
	}
	p := m.Packages[0]
	sent := names(p.Senders)
	return len(sent) > 0 && len(p.Requesters) == 0 && slices.Equal(sent, names(p.Receivers))
}

//go:embed program.tmpl
var programText string

var program = template.Must(template.New("").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(programText))

// Program returns the main package. It runs in memory, or on Kafka.
func (s Start) Program() ([]byte, error) {
	v := newView(s)
	var body strings.Builder
	if err := program.Execute(&body, v); err != nil {
		return nil, err
	}
	comment := fmt.Sprintf("Command %s sends an example of each message of %s and prints the messages that it receives. "+
		"They stay in memory; with -brokers they go through Kafka.\n\neventgen init wrote it once. It is yours to change.", v.Name, path.Base(s.Document))
	text, err := gofile.File{Package: "main", Comment: comment, Imports: v.imports, Body: body.String()}.Print()
	if err != nil {
		return nil, err
	}
	_, text, _ = bytes.Cut(text, []byte("\n\n")) // without the header of generated files
	return text, nil
}

// view is what the template prints.
type view struct {
	Name     string
	Generate string // the command that generates the packages
	Buses    []bus
	Subjects bool // messages have the ids of their schemas
	imports  map[string]string
}

// Registered reports whether a document defines a message that has a schema in a registry.
func (v *view) Registered() bool {
	return slices.ContainsFunc(v.Buses, func(b bus) bool { return b.Package.Registered() })
}

// bus is one generated package.
type bus struct {
	*model.Package
	Handles  []handle // the messages of all receivers, each once
	Receives []receiver
	Sends    []send
	Asks     []send // requests
	Free     bool   // the address of an answer is left to the requester
	several  bool   // there is more than one receiver
}

// Title returns the name of the package as a part of Go names.
func (b bus) Title() string { return goname.Exported(b.Name) }

// Called reports whether a message is sent.
func (b bus) Called() bool { return called(b.Sends) }

// Asked reports whether a request is sent.
func (b bus) Asked() bool { return called(b.Asks) }

func called(list []send) bool {
	return slices.ContainsFunc(list, func(s send) bool { return s.Call != "" })
}

// Receiving reports whether the program receives.
func (v *view) Receiving() bool {
	return slices.ContainsFunc(v.Buses, func(b bus) bool { return len(b.Receives) > 0 || b.Asked() })
}

// receiver is how one operation is registered.
type receiver struct {
	model.Operation
	Go       string // of the function of the program
	Register string // Go name of the function that registers it
	Topics   string // Go of its topics; empty: they are fixed
	At       string // Go of the call that returns the topic, with an error
	InGroup  string // Go of the consumer group
}

// handle is how one message is handled.
type handle struct {
	model.Method
	With string // Go of an answer
}

// send is how one message is sent.
type send struct {
	Name string
	Call string // Go; empty: no value is known that its schema allows
}

// libraries are the packages that a program may import beside those that generated code does.
var libraries = map[string]string{"errors": "errors", "flag": "flag", "fmt": "fmt", "json": "encoding/json", "slog": "log/slog", "os": "os", "signal": "os/signal", "slices": "slices", "strings": "strings",
	"watermill": "github.com/ThreeDotsLabs/watermill",
	"kafkabus":  "github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus", "bustest": "github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"}

func newView(s Start) *view {
	name := strings.TrimSuffix(strings.TrimSuffix(s.Model.Packages[0].Name, "bus"), "client")
	v := &view{Name: name, imports: map[string]string{}}
	args := []string{"eventgen", "generate", "-config", ConfigFile}
	if s.Role != model.Owner && s.Role != "" {
		args = append(args, "-role", string(s.Role))
	}
	args = append(append(args, s.Flags...), "-out", s.Folder, "-import", s.ImportPath, s.Document)
	v.Generate = strings.Join(args, " ")
	for n, at := range libraries {
		v.imports[n] = at
	}
	for _, p := range s.Model.Packages {
		v.imports[p.Name] = p.ImportPath
		b := bus{Package: p, several: len(p.Receivers) > 1}
		for _, o := range p.Receivers {
			b.receive(s.Model, o, name, v.imports)
		}
		for _, o := range p.Senders {
			for _, m := range o.Methods {
				b.Sends = append(b.Sends, newSend(s.Model, p, o, m, v.imports))
			}
		}
		for _, o := range p.Requesters {
			b.Free = b.Free || o.ReplyTopic == "" && o.ReplyAddress == nil
			for _, m := range o.Methods {
				b.Asks = append(b.Asks, newSend(s.Model, p, o, m, v.imports))
			}
		}
		v.Subjects = v.Subjects || slices.ContainsFunc(p.Specs, func(s *model.Spec) bool { return s.Subject != "" || s.KeySubject != "" })
		v.Buses = append(v.Buses, b)
	}
	return v
}

// receive adds an operation that receives.
func (b *bus) receive(m *model.Model, o model.Operation, name string, imports map[string]string) {
	r := receiver{Operation: o, Register: "Register", InGroup: strconv.Quote(name + "-" + o.Name)}
	if b.several {
		r.Register += o.Suffix
	}
	r.Go = "receive" + b.Title() + strings.TrimPrefix(r.Register, "Register")
	if o.GroupConst != "" {
		r.InGroup = b.Name + "." + o.GroupConst
	}
	if o.Topic == "" {
		r.Topics = "[]string{" + strconv.Quote(free(o)) + "}"
		if o.Address != nil {
			r.At, r.Topics = b.Name+"."+address(b.Package, o.Address)+".Topic()", "[]string{topic}"
		}
	}
	b.Receives = append(b.Receives, r)
	with := ""
	for _, a := range o.Answers {
		if args, ok := arguments(m, b.Package, a, imports); ok && o.Answer != "" {
			with = o.Suffix + "With" + a.Go + "(" + strings.Join(args, ", ") + ")"
			break
		}
	}
	for _, one := range o.Methods {
		if !slices.ContainsFunc(b.Handles, func(other handle) bool { return other.Method.Method == one.Method }) {
			b.Handles = append(b.Handles, handle{one, with})
		}
	}
}

// free returns a topic for an operation whose channel has no address.
func free(o model.Operation) string { return strings.ToLower(o.Suffix) }

// address returns the Go of the parameters of an address, without the name of their package.
func address(p *model.Package, a *model.Address) string {
	var fields []string
	for _, param := range a.Params {
		v := strconv.Quote(strings.ToLower(param.Name))
		switch {
		case len(param.Values) > 0:
			v = p.Name + "." + param.Values[0].Go
		case param.Default != "":
			v = strconv.Quote(param.Default)
		}
		fields = append(fields, param.Go+": "+v)
	}
	return a.Go + "{" + strings.Join(fields, ", ") + "}"
}

// arguments returns the Go of the key, the value and the headers of a message, or false if no value
// is known that its schema allows.
func arguments(m *model.Model, p *model.Package, spec *model.Spec, imports map[string]string) (args []string, ok bool) {
	s, ok := m.Sample(p, spec)
	if !ok {
		return nil, false
	}
	if spec.Fixed {
		s.Headers = ""
	}
	maps.Copy(imports, s.Imports)
	return slices.DeleteFunc([]string{s.Key, s.Value, s.Headers}, func(arg string) bool { return arg == "" }), true
}

func newSend(m *model.Model, p *model.Package, o model.Operation, method model.Method, imports map[string]string) send {
	out := send{Name: method.Name}
	more, ok := arguments(m, p, method.Spec, imports)
	if !ok {
		return out
	}
	args := []string{"ctx"}
	switch {
	case o.Address != nil:
		args = append(args, p.Name+"."+address(p, o.Address))
	case o.Topic == "":
		args = append(args, strconv.Quote(free(o)))
	}
	out.Call = method.Method + "(" + strings.Join(append(args, more...), ", ") + ")"
	return out
}

// Config returns the config. Generating with it yields the same as without, and no warning about
// what it says.
func (s Start) Config() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# What eventgen init found in %s. With -config it says what that document leaves out; change it\n", path.Base(s.Document))
	b.WriteString("# where it is wrong. Comments are what the document itself says.\n")
	first := s.Model.Packages[0]
	if s.Model.Packages[0].Role != model.Client {
		fmt.Fprintf(&b, "\npackage: %s\n", first.Name)
	}
	var said []string
	messages := ""
	for _, p := range s.Model.Packages {
		for _, m := range p.Specs {
			if slices.Contains(said, m.Name) {
				continue
			}
			said = append(said, m.Name)
			messages += framing(p, m)
		}
	}
	if strings.Contains(messages, "\n    framing:") {
		b.WriteString("\nmessages:\n")
	}
	b.WriteString(messages)
	for _, t := range first.Topics {
		fmt.Fprintf(&b, "\n# topic %s", t.Name)
		if t.Partitions > 0 {
			fmt.Fprintf(&b, ", partitions %d", t.Partitions)
		}
		for _, c := range t.Configs {
			fmt.Fprintf(&b, ", %s=%s", c.Name, c.Value)
		}
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// words are the framings as a config names them.
var words = map[string]string{"Confluent": "confluent", "IDInHeader": "confluent", "SingleObject": "avro-single-object", "Bare": "none"}

// framing returns the lines of a message.
func framing(p *model.Package, m *model.Spec) string {
	about := "no topic that is known"
	for _, t := range p.Topics {
		if t.Const != "" && t.Const == m.Topic {
			about = "topic " + t.Name
		}
	}
	if m.Keyed {
		about += ", key " + m.Key
		if m.KeyField != "" {
			about += " = " + m.KeyField
		}
	} else {
		about += ", no key"
	}
	if m.Empty || m.Schema == "" {
		return fmt.Sprintf("\n  # %s: %s, without a schema\n", m.Name, about)
	}
	why := ""
	if m.Unsaid {
		why = " # nothing says it: confluent, if the id of a schema precedes the payload"
	}
	return fmt.Sprintf("\n  # %s\n  %s:\n    framing: %s%s\n", about, strconv.Quote(m.Name), words[m.Framing], why)
}
