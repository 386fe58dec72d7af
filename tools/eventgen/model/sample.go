package model

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/sample"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Sample is the Go of a message to begin with: a value, its key and its headers, and what these
// import. Key is empty if the message has none, and Value if it has no payload.
type Sample struct {
	Value, Key, Headers string
	Imports             map[string]string // package name -> import path
}

// Sample returns a message that conforms to its contract: the example in the document, or else one
// that is made up. It returns false if it finds none.
func (m *Model) Sample(p *Package, s *Spec) (Sample, bool) {
	w := &sampler{Model: m, out: Sample{Imports: map[string]string{}}}
	if !w.value(p, s) || !w.key(p, s) || !w.headers(p, s) {
		return Sample{}, false
	}
	return w.out, true
}

// sampler makes a Sample.
type sampler struct {
	*Model
	out  Sample
	node *source.Node // the payload
}

func (w *sampler) value(p *Package, s *Spec) bool {
	switch {
	case s.Empty:
		return true
	case s.root.Raw != "":
		w.out.Value = `[]byte("` + s.Name + `")`
		return true
	}
	for _, e := range p.Examples {
		if e.message == s.Name {
			w.node, w.out.Value = e.node, p.Name+"."+e.Go+"()"
			w.out.Imports[p.Name] = p.ImportPath
			return true
		}
	}
	var ok bool
	w.out.Value, w.node, ok = w.made(s.root, s.KeyField, func() string { return keyText(s) })
	return ok
}

// made returns a value of a schema that is made up. The member field, if it is not empty, has the
// given text or number, if the schema allows it.
func (w *sampler) made(r *payload.Root, field string, text func() string) (expr string, n *source.Node, ok bool) {
	var all []string
	if r.Avro != nil {
		all = sample.Avro(r.SchemaText())
	} else {
		all = sample.Schemas(r.SchemaText())
	}
	for _, one := range all {
		n, faults := source.Parse("sample.json", []byte(one))
		if faults.HasErrors() {
			continue
		}
		if v := n.Get(field); v != nil && field != "" {
			if changed := text(); changed != "" {
				with := with(n, field, &source.Node{Pos: v.Pos, Kind: v.Kind, Value: changed})
				if expr, ok := w.literal(r, with); ok {
					return expr, with, true
				}
			}
		}
		if expr, ok := w.literal(r, n); ok {
			return expr, n, true
		}
	}
	return "", nil, false
}

// with returns an object with another value of a member.
func with(n *source.Node, member string, v *source.Node) *source.Node {
	out := *n
	out.Pairs = slices.Clone(n.Pairs)
	for i := range out.Pairs {
		if out.Pairs[i].Key.Value == member {
			out.Pairs[i].Value = v
		}
	}
	return &out
}

// literal returns the Go of a value, or false if it does not conform to its schema.
func (w *sampler) literal(r *payload.Root, n *source.Node) (string, bool) {
	var expr string
	var imports []string
	var faults diag.List
	if r.Avro != nil {
		expr, imports, faults = r.Avro.Literal(avro.Config{ImportPath: w.importPath}, n)
	} else {
		expr, imports, faults = r.JSON.Literal(w.JSONConfig(), n)
	}
	if len(faults) > 0 {
		return "", false
	}
	for _, i := range imports {
		w.out.Imports[path.Base(i)] = i
	}
	return expr, true
}

// keyText returns a text for the field of the payload that the key repeats, or "".
func keyText(s *Spec) string {
	if s.keyOf == nil || s.keyOf.Scalar == nil {
		return ""
	}
	text, _ := scalar(s.keyOf.Scalar, s.KeyField)
	return text
}

func (w *sampler) key(p *Package, s *Spec) bool {
	switch {
	case !s.Keyed:
		return true
	case s.keyRoot != nil:
		expr, _, ok := w.made(s.keyRoot, "", nil)
		w.out.Key = expr
		return ok
	}
	text, ok := "", false
	if v := w.node.Get(s.KeyField); v != nil && s.KeyField != "" {
		text, ok = v.Value, true
	} else if s.keyOf != nil && s.keyOf.Scalar != nil {
		text, ok = scalar(s.keyOf.Scalar, "key")
	}
	if w.out.Key = text; s.keyOf == nil || s.keyOf.Scalar == nil || s.keyOf.Scalar.Type != "integer" {
		w.out.Key = strconv.Quote(text)
	}
	return ok
}

func (w *sampler) headers(p *Package, s *Spec) bool {
	w.out.Headers = "nil"
	if s.head != nil {
		expr, _, ok := w.made(s.head, "", nil)
		w.out.Headers = expr
		return ok
	}
	for _, h := range p.Headers {
		if h.Go != s.Headers {
			continue
		}
		var fields []string
		for _, f := range h.Props {
			// attributes of CloudEvents are filled in
			if f.Go == "" || !f.Required || strings.HasPrefix(f.Name, "ce_") && f.Name != "ce_source" {
				continue
			}
			v, ok := header(f)
			if !ok {
				return false
			}
			fields = append(fields, f.Go+": "+v)
		}
		w.out.Headers = p.Name + "." + h.Go + "{" + strings.Join(fields, ", ") + "}"
		w.out.Imports[p.Name] = p.ImportPath
		if strings.Contains(w.out.Headers, "time.") {
			w.out.Imports["time"] = "time"
		}
	}
	return true
}

// header returns the Go of a header.
func header(f HeaderField) (string, bool) {
	text, ok := scalar(&f.Scalar, f.Name)
	switch f.Type {
	case "*int64", "*float64":
		return "new(" + f.Type[1:] + "(" + text + "))", ok
	case "*bool":
		return "new(true)", true
	case "time.Time":
		return "time.Now()", true
	}
	return strconv.Quote(text), ok
}

// scalar returns a text of a scalar, or false if it finds none.
func scalar(s *parse.Scalar, name string) (string, bool) {
	members := `{"type": "` + s.Type + `", "format": ` + strconv.Quote(s.Format)
	switch {
	case s.Const != "":
		return s.Const, true
	case len(s.Enum) > 0:
		return s.Enum[0], true
	case s.Pattern != "":
		return sample.Text(s.Pattern)
	case s.Type == "boolean":
		return "true", true
	case s.Type == "integer" || s.Type == "number":
		return "1", true
	}
	if s.MinLength > 0 {
		members += `, "minLength": ` + strconv.FormatInt(s.MinLength, 10)
	}
	if s.MaxLength > 0 {
		members += `, "maxLength": ` + strconv.FormatInt(s.MaxLength, 10)
	}
	n, faults := source.Parse("sample.json", []byte(sample.Named(members+"}", name)))
	return n.Str(), !faults.HasErrors()
}
