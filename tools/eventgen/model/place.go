package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// way is how generated code gets from a payload m to a place within it.
type way struct {
	expr   string // of the value there
	passes []pass // what it leads through and may be nil, in order
	field  field  // the last one
}

// pass is a pointer on a way.
type pass struct {
	expr string // of the pointer
	// of what says that it is there, for one that may be left out and null; else empty
	flag   string
	simple bool // what it points to wants nothing else than what the way leads to
}

// astray says why a location leads nowhere.
type astray struct {
	message, hint string
	unread        bool // it leads into what eventgen does not read: the caller fills it in
}

func astrayBy(hint, format string, args ...any) *astray {
	return &astray{message: fmt.Sprintf(format, args...), hint: hint}
}

const throughObjects = "a location leads through objects: it cannot say which item of an array, which key of a map or which form of a union"

// find follows the names of a location through a payload.
func (r *root) find(l *parse.Location) (*way, *astray) {
	if r != nil && r.raw != "" {
		return nil, &astray{l.Text + " leads into a payload that eventgen does not read", "a header can be read; else it is the caller's to fill in", true}
	}
	w, fields := &way{expr: "m"}, r.fields()
	for i, name := range l.Path {
		at := slices.IndexFunc(fields, func(f field) bool { return f.Name == name })
		switch {
		case at < 0 && i > 0 && w.field.inside == nil && slices.Contains([]string{"array", "map", "union", "any"}, w.field.Kind):
			return nil, astrayBy(throughObjects, "%s leads through %q, which is of the kind %s", l.Text, w.field.Name, w.field.Kind)
		case at < 0:
			var names []string
			for _, f := range fields {
				names = append(names, f.Name)
			}
			return nil, astrayBy(diag.OneOf("names there", name, names), "%s names nothing: there is no %q", l.Text, name)
		case fields[at].GoName == "":
			return nil, astrayBy("name a field whose value differs from message to message", "%s has one value only", l.Text)
		}
		if i > 0 {
			w.through(slices.Delete(slices.Clone(fields), at, at+1))
		}
		w.field = fields[at]
		w.expr += "." + w.field.GoName
		if fields = nil; w.field.inside != nil {
			fields = w.field.inside()
		}
	}
	return w, nil
}

// through notes that the way goes on from its end, beside other fields.
func (w *way) through(others []field) {
	simple := !slices.ContainsFunc(others, func(f field) bool { return !f.Dispensable && f.GoName != "" })
	switch {
	case strings.HasPrefix(w.field.GoType, "jsonvalue.Optional["):
		w.passes = append(w.passes, pass{w.expr + ".Value", w.expr + ".Set", simple})
		w.expr += ".Value"
	case strings.HasPrefix(w.field.GoType, "*"):
		w.passes = append(w.passes, pass{w.expr, "", simple})
	}
}

// nils prints a comparison of everything with nil that may be so on the way; empty when nothing
// may.
func (w *way) nils(comparison, between string) string {
	var out []string
	for _, p := range w.passes {
		out = append(out, p.expr+comparison+"nil")
	}
	return strings.Join(out, between)
}

// base is the type of the value, without what makes it optional.
func (f field) base() string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(f.GoType, "jsonvalue.Optional["), "*"), "]")
}

// readable are the types whose values are text, or become text and come back.
func (f field) readable() bool {
	return slices.Contains([]string{"string", "int64", "int32", "int", "uuid.UUID", "avrobin.UUID"}, f.base())
}

// location prints a location of a message for the runtime; "" when there is none, and after telling
// of one that cannot be.
func (p *pkgBuilder) location(l *parse.Location, m *parse.ChannelMessage, r *root, goType, what string) string {
	switch {
	case l == nil:
		return ""
	case l.Header:
		if wrong := p.header(l, m); wrong != nil {
			p.wrong(l, what, wrong)
			return ""
		}
		quoted := make([]string, len(l.Path))
		for i, s := range l.Path {
			quoted[i] = quote(s)
		}
		return "bus.Location[" + goType + "]{Header: []string{" + strings.Join(quoted, ", ") + "}}"
	}
	w, wrong := r.find(l)
	if wrong == nil && !w.field.readable() {
		wrong = astrayBy("text, an integer and a UUID can be", "%s is of the Go type %s", l.Text, w.field.GoType)
	}
	if wrong != nil {
		p.wrong(l, what, wrong)
		return ""
	}
	get, set := w.expr, w.expr+" = v"
	if w.field.GoType != "string" {
		get, set = "bus.FieldText(&"+w.expr+")", "bus.SetFieldText(&"+w.expr+", v)"
	}
	read, write := "", ""
	if missing := w.nils(" == ", " || "); missing != "" {
		read = "if " + missing + " {\nreturn \"\"\n}\n"
	}
	for _, pass := range w.passes {
		if !pass.simple {
			write += "if " + pass.expr + " == nil {\nreturn\n}\n"
		}
		if pass.flag != "" {
			write += pass.flag + " = true\n"
		}
		write += "bus.Own(&" + pass.expr + ")\n"
	}
	return "bus.Location[" + goType + "]{\nText: " + quote(l.Text) + ",\nOf: func(m *" + goType + ") string {\n" + read + "return " + get + "\n},\nSet: func(m *" + goType + ", v string) {\n" + write + set + "\n},\n}"
}

// wrong tells, once, what is wrong with a location.
func (p *pkgBuilder) wrong(l *parse.Location, what string, a *astray) {
	d := diag.Diagnostic{Pos: l.Pos, Message: what + ": " + a.message, Hint: a.hint}
	if a.unread {
		d.Severity = diag.Warning
	}
	if key := l.Pos.String() + what; !p.told[key] {
		p.told[key] = true
		p.diags.Add(d)
	}
}

// header says why a location in the headers leads nowhere. Headers that are not declared may stand
// beside those that are, unless the schema refuses them.
func (p *pkgBuilder) header(l *parse.Location, m *parse.ChannelMessage) *astray {
	if m.Headers != nil {
		return flatHeader(l, m.Headers)
	}
	r := p.heads[m.HeaderRef]
	if r == nil {
		return nil
	}
	fields, closed := r.fields(), r.json.Closed()
	var f field
	for i, name := range l.Path {
		at := slices.IndexFunc(fields, func(f field) bool { return f.Name == name })
		switch {
		case i > 0 && f.inside == nil && f.Kind != "map" && f.Kind != "any" && f.Kind != "union":
			return astrayBy("a location leads through objects", "%s leads through %q, which is of the kind %s", l.Text, f.Name, f.Kind)
		case at < 0 && closed:
			var names []string
			for _, f := range fields {
				names = append(names, f.Name)
			}
			return astrayBy(diag.OneOf("names there", name, names), "%s names nothing: there is no %q", l.Text, name)
		case at < 0:
			return nil
		}
		f, fields, closed = fields[at], nil, fields[at].closed
		if f.inside != nil {
			fields = f.inside()
		}
	}
	return nil
}

func flatHeader(l *parse.Location, o *parse.Object) *astray {
	at := slices.IndexFunc(o.Props, func(p parse.Prop) bool { return p.Name == l.Path[0] })
	switch {
	case at < 0 && o.Closed:
		var names []string
		for i := range o.Props {
			names = append(names, o.Props[i].Name)
		}
		return astrayBy(diag.OneOf("headers", l.Path[0], names), "%s names nothing: there is no %q", l.Text, l.Path[0])
	case at >= 0 && len(l.Path) > 1:
		return astrayBy("a location leads through objects", "%s leads through %q, which is of the kind %s", l.Text, l.Path[0], o.Props[at].Type)
	}
	return nil
}

// located finds the parameters of an address whose values stand in a message that an operation
// sends.
func (p *pkgBuilder) located(a *Address, m *parse.ChannelMessage, s *Spec) []Param {
	var out []Param
	for _, param := range a.Params {
		if param.located == nil {
			continue
		}
		var wrong *astray
		if param.Value, param.There, wrong = p.parameter(param.located, m, s); wrong == nil {
			out = append(out, param)
		}
	}
	return out
}

// strayParameters tells of places of parameters: an error when they are in no message of an
// operation, and a warning for those that do not have them.
func (p *pkgBuilder) strayParameters(a *Address, o *parse.Operation) {
	for _, param := range a.Params {
		l := param.located
		if l == nil {
			continue
		}
		var found bool
		var stray []*parse.ChannelMessage
		var first *astray
		for _, m := range o.Messages {
			s := p.specs[m]
			if s == nil {
				found = true // nobody knows
				continue
			}
			if _, _, wrong := p.parameter(l, m, s); wrong == nil {
				found = true
			} else if stray = append(stray, m); first == nil {
				first = wrong
			}
		}
		switch {
		case first == nil:
		case !found:
			p.wrong(l, "parameter "+param.Name, first)
		default:
			for _, m := range stray {
				p.diags.Warnf(l.Pos, "the caller gives it", "parameter %s: %s is not in message %s", param.Name, l.Text, m.Message.Name)
			}
		}
	}
}

// parameter prints the value of a parameter in a message, and the condition under which it is
// there.
func (p *pkgBuilder) parameter(l *parse.Location, m *parse.ChannelMessage, s *Spec) (value, there string, wrong *astray) {
	of, at := s.root, "m"
	if l.Header {
		if m.Headers != nil && len(l.Path) == 1 {
			return p.flatParameter(l, m, s)
		}
		if of, at = p.heads[m.HeaderRef], "h"; of == nil {
			return "", "", astrayBy("declare it under headers of the message", "%s names nothing: there is no header %q", l.Text, l.Path[0])
		}
	}
	w, wrong := of.find(l)
	if wrong != nil {
		return "", "", wrong
	}
	if l.Header {
		w.rename(at)
	}
	value, there = w.expr, w.nils(" != ", " && ")
	switch f := w.field; {
	case strings.HasPrefix(f.GoType, "jsonvalue.Optional["):
		value += ".Value"
		fallthrough
	case strings.HasPrefix(f.GoType, "*"):
		there = strings.TrimPrefix(there+" && "+value+" != nil", " && ")
		value = "*" + value
	}
	switch base := w.field.base(); {
	case base == "string":
	case w.field.Kind == "enum":
		value = "string(" + value + ")"
	case base == "uuid.UUID", base == "avrobin.UUID":
		value = strings.TrimPrefix(value, "*") + ".String()"
	case w.field.readable():
		value = "bus.Decimal(" + value + ")"
	default:
		return "", "", astrayBy("text, an integer and a UUID can be", "%s is of the Go type %s", l.Text, w.field.GoType)
	}
	return value, there, nil
}

// rename makes a way begin at another variable than m.
func (w *way) rename(to string) {
	w.expr = to + w.expr[1:]
	for i := range w.passes {
		w.passes[i].expr = to + w.passes[i].expr[1:]
	}
}

func (p *pkgBuilder) flatParameter(l *parse.Location, m *parse.ChannelMessage, s *Spec) (value, there string, wrong *astray) {
	var names []string
	for _, h := range p.headersType(m.Headers, s).Props {
		names = append(names, h.Name)
		switch {
		case h.Name != l.Path[0]:
		case h.Type == "string":
			return "h." + h.Go, "", nil
		case h.Type == "*int64":
			return "bus.Decimal(*h." + h.Go + ")", "h." + h.Go + " != nil", nil
		default:
			return "", "", astrayBy("text and integers can be", "%s is neither text nor an integer", l.Text)
		}
	}
	return "", "", astrayBy(diag.OneOf("headers", l.Path[0], names), "%s names nothing: there is no header %q", l.Text, l.Path[0])
}
