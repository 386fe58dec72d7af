package main

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// APIDoc is an OpenAPI document as its page shows it.
type APIDoc struct {
	Description string
	Servers     []Pair
	Security    []Pair
	Groups      []Group
	Responses   []Response
	Schemas     []Schema
}

// Pair is a name and its meaning.
type Pair struct{ Name, Text string }

// Group holds the operations of one tag.
type Group struct {
	Name, Text string
	Operations []Operation
}

// Operation is one operation.
type Operation struct {
	ID, Method, Path, Summary, Text string
	Scopes                          []string
	Problems                        []string // codes, completed by readProblems
	Samples                         []Sample
	Parameters                      []Field
	Body                            *Body
	Responses                       []Response
}

// Body is a request or response body.
type Body struct {
	MediaType string
	Type      Type
	Shape     *Shape
	Examples  []Example
}

// Response is an answer or a reference to a shared one.
type Response struct {
	Status, Anchor, Text string
	Shared               string   // anchor of the shared response it refers to
	Codes                []string // of its problems
	Causes               []Cause  // its problems, completed by readProblems
	Headers              []Field
	Body                 *Body
}

// Field is a parameter, a header, a property or a field of a record.
type Field struct {
	Name, In, Text string
	Required       bool
	Type           Type
	Default        string
	Notes          []string // constraints in words
}

// Type describes a type: words around one link.
type Type struct{ Before, Name, Href, After string }

// Schema is a component schema.
type Schema struct {
	Name, Text string
	Type       Type
	Fields     []Field
	Variants   []Type
	Notes      []string
	Example    string
}

// Example is an example with its title.
type Example struct{ Title, JSON string }

func readAPI(root specfile.Value) *APIDoc {
	doc := &APIDoc{Description: root.Get("info", "description").Str()}
	for _, s := range root.Get("servers").Items() {
		doc.Servers = append(doc.Servers, Pair{s.Get("url").Str(), s.Get("description").Str()})
	}
	for _, s := range root.Get("components", "securitySchemes").Members() {
		doc.Security = append(doc.Security, Pair{s.Name, securityText(s.Value)})
	}
	for _, tag := range root.Get("tags").Items() {
		doc.Groups = append(doc.Groups, Group{Name: tag.Get("name").Str(), Text: tag.Get("description").Str()})
	}
	for _, path := range root.Get("paths").Members() {
		for _, op := range path.Members() {
			if op.Get("operationId").Ok() {
				doc.add(firstTag(op.Value), readOperation(root, path, op))
			}
		}
	}
	for _, r := range root.Get("components", "responses").Members() {
		doc.Responses = append(doc.Responses, readResponse(r.Name, r.Value))
	}
	for _, s := range root.Get("components", "schemas").Members() {
		doc.Schemas = append(doc.Schemas, readSchema(s.Name, s.Value))
	}
	return doc
}

func securityText(s specfile.Value) string {
	text := s.Get("description").Str()
	if s.Get("type").Str() == "apiKey" {
		return "Header `" + s.Get("name").Str() + "`. " + text
	}
	var scopes []string
	for _, flow := range s.Get("flows").Members() {
		for _, scope := range flow.Get("scopes").Members() {
			scopes = append(scopes, "`"+scope.Name+"` "+strings.TrimSuffix(scope.Str(), "."))
		}
	}
	return text + " Scopes: " + strings.Join(scopes, "; ") + "."
}

func firstTag(op specfile.Value) string {
	for _, t := range op.Get("tags").Items() {
		return t.Str()
	}
	return "operations"
}

// add adds an operation to the group of its tag. It makes a group for a tag that the document does
// not declare.
func (d *APIDoc) add(tag string, op Operation) {
	for i := range d.Groups {
		if d.Groups[i].Name == tag {
			d.Groups[i].Operations = append(d.Groups[i].Operations, op)
			return
		}
	}
	d.Groups = append(d.Groups, Group{Name: tag, Operations: []Operation{op}})
}

func readOperation(root specfile.Value, path, op specfile.Member) Operation {
	out := Operation{
		ID: op.Get("operationId").Str(), Method: strings.ToUpper(op.Name), Path: path.Name,
		Summary: op.Get("summary").Str(), Text: op.Get("description").Str(),
		Samples: samples(baseURL(root), path, op),
	}
	security := op.Get("security")
	if !security.Ok() {
		security = root.Get("security")
	}
	for _, alternative := range security.Items() {
		for _, s := range alternative.Members() {
			for _, scope := range s.Items() {
				out.Scopes = appendNew(out.Scopes, scope.Str())
			}
		}
	}
	for _, p := range append(path.Get("parameters").Items(), op.Get("parameters").Items()...) {
		out.Parameters = append(out.Parameters, readField(p.Get("name").Str(), p.Get("in").Str(), p))
	}
	if b := op.Get("requestBody"); b.Ok() {
		out.Body = readBody(b)
	}
	for _, r := range op.Get("responses").Members() {
		response := readResponse(r.Name, r.Value)
		if r.Ref != "" {
			response.Shared = "response-" + r.Value.Name()
		}
		out.Responses = append(out.Responses, response)
	}
	return out
}

func readResponse(name string, v specfile.Value) Response {
	r := Response{Status: name, Anchor: "response-" + name, Text: v.Get("description").Str(), Body: readBody(v)}
	for _, ex := range v.Get("content", "application/problem+json", "examples").Members() {
		r.Codes = appendNew(r.Codes, ex.Get("value", "code").Str())
	}
	for _, h := range v.Get("headers").Members() {
		r.Headers = append(r.Headers, readField(h.Name, "", h.Value))
	}
	return r
}

// readBody reads the first media type of a body; our documents have one each.
func readBody(v specfile.Value) *Body {
	content := v.Get("content").Members()
	if len(content) == 0 {
		return nil
	}
	media := content[0]
	b := &Body{MediaType: media.Name, Type: typeOf(media.Get("schema")), Shape: shapeOf(media.Get("schema"))}
	for _, ex := range media.Get("examples").Members() {
		title := ex.Get("summary").Str()
		if title == "" {
			title = ex.Name
		}
		b.Examples = append(b.Examples, Example{title, pretty(ex.Get("value"))})
	}
	return b
}

func readField(name, in string, v specfile.Value) Field {
	schema := v.Get("schema")
	f := Field{Name: name, In: in, Text: v.Get("description").Str(), Required: v.Get("required").True(), Type: typeOf(schema), Default: schema.Get("default").Text()}
	if schema.Ref == "" {
		f.Notes = constraints(schema)
	}
	return f
}

func readSchema(name string, v specfile.Value) Schema {
	s := Schema{Name: name, Text: v.Get("description").Str(), Notes: constraints(v)}
	// the schema itself, not a link to it
	s.Type = typeOf(specfile.Value{File: v.File, Node: v.Node})
	required := map[string]bool{}
	for _, r := range v.Get("required").Items() {
		required[r.Str()] = true
	}
	for _, p := range v.Get("properties").Members() {
		f := Field{Name: p.Name, Text: p.Get("description").Str(), Required: required[p.Name], Type: typeOf(p.Value), Default: p.Get("default").Text()}
		if own := v.Get("properties").Raw(p.Name).Raw("description"); own.Ok() {
			f.Text = own.Str()
		} else if p.Ref != "" {
			f.Text = "" // it is shown with the type
		}
		if p.Ref == "" {
			f.Notes = constraints(p.Value)
		}
		s.Fields = append(s.Fields, f)
	}
	for _, o := range v.Get("oneOf").Items() {
		s.Variants = append(s.Variants, typeOf(o))
	}
	for _, e := range v.Get("examples").Items() {
		s.Example = pretty(e)
		break
	}
	return s
}

// typeOf describes a schema in words, with a link if it is a component.
func typeOf(v specfile.Value) Type {
	switch {
	case !v.Ok():
		return Type{Name: "anything"}
	case strings.Contains(v.Ref, "#/components/schemas/"):
		return Type{Name: v.Name(), Href: "#schema-" + v.Name()}
	case v.Get("oneOf").Ok():
		return Type{Name: "one of several"}
	}
	name := v.Get("type").Str()
	if list := v.Get("type").Items(); len(list) > 0 {
		var names []string
		for _, t := range list {
			names = append(names, t.Str())
		}
		name = strings.Join(names, " or ")
	}
	if name == "array" {
		t := typeOf(v.Get("items"))
		t.Before = "list of " + t.Before
		return t
	}
	if format := v.Get("format").Str(); format != "" {
		name += " (" + format + ")"
	}
	return Type{Name: name}
}

// constraints returns the constraints of a schema in words.
func constraints(v specfile.Value) []string {
	var out []string
	say := func(words string, keys ...string) {
		for _, k := range keys {
			if x := v.Get(k); x.Ok() {
				out = append(out, words+" "+x.Text())
			}
		}
	}
	if v.Get("enum").Ok() {
		var symbols []string
		for _, e := range v.Get("enum").Items() {
			symbols = append(symbols, e.Text())
		}
		out = append(out, "one of "+strings.Join(symbols, ", "))
	}
	say("at least", "minimum")
	say("at most", "maximum")
	say("at least this many characters:", "minLength")
	say("at most this many characters:", "maxLength")
	say("matches", "pattern")
	say("at most this many items:", "maxItems")
	say("always", "const")
	if v.Get("additionalProperties").Node.Is(source.Bool) && !v.Get("additionalProperties").True() {
		out = append(out, "no other members")
	}
	return out
}

func (d *APIDoc) sections() []Section {
	out := []Section{{Title: "About", Anchor: "about"}}
	for _, g := range d.Groups {
		s := Section{Title: g.Name, Anchor: "group-" + g.Name}
		for _, op := range g.Operations {
			s.Entries = append(s.Entries, Section{Title: op.ID, Anchor: "op-" + op.ID, Badge: op.Method})
		}
		out = append(out, s)
	}
	responses := Section{Title: "Shared responses", Anchor: "responses"}
	for _, r := range d.Responses {
		responses.Entries = append(responses.Entries, Section{Title: r.Status, Anchor: r.Anchor})
	}
	schemas := Section{Title: "Schemas", Anchor: "schemas"}
	for _, s := range d.Schemas {
		schemas.Entries = append(schemas.Entries, Section{Title: s.Name, Anchor: "schema-" + s.Name})
	}
	return append(out, responses, schemas)
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
