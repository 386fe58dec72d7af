package codec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// checkFunc returns the expression of the function that checks a schema.
func (g *generator) checkFunc(s *schema.Schema) string {
	s = s.Final()
	switch {
	case s.IsTrue():
		return "(*jsonvalue.Check).Any"
	case s.IsFalse():
		return "(*jsonvalue.Check).Never"
	case s.GoName != "":
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

// named returns the name of the function that checks a schema with a name, which will be printed.
func (g *generator) named(s *schema.Schema) string {
	if d := g.decls[s.GoName]; d != nil && d.Plain && shape.OnlySchema(d.Parts) == s {
		return g.needs(d)
	}
	name := "check" + s.GoName
	if !g.needed[name] {
		g.needed[name] = true
		g.loose = append(g.loose, s)
	}
	return name
}

// checkValue returns the expression that v conforms to a schema.
func (g *generator) checkValue(s *schema.Schema, v string) string {
	s = s.Final()
	if s.IsTrue() {
		return "true"
	}
	if s.GoName != "" && !s.IsFalse() {
		return g.named(s) + "(c, " + v + ")"
	}
	return conjunction(g.terms(s, "", v))
}

// checkParts returns the expression of a function that checks several parts.
func (g *generator) checkParts(parts []shape.Part) string {
	if len(parts) == 1 && parts[0].Skip == "" && parts[0].Schema != nil {
		return g.checkFunc(parts[0].Schema)
	}
	return checkLiteral(g.partTerms(parts))
}

func (g *generator) partTerms(parts []shape.Part) []string {
	skipped := map[*schema.Schema]bool{}
	for _, p := range parts {
		if p.Skip != "" {
			skipped[p.Schema] = true
		}
	}
	var terms []string
	for _, p := range parts {
		switch {
		case p.Schema == nil:
			terms = append(terms, "c.Type(v, "+kindExpr(p.Kinds)+")")
		case p.Skip != "":
			skip := ""
			for _, q := range parts {
				if q.Schema == p.Schema {
					skip += q.Skip
				}
			}
			terms = append(terms, g.terms(p.Schema, skip, "v")...)
		case skipped[p.Schema]:
		case p.Schema.GoName != "":
			terms = append(terms, g.named(p.Schema)+"(c, v)")
		default:
			terms = append(terms, g.terms(p.Schema, "", "v")...)
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

// terms returns the conditions of a schema on a variable, the cheap and most selective ones first.
func (g *generator) terms(s *schema.Schema, skip, v string) []string {
	if s.IsFalse() {
		return []string{"c.Never(" + v + ")"}
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if listsKinds(s) { // const or enum refuses the other kinds too
	} else if s.Types != 0 {
		add("c.Type(%s, %s)", v, kindExpr(s.Types))
	} else if s.Implied != 0 {
		add("c.Type(%s, %s)", v, kindExpr(s.Implied))
	}
	if s.Constant != nil {
		add("c.Const(%s, %s)", v, g.literal(s.Constant))
	}
	if s.IsEnum {
		add("c.Enum(%s, %s)", v, g.literal(&source.Node{Kind: source.Seq, Items: s.Enum}))
	}
	if len(s.Required) > 0 {
		var names []string
		for _, n := range s.Required {
			names = append(names, strconv.Quote(n.Value))
		}
		add("c.Required(%s, %s)", v, strings.Join(names, ", "))
	}
	out = append(out, g.limits(s, v)...)
	if t := g.members(s); t != "" {
		add("c.Members(%s, %s)", v, t)
	}
	if s.PropertyNames != nil {
		add("c.Names(%s, %s)", v, g.checkFunc(s.PropertyNames))
	}
	for _, d := range s.Dependencies {
		add("c.Dependent(%s, %q, %s)", v, d.Name, g.dependency(d))
	}
	out = append(out, g.itemTerms(s, v)...)
	return append(out, g.combined(s, skip, v)...)
}

// listsKinds reports whether a schema lists values, all of them of its types.
func listsKinds(s *schema.Schema) bool {
	list := s.Enum
	if s.Constant != nil {
		list = []*source.Node{s.Constant}
	}
	return len(list) > 0 && s.Types != 0 && !slices.ContainsFunc(list, func(v *source.Node) bool { return s.Types&schema.KindOf(v) == 0 })
}

// limits returns the conditions of numbers, patterns and formats.
func (g *generator) limits(s *schema.Schema, v string) []string {
	var out []string
	for _, n := range []struct {
		method string
		node   *source.Node
	}{{"Minimum", s.Min}, {"Maximum", s.Max}, {"Above", s.Above}, {"Below", s.Below}, {"MultipleOf", s.MultipleOf}} {
		if n.node != nil {
			out = append(out, fmt.Sprintf("c.%s(%s, %q)", n.method, v, n.node.Value))
		}
	}
	for _, n := range []struct {
		method string
		node   *source.Node
	}{{"MinLength", s.MinLength}, {"MaxLength", s.MaxLength}, {"MinItems", s.MinItems}, {"MaxItems", s.MaxItems}, {"MinProperties", s.MinProperties}, {"MaxProperties", s.MaxProperties}} {
		if n.node != nil {
			out = append(out, fmt.Sprintf("c.%s(%s, %s)", n.method, v, n.node.Value))
		}
	}
	if s.Pattern != nil {
		out = append(out, fmt.Sprintf("c.Pattern(%s, %s)", v, g.pattern(s.Pattern.Value)))
	}
	if f := schema.TextFormats[s.Format]; f != "" {
		out = append(out, fmt.Sprintf("c.Format(%s, jsonvalue.%s)", v, f))
	}
	if s.Base64 {
		out = append(out, fmt.Sprintf("c.Format(%s, jsonvalue.Base64)", v))
	}
	if s.Unique {
		out = append(out, "c.Unique("+v+")")
	}
	return out
}

func (g *generator) dependency(d schema.Dependency) string {
	if d.Schema != nil {
		return g.checkFunc(d.Schema)
	}
	if len(d.Names) == 0 {
		return "(*jsonvalue.Check).Any"
	}
	var names []string
	for _, n := range d.Names {
		names = append(names, strconv.Quote(n.Value))
	}
	return checkLiteral([]string{"c.Required(v, " + strings.Join(names, ", ") + ")"})
}

// members returns the function that checks one member of an object, or "" if there is nothing to
// check.
func (g *generator) members(s *schema.Schema) string {
	rest := "true"
	switch {
	case s.Additional.IsFalse():
		rest = "c.Unknown(m)"
	case !s.Additional.IsTrue():
		rest = g.checkValue(s.Additional, "m")
	}
	var cases strings.Builder
	free := []string{} // properties that may have any value
	conditions, names := []string{}, map[string][]string{}
	for _, p := range s.Properties {
		if p.IsTrue() {
			free = append(free, strconv.Quote(p.Name))
			continue
		}
		condition := g.checkValue(p.Schema, "m")
		if names[condition] == nil {
			conditions = append(conditions, condition)
		}
		names[condition] = append(names[condition], strconv.Quote(p.Name))
	}
	for _, condition := range conditions {
		fmt.Fprintf(&cases, "case %s:\nreturn %s\n", strings.Join(names[condition], ", "), condition)
	}
	if len(free) > 0 && (rest != "true" || len(s.Patterns) > 0) {
		fmt.Fprintf(&cases, "case %s:\nreturn true\n", strings.Join(free, ", "))
	}
	if cases.Len() == 0 && len(s.Patterns) == 0 && rest == "true" {
		return ""
	}
	const head = "func(c *jsonvalue.Check, name []byte, m jsonvalue.Value) bool {\n"
	if len(s.Patterns) == 0 {
		if cases.Len() == 0 {
			return "func(c *jsonvalue.Check, _ []byte, m jsonvalue.Value) bool {\nreturn " + rest + "\n}"
		}
		return head + "switch string(name) {\n" + cases.String() + "}\nreturn " + rest + "\n}"
	}
	return head + g.patternMembers(s, cases.String(), rest) + "}"
}

// patternMembers returns the body of a function that checks a member against its own schema and
// against that of each pattern that its name matches.
func (g *generator) patternMembers(s *schema.Schema, cases, rest string) string {
	var b strings.Builder
	b.WriteString("known := false\n")
	if cases != "" {
		b.WriteString("switch string(name) {\n")
		for _, p := range s.Properties {
			fmt.Fprintf(&b, "case %q:\nif !(%s) {\nreturn false\n}\nknown = true\n", p.Name, g.checkValue(p.Schema, "m"))
		}
		b.WriteString("}\n")
	}
	for _, p := range s.Patterns {
		fmt.Fprintf(&b, "if %s.Match(name) {\nif !(%s) {\nreturn false\n}\nknown = true\n}\n", g.pattern(p.Pattern.Value), g.checkValue(p.Schema, "m"))
	}
	if rest == "true" {
		return strings.ReplaceAll(strings.ReplaceAll(b.String(), "known := false\n", ""), "known = true\n", "") + "return true\n"
	}
	return b.String() + "return known || " + rest + "\n"
}

func (g *generator) itemTerms(s *schema.Schema, v string) []string {
	var out []string
	if s.Items != nil && !s.Items.IsTrue() {
		out = append(out, fmt.Sprintf("c.Items(%s, 0, %s)", v, g.checkFunc(s.Items)))
	}
	for i, t := range s.Tuple {
		if !t.IsTrue() {
			out = append(out, fmt.Sprintf("c.Item(%s, %d, %s)", v, i, g.checkFunc(t)))
		}
	}
	if s.IsTuple && !s.AdditionalItems.IsTrue() {
		out = append(out, fmt.Sprintf("c.Items(%s, %d, %s)", v, len(s.Tuple), g.checkFunc(s.AdditionalItems)))
	}
	if s.Contains != nil {
		out = append(out, fmt.Sprintf("c.Contains(%s, %s)", v, g.checkFunc(s.Contains)))
	}
	return out
}

func (g *generator) combined(s *schema.Schema, skip, v string) []string {
	var out []string
	for _, a := range s.AllOf {
		if t := g.checkValue(a, v); t != "true" {
			out = append(out, t)
		}
	}
	for _, name := range []string{"anyOf", "oneOf"} {
		group := s.Group(name)
		if len(group) == 0 || strings.Contains(skip, name) {
			continue
		}
		if tags := s.Tags(name); tags != nil {
			out = append(out, g.byTag(s, tags, group, v))
			continue
		}
		var funcs []string
		for _, a := range group {
			funcs = append(funcs, g.checkFunc(a))
		}
		out = append(out, fmt.Sprintf("c.%s(%s,\n%s,\n)", strings.ToUpper(name[:1])+name[1:], v, strings.Join(funcs, ",\n")))
	}
	if s.Not != nil {
		out = append(out, fmt.Sprintf("c.Not(%s, %s)", v, g.checkFunc(s.Not)))
	}
	if s.If != nil && (s.Then != nil || s.Else != nil) {
		out = append(out, fmt.Sprintf("c.If(%s,\n%s,\n%s,\n%s,\n)", v, g.checkFunc(s.If), g.checkFuncOr(s.Then), g.checkFuncOr(s.Else)))
	}
	return out
}

func (g *generator) byTag(s *schema.Schema, tags [][]string, group []*schema.Schema, v string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "c.ByTag(%s, %q,\n", v, s.Discriminator)
	for i, a := range group {
		for _, tag := range tags[i] {
			fmt.Fprintf(&b, "jsonvalue.Tagged{Tag: %q, Func: %s},\n", tag, g.checkFunc(a))
		}
	}
	return b.String() + ")"
}

func (g *generator) checkFuncOr(s *schema.Schema) string {
	if s == nil {
		return "(*jsonvalue.Check).Any"
	}
	return g.checkFunc(s)
}
