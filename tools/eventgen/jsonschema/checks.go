package jsonschema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// textFormats are the formats of texts that are checked, as the runtime calls them.
var textFormats = map[string]string{"date-time": "DateTime", "date": "FullDate", "time": "FullTime", "duration": "ISODuration", "uuid": "UUIDText", "email": "Email",
	"hostname": "Hostname", "ipv4": "IPv4", "ipv6": "IPv6", "uri": "URI", "uri-reference": "URIReference", "byte": "Base64", "regex": "Regex"}

// checkFunc is an expression for the check of a schema.
func (g *generator) checkFunc(s *schema) string {
	s = s.final()
	switch {
	case s.isTrue():
		return "(*jsonvalue.Check).Any"
	case s.isFalse():
		return "(*jsonvalue.Check).Never"
	case s.goName != "":
		return g.named(s)
	}
	return checkLiteral(g.terms(s, "", "v"))
}

func checkLiteral(terms []string) string {
	return "func(c *jsonvalue.Check, v jsonvalue.Value) bool {\nreturn " + conjunction(terms) + "\n}"
}

func conjunction(terms []string) string {
	if len(terms) == 0 {
		return "true"
	}
	return strings.Join(terms, " &&\n")
}

// named is the function that checks a schema with a name; it will be printed.
func (g *generator) named(s *schema) string {
	if d := g.decls[s.goName]; d != nil && d.plain && only(d.parts) == s {
		return g.needs(d)
	}
	name := "check" + s.goName
	if !g.needed[name] {
		g.needed[name] = true
		g.loose = append(g.loose, s)
	}
	return name
}

// checkValue is an expression for whether v is as a schema wants it.
func (g *generator) checkValue(s *schema, v string) string {
	s = s.final()
	if s.isTrue() {
		return "true"
	}
	if s.goName != "" && !s.isFalse() {
		return g.named(s) + "(c, " + v + ")"
	}
	return conjunction(g.terms(s, "", v))
}

// checkParts is an expression for the check of several parts together.
func (g *generator) checkParts(parts []part) string {
	if len(parts) == 1 && parts[0].skip == "" && parts[0].schema != nil {
		return g.checkFunc(parts[0].schema)
	}
	return checkLiteral(g.partTerms(parts))
}

func (g *generator) partTerms(parts []part) []string {
	skipped := map[*schema]bool{}
	for _, p := range parts {
		if p.skip != "" {
			skipped[p.schema] = true
		}
	}
	var terms []string
	for _, p := range parts {
		switch {
		case p.schema == nil:
			terms = append(terms, "c.Type(v, "+kindExpr(p.kinds)+")")
		case p.skip != "":
			skip := ""
			for _, q := range parts {
				if q.schema == p.schema {
					skip += q.skip
				}
			}
			terms = append(terms, g.terms(p.schema, skip, "v")...)
		case skipped[p.schema]:
		case p.schema.goName != "":
			terms = append(terms, g.named(p.schema)+"(c, v)")
		default:
			terms = append(terms, g.terms(p.schema, "", "v")...)
		}
	}
	return terms
}

func kindExpr(k jsonvalue.Kind) string {
	if k&jsonvalue.Number != 0 {
		k &^= jsonvalue.Integer
	}
	var out []string
	for i, name := range []string{"Null", "Boolean", "Number", "String", "Array", "Object", "Integer"} {
		if k&(1<<i) != 0 {
			out = append(out, "jsonvalue."+name)
		}
	}
	return strings.Join(out, "|")
}

// terms are the conditions of a schema on a variable, the cheap and telling ones first.
func (g *generator) terms(s *schema, skip, v string) []string {
	if s.isFalse() {
		return []string{"c.Never(" + v + ")"}
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.types != 0 {
		add("c.Type(%s, %s)", v, kindExpr(s.types))
	} else if s.implied != 0 {
		add("c.Type(%s, %s)", v, kindExpr(s.implied))
	}
	if s.constant != nil {
		add("c.Const(%s, %s)", v, g.literal(s.constant))
	}
	if s.isEnum {
		add("c.Enum(%s, %s)", v, g.literal(&source.Node{Kind: source.Seq, Items: s.enum}))
	}
	if len(s.required) > 0 {
		var names []string
		for _, n := range s.required {
			names = append(names, strconv.Quote(n.Value))
		}
		add("c.Required(%s, %s)", v, strings.Join(names, ", "))
	}
	out = append(out, g.limits(s, v)...)
	if t := g.members(s); t != "" {
		add("c.Members(%s, %s)", v, t)
	}
	if s.propertyNames != nil {
		add("c.Names(%s, %s)", v, g.checkFunc(s.propertyNames))
	}
	for _, d := range s.dependencies {
		add("c.Dependent(%s, %q, %s)", v, d.name, g.dependency(d))
	}
	out = append(out, g.itemTerms(s, v)...)
	return append(out, g.combined(s, skip, v)...)
}

// limits are the conditions that hold a number, a pattern or a format.
func (g *generator) limits(s *schema, v string) []string {
	var out []string
	for _, n := range []struct {
		method string
		node   *source.Node
	}{{"Minimum", s.min}, {"Maximum", s.max}, {"Above", s.above}, {"Below", s.below}, {"MultipleOf", s.multipleOf}} {
		if n.node != nil {
			out = append(out, fmt.Sprintf("c.%s(%s, %q)", n.method, v, n.node.Value))
		}
	}
	for _, n := range []struct {
		method string
		node   *source.Node
	}{{"MinLength", s.minLength}, {"MaxLength", s.maxLength}, {"MinItems", s.minItems}, {"MaxItems", s.maxItems}, {"MinProperties", s.minProperties}, {"MaxProperties", s.maxProperties}} {
		if n.node != nil {
			out = append(out, fmt.Sprintf("c.%s(%s, %s)", n.method, v, n.node.Value))
		}
	}
	if s.pattern != nil {
		out = append(out, fmt.Sprintf("c.Pattern(%s, %s)", v, g.pattern(s.pattern.Value)))
	}
	if f := textFormats[s.format]; f != "" {
		out = append(out, fmt.Sprintf("c.Format(%s, jsonvalue.%s)", v, f))
	}
	if s.base64 {
		out = append(out, fmt.Sprintf("c.Format(%s, jsonvalue.Base64)", v))
	}
	if s.unique {
		out = append(out, "c.Unique("+v+")")
	}
	return out
}

func (g *generator) dependency(d dependency) string {
	if d.schema != nil {
		return g.checkFunc(d.schema)
	}
	if len(d.names) == 0 {
		return "(*jsonvalue.Check).Any"
	}
	var names []string
	for _, n := range d.names {
		names = append(names, strconv.Quote(n.Value))
	}
	return checkLiteral([]string{"c.Required(v, " + strings.Join(names, ", ") + ")"})
}

// members is the function that checks one member of an object; empty when there is nothing to
// check.
func (g *generator) members(s *schema) string {
	rest := "true"
	switch {
	case s.additional.isFalse():
		rest = "c.Unknown(m)"
	case !s.additional.isTrue():
		rest = g.checkValue(s.additional, "m")
	}
	var cases strings.Builder
	free := []string{} // of properties of which nothing is said
	for _, p := range s.props {
		if p.isTrue() {
			free = append(free, strconv.Quote(p.name))
			continue
		}
		fmt.Fprintf(&cases, "case %q:\nreturn %s\n", p.name, g.checkValue(p.schema, "m"))
	}
	if len(free) > 0 && (rest != "true" || len(s.patterns) > 0) {
		fmt.Fprintf(&cases, "case %s:\nreturn true\n", strings.Join(free, ", "))
	}
	if cases.Len() == 0 && len(s.patterns) == 0 && rest == "true" {
		return ""
	}
	const head = "func(c *jsonvalue.Check, name []byte, m jsonvalue.Value) bool {\n"
	if len(s.patterns) == 0 {
		if cases.Len() == 0 {
			return "func(c *jsonvalue.Check, _ []byte, m jsonvalue.Value) bool {\nreturn " + rest + "\n}"
		}
		return head + "switch string(name) {\n" + cases.String() + "}\nreturn " + rest + "\n}"
	}
	return head + g.patternMembers(s, cases.String(), rest) + "}"
}

// patternMembers checks a member against its own schema and against that of each pattern that its
// name matches.
func (g *generator) patternMembers(s *schema, cases, rest string) string {
	var b strings.Builder
	b.WriteString("known := false\n")
	if cases != "" {
		b.WriteString("switch string(name) {\n")
		for _, p := range s.props {
			fmt.Fprintf(&b, "case %q:\nif !(%s) {\nreturn false\n}\nknown = true\n", p.name, g.checkValue(p.schema, "m"))
		}
		b.WriteString("}\n")
	}
	for _, p := range s.patterns {
		fmt.Fprintf(&b, "if %s.Match(name) {\nif !(%s) {\nreturn false\n}\nknown = true\n}\n", g.pattern(p.pattern.Value), g.checkValue(p.schema, "m"))
	}
	if rest == "true" {
		return strings.ReplaceAll(strings.ReplaceAll(b.String(), "known := false\n", ""), "known = true\n", "") + "return true\n"
	}
	return b.String() + "return known || " + rest + "\n"
}

func (g *generator) itemTerms(s *schema, v string) []string {
	var out []string
	if s.items != nil && !s.items.isTrue() {
		out = append(out, fmt.Sprintf("c.Items(%s, 0, %s)", v, g.checkFunc(s.items)))
	}
	for i, t := range s.tuple {
		if !t.isTrue() {
			out = append(out, fmt.Sprintf("c.Item(%s, %d, %s)", v, i, g.checkFunc(t)))
		}
	}
	if s.isTuple && !s.additionalItems.isTrue() {
		out = append(out, fmt.Sprintf("c.Items(%s, %d, %s)", v, len(s.tuple), g.checkFunc(s.additionalItems)))
	}
	if s.contains != nil {
		out = append(out, fmt.Sprintf("c.Contains(%s, %s)", v, g.checkFunc(s.contains)))
	}
	return out
}

func (g *generator) combined(s *schema, skip, v string) []string {
	var out []string
	for _, a := range s.allOf {
		if t := g.checkValue(a, v); t != "true" {
			out = append(out, t)
		}
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		group := s.group(name)
		if len(group) == 0 || strings.Contains(skip, name) {
			continue
		}
		if tags := s.tags(name); tags != nil {
			out = append(out, g.byTag(s, tags, group, v))
			continue
		}
		var funcs []string
		for _, a := range group {
			funcs = append(funcs, g.checkFunc(a))
		}
		out = append(out, fmt.Sprintf("c.%s(%s,\n%s,\n)", strings.ToUpper(name[:1])+name[1:], v, strings.Join(funcs, ",\n")))
	}
	if s.not != nil {
		out = append(out, fmt.Sprintf("c.Not(%s, %s)", v, g.checkFunc(s.not)))
	}
	if s.cond != nil && (s.then != nil || s.otherwise != nil) {
		out = append(out, fmt.Sprintf("c.If(%s,\n%s,\n%s,\n%s,\n)", v, g.checkFunc(s.cond), g.checkFuncOr(s.then), g.checkFuncOr(s.otherwise)))
	}
	return out
}

func (g *generator) byTag(s *schema, tags []string, group []*schema, v string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "c.ByTag(%s, %q,\n", v, s.discriminator)
	for i, a := range group {
		fmt.Fprintf(&b, "jsonvalue.Tagged{Tag: %q, Func: %s},\n", tags[i], g.checkFunc(a))
	}
	return b.String() + ")"
}

func (g *generator) checkFuncOr(s *schema) string {
	if s == nil {
		return "(*jsonvalue.Check).Any"
	}
	return g.checkFunc(s)
}
