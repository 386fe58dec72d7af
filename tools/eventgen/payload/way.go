package payload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// Way is how generated code gets from a payload m to a place in it.
type Way struct {
	Expr   string // the Go of the value there
	Passes []Pass // pointers on the way, in order
	Field  Field  // the last one
}

// Pass is a pointer on a way.
type Pass struct {
	Expr string // the Go of the pointer
	// the Go of what reports that it is set, if it may be absent and null; otherwise empty
	Flag   string
	Simple bool // what it points to has no required member beside the one on the way
}

// Astray is why a location leads nowhere.
type Astray struct {
	Message, Hint string
	Unread        bool // it leads into what eventgen does not read, so the caller has to fill it in
}

// NewAstray returns an Astray with a formatted message.
func NewAstray(hint, format string, args ...any) *Astray {
	return &Astray{Message: fmt.Sprintf(format, args...), Hint: hint}
}

const throughObjects = "a location leads through objects: it cannot name an item of an array, a key of a map or a form of a union"

// Find follows the names of a location through a payload.
func (r *Root) Find(l *parse.Location) (*Way, *Astray) {
	if r != nil && r.Raw != "" {
		return nil, &Astray{l.Text + " leads into a payload that eventgen does not read", "name a header, or let the caller fill it in", true}
	}
	if len(l.Path) == 0 {
		return r.whole(l)
	}
	w, fields := &Way{Expr: "m"}, r.Fields()
	for i, name := range l.Path {
		at := Index(fields, name)
		switch {
		case at < 0 && i > 0 && w.Field.Inside == nil && slices.Contains([]string{"array", "map", "union", "any"}, w.Field.Kind):
			return nil, NewAstray(throughObjects, "%s leads through %q, which is of the kind %s", l.Text, w.Field.Name, w.Field.Kind)
		case at < 0:
			return nil, NewAstray(diag.OneOf("names there", name, Names(fields)), "%s leads nowhere: there is no %q", l.Text, name)
		case fields[at].GoName == "":
			return nil, NewAstray("name a field whose value differs from message to message", "%s has only one value", l.Text)
		}
		if i > 0 {
			w.through(slices.Delete(slices.Clone(fields), at, at+1))
		}
		w.Field = fields[at]
		w.Expr += "." + w.Field.GoName
		if fields = nil; w.Field.Inside != nil {
			fields = w.Field.Inside()
		}
	}
	return w, nil
}

// whole returns the way to the payload itself, whose value is in a field if it is not an object.
func (r *Root) whole(l *parse.Location) (*Way, *Astray) {
	var fields []Field
	switch {
	case r == nil:
	case r.Avro != nil:
		fields = avroFields(r.Avro.Whole())
	case r.JSON != nil:
		fields = jsonFields(r.JSON.Whole())
	}
	if len(fields) == 0 {
		return nil, NewAstray("name a field of it: $message.payload#/NAME", "%s leads to the payload, which is not text", l.Text)
	}
	return &Way{Expr: "m." + fields[0].GoName, Field: fields[0]}, nil
}

// through extends the way beyond its end, where there are other fields too.
func (w *Way) through(others []Field) {
	simple := !slices.ContainsFunc(others, func(f Field) bool { return !f.Dispensable && f.GoName != "" })
	switch {
	case strings.HasPrefix(w.Field.GoType, "jsonvalue.Optional["):
		w.Passes = append(w.Passes, Pass{w.Expr + ".Value", w.Expr + ".Set", simple})
		w.Expr += ".Value"
	case strings.HasPrefix(w.Field.GoType, "*"):
		w.Passes = append(w.Passes, Pass{w.Expr, "", simple})
	}
}

// Nils returns the Go that compares each pointer on the way with nil; "" if there is none.
func (w *Way) Nils(comparison, between string) string {
	var out []string
	for _, p := range w.Passes {
		out = append(out, p.Expr+comparison+"nil")
	}
	return strings.Join(out, between)
}

// From makes the way begin at another variable than m.
func (w *Way) From(variable string) {
	w.Expr = variable + w.Expr[1:]
	for i := range w.Passes {
		w.Passes[i].Expr = variable + w.Passes[i].Expr[1:]
	}
}
