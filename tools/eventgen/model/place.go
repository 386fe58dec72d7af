package model

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
)

// location returns the Go of a location in a message. It returns "" if there is none or after
// reporting a fault.
func (p *pkgBuilder) location(l *parse.Location, m *parse.ChannelMessage, r *payload.Root, goType, what string) string {
	switch {
	case l == nil:
		return ""
	case l.Header:
		if wrong := p.header(l, m); wrong != nil {
			if l.Added {
				wrong = payload.NewAstray("declare it in the schema of the headers, or write an address of the reply", "the headers of message %s do not allow %s, in which a request names the address of its reply", m.Name, l.Path[0])
			}
			p.wrong(l, what, wrong)
			return ""
		}
		quoted := make([]string, len(l.Path))
		for i, s := range l.Path {
			quoted[i] = quote(s)
		}
		return "bus.Location[" + goType + "]{Header: []string{" + strings.Join(quoted, ", ") + "}}"
	}
	w, wrong := r.Find(l)
	if wrong == nil && !w.Field.Readable() {
		wrong = payload.NewAstray("a location leads to text, an integer, a UUID, or a time that is text", "%s is of the Go type %s", l.Text, w.Field.GoType)
	}
	if wrong != nil {
		p.wrong(l, what, wrong)
		return ""
	}
	get, set := w.Expr, w.Expr+" = v"
	if w.Field.GoType != "string" {
		get, set = "bus.FieldText(&"+w.Expr+")", "bus.SetFieldText(&"+w.Expr+", v)"
	}
	read, write := "", ""
	if missing := w.Nils(" == ", " || "); missing != "" {
		read = "if " + missing + " {\nreturn \"\"\n}\n"
	}
	for _, pass := range w.Passes {
		if !pass.Simple {
			write += "if " + pass.Expr + " == nil {\nreturn\n}\n"
		}
		if pass.Flag != "" {
			write += pass.Flag + " = true\n"
		}
		write += "bus.Own(&" + pass.Expr + ")\n"
	}
	return "bus.Location[" + goType + "]{\nText: " + quote(l.Text) + ",\nOf: func(m *" + goType + ") string {\n" + read + "return " + get + "\n},\nSet: func(m *" + goType + ", v string) {\n" + write + set + "\n},\n}"
}

// wrong reports a fault of a location, once.
func (p *pkgBuilder) wrong(l *parse.Location, what string, a *payload.Astray) {
	d := diag.Diagnostic{Pos: l.Pos, Message: what + ": " + a.Message, Hint: a.Hint}
	if a.Unread {
		d.Severity = diag.Warning
	}
	if key := l.Pos.String() + what; !p.told[key] {
		p.told[key] = true
		p.diags.Add(d)
	}
}

// header returns why a location in the headers leads nowhere, or nil. There may be headers that are
// not declared, unless the schema refuses them.
func (p *pkgBuilder) header(l *parse.Location, m *parse.ChannelMessage) *payload.Astray {
	if m.Headers != nil {
		return flatHeader(l, m.Headers)
	}
	r := p.heads[m.HeaderRef]
	if r == nil {
		return nil
	}
	fields, closed := r.Fields(), r.JSON.Closed()
	var f payload.Field
	for i, name := range l.Path {
		at := payload.Index(fields, name)
		switch {
		case i > 0 && f.Inside == nil && f.Kind != "map" && f.Kind != "any" && f.Kind != "union":
			return payload.NewAstray("a location leads through objects only", "%s leads through %q, which is of the kind %s", l.Text, f.Name, f.Kind)
		case at < 0 && closed:
			return payload.NewAstray(diag.OneOf("names there", name, payload.Names(fields)), "%s leads nowhere: there is no %q", l.Text, name)
		case at < 0:
			return nil
		}
		f, fields, closed = fields[at], nil, fields[at].Closed
		if f.Inside != nil {
			fields = f.Inside()
		}
	}
	return nil
}

func flatHeader(l *parse.Location, o *parse.Object) *payload.Astray {
	at := slices.IndexFunc(o.Props, func(p parse.Prop) bool { return p.Name == l.Path[0] })
	switch {
	case at < 0 && o.Closed:
		var names []string
		for i := range o.Props {
			names = append(names, o.Props[i].Name)
		}
		return payload.NewAstray(diag.OneOf("headers", l.Path[0], names), "%s leads nowhere: there is no %q", l.Text, l.Path[0])
	case at >= 0 && len(l.Path) > 1:
		return payload.NewAstray("a location leads through objects only", "%s leads through %q, which is of the kind %s", l.Text, l.Path[0], o.Props[at].Type)
	}
	return nil
}

// located returns the parameters of an address whose values are in a message that an operation
// sends.
func (p *pkgBuilder) located(a *Address, m *parse.ChannelMessage, s *Spec) []Param {
	var out []Param
	for _, param := range a.Params {
		if param.located == nil {
			continue
		}
		var wrong *payload.Astray
		if param.Value, param.There, wrong = p.parameter(param.located, m, s); wrong == nil {
			out = append(out, param)
		}
	}
	return out
}

// strayParameters reports a parameter whose location is in no message of an operation, which is an
// error, or in some of them, which is a warning for the others.
func (p *pkgBuilder) strayParameters(a *Address, o *parse.Operation) {
	for _, param := range a.Params {
		l := param.located
		if l == nil {
			continue
		}
		var found bool
		var stray []*parse.ChannelMessage
		var first *payload.Astray
		for _, m := range o.Messages {
			s := p.specs[m]
			if s == nil {
				found = true // not known
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
				p.diags.Warnf(l.Pos, "the caller has to fill it in", "parameter %s: %s is not in message %s", param.Name, l.Text, m.Message.Name)
			}
		}
	}
}

// parameter returns the Go of the value of a parameter in a message, and of the condition that it
// is set.
func (p *pkgBuilder) parameter(l *parse.Location, m *parse.ChannelMessage, s *Spec) (value, there string, wrong *payload.Astray) {
	of, at := s.root, "m"
	if l.Header {
		if m.Headers != nil && len(l.Path) == 1 {
			return p.flatParameter(l, m, s)
		}
		if of, at = p.heads[m.HeaderRef], "h"; of == nil {
			return "", "", payload.NewAstray("declare it under headers of the message", "%s leads nowhere: there is no header %q", l.Text, l.Path[0])
		}
	}
	w, wrong := of.Find(l)
	if wrong != nil {
		return "", "", wrong
	}
	if l.Header {
		w.From(at)
	}
	value, there = w.Expr, w.Nils(" != ", " && ")
	switch f := w.Field; {
	case strings.HasPrefix(f.GoType, "jsonvalue.Optional["):
		value += ".Value"
		fallthrough
	case strings.HasPrefix(f.GoType, "*"):
		there = strings.TrimPrefix(there+" && "+value+" != nil", " && ")
		value = "*" + value
	}
	switch base := w.Field.Base(); {
	case base == "string":
	case w.Field.Kind == "enum":
		value = "string(" + value + ")"
	case base == "uuid.UUID", base == "avrobin.UUID":
		value = strings.TrimPrefix(value, "*") + ".String()"
	case w.Field.Text: // a time
		value = "bus.FieldText(&" + strings.TrimPrefix(value, "*") + ")"
	case w.Field.Readable():
		value = "bus.Decimal(" + value + ")"
	default:
		return "", "", payload.NewAstray("a location leads to text, an integer, a UUID, or a time that is text", "%s is of the Go type %s", l.Text, w.Field.GoType)
	}
	return value, there, nil
}

func (p *pkgBuilder) flatParameter(l *parse.Location, m *parse.ChannelMessage, s *Spec) (value, there string, wrong *payload.Astray) {
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
			return "", "", payload.NewAstray("a location leads to text or an integer", "%s is neither text nor an integer", l.Text)
		}
	}
	return "", "", payload.NewAstray(diag.OneOf("headers", l.Path[0], names), "%s leads nowhere: there is no header %q", l.Text, l.Path[0])
}
