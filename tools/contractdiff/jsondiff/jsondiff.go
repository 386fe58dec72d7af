// Package jsondiff compares versions of a JSON Schema: which values of one version the other one
// refuses, and which mean something else.
//
// Packages asyncdiff and gate import it.
package jsondiff

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Role is what the application of a document does with the values.
type Role int

// The roles. What is sent is read by consumers of the former contract, what is received was written
// by producers of it.
const (
	Sent Role = 1 << iota
	Received
)

// The kinds of differences.
const (
	Type        = "JSON_TYPE_NARROWED"
	Required    = "JSON_PROPERTY_REQUIRED"
	Closed      = "JSON_PROPERTY_NOT_ALLOWED"
	Enum        = "JSON_ENUM_NARROWED"
	Limit       = "JSON_LIMIT_NARROWED"
	Pattern     = "JSON_PATTERN_CHANGED"
	Alternative = "JSON_ALTERNATIVE_MISSING"
	Nothing     = "JSON_NOTHING_ALLOWED"
	Keyword     = "JSON_KEYWORD_CHANGED"
	Format      = "JSON_FORMAT_CHANGED"
	Default     = "JSON_DEFAULT_CHANGED"
	UnitInName  = "UNIT_IN_NAME_CHANGED"
	UUIDDropped = "UUID_DROPPED"
	DateTime    = "DATE_TIMESTAMP_CHANGED"
)

// NewRefuses is the beginning of the messages about values that only the former schema allows.
const NewRefuses = "the new schema does not accept what the former one allows: "

// Schema is a schema with the files that its references lead to.
type Schema struct {
	Node  *source.Node
	Deref func(*source.Node) *source.Node
}

func (s Schema) at(n *source.Node) Schema {
	if n != nil {
		n = s.Deref(n)
	}
	return Schema{n, s.Deref}
}

// with returns a part that is not followed if it is a reference.
func (s Schema) with(n *source.Node) Schema { return Schema{n, s.Deref} }

// Compare returns the differences of two versions of the values that an application sends or
// receives.
func Compare(former, next Schema, role Role) []finding.Difference {
	if Same(former, next) {
		return nil
	}
	forward := &checker{reader: finding.Old, order: finding.ConsumersFirst, level: levelOf(role&Sent != 0)}
	forward.accepts(former.at(former.Node), next.at(next.Node))
	backward := &checker{reader: finding.New, order: finding.ProducersFirst, level: levelOf(role&Received != 0)}
	backward.accepts(next.at(next.Node), former.at(former.Node))
	m := &meaning{}
	m.compare(former.at(former.Node), next.at(next.Node))
	return slices.Concat(forward.out, backward.out, m.out)
}

func levelOf(matters bool) finding.Level {
	if matters {
		return finding.Breaking
	}
	return finding.Warning
}

// checker finds the values of a writer that a reader does not accept.
type checker struct {
	reader finding.Side
	order  finding.Order
	level  finding.Level
	seen   map[[2]*source.Node]bool
	path   []string
	out    []finding.Difference
}

func (c *checker) add(level finding.Level, id string, r Schema, w Schema, format string, args ...any) {
	at := r.Node
	if at == nil {
		at = w.Node
	}
	where := strings.Join(c.path, ".")
	if where != "" {
		where += ": "
	}
	who := [...]string{NewRefuses, "the former schema does not accept what the new one allows: "}[c.reader]
	side := c.reader
	pos := diag.Pos{}
	if at != nil {
		pos = at.Pos
	}
	if r.Node == nil {
		side = 1 - side
	}
	c.out = append(c.out, finding.Difference{Level: min(level, c.level), ID: id, Side: side, Pos: pos, Order: c.order, Message: who + where + fmt.Sprintf(format, args...), Hint: hints[id][c.reader]})
}

// hints are the compatible ways to make a change, by the side that does not accept.
var hints = map[string][2]string{
	Required:    {"leave the property optional, or release producers that write it first and make it required later", "keep writing the property until every consumer works without it"},
	Type:        {"keep accepting the former type, or add a property of another name", "add a property of another name for the new type"},
	Enum:        {"keep accepting the value until no producer writes it", "release consumers that know the value before it is written"},
	Limit:       {"narrow a limit only when no producer writes such values", "release consumers with the wider limit first"},
	Closed:      {"keep the property, or allow additional properties", "allow additional properties in a release before the one that adds the property"},
	Alternative: {"keep the alternative", "release consumers that know the alternative before it is written"},
}

func (c *checker) within(step string, f func()) {
	c.path = append(c.path, step)
	f()
	c.path = c.path[:len(c.path)-1]
}

// accepts adds the values of w that r does not accept.
func (c *checker) accepts(r, w Schema) {
	if r.Node == nil || w.Node == nil || r.Node == w.Node {
		return
	}
	pair := [2]*source.Node{r.Node, w.Node}
	if c.seen[pair] {
		return
	}
	if c.seen == nil {
		c.seen = map[[2]*source.Node]bool{}
	}
	c.seen[pair] = true
	switch {
	case r.isBool("true") || w.isBool("false"):
		return
	case r.isBool("false"):
		c.add(finding.Breaking, Nothing, r, w, "no value is allowed")
		return
	}
	rv, wv := r.view(), w.view()
	c.alternatives(rv, wv, r, w)
	c.types(rv, wv, r, w)
	c.values(rv, wv, r, w)
	c.limits(rv, wv, r, w)
	c.object(rv, wv, r, w)
	c.items(rv, wv, r, w)
	c.others(rv, wv, r, w)
}

// types compares the types that are allowed.
func (c *checker) types(rv, wv view, r, w Schema) {
	reads, writes := rv.types(), wv.types()
	if reads == nil {
		return
	}
	if writes == nil {
		if !wv.hasAlternatives() {
			c.add(finding.Breaking, Type, r, w, "only %s is accepted", strings.Join(reads, " or "))
		}
		return
	}
	for _, t := range writes {
		if !slices.Contains(reads, t) && !(t == "integer" && slices.Contains(reads, "number")) {
			c.add(finding.Breaking, Type, r, w, "%s is not accepted, only %s", t, strings.Join(reads, " or "))
		}
	}
}

func (c *checker) values(rv, wv view, r, w Schema) {
	reads := rv.values()
	if reads == nil {
		return
	}
	writes := wv.values()
	if writes == nil {
		c.add(finding.Breaking, Enum, r, w, "only %s are accepted", texts(reads))
		return
	}
	var unknown []*source.Node
	for _, v := range writes {
		if !slices.ContainsFunc(reads, func(r *source.Node) bool { return source.Equal(r, v) }) {
			unknown = append(unknown, v)
		}
	}
	if len(unknown) > 0 {
		c.add(finding.Breaking, Enum, r, w, "%s is not accepted", texts(unknown))
	}
}

func texts(list []*source.Node) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = string(n.JSON())
	}
	return strings.Join(out, ", ")
}

// lower and upper are the keywords with a number below or above which nothing is accepted.
var (
	lower = []string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
	upper = []string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
)

func (c *checker) limits(rv, wv view, r, w Schema) {
	compare := func(keys []string, tighter int) {
		for _, key := range keys {
			a, b := rat(rv.words[key]), rat(wv.words[key])
			if excessive(rv.words[key]) || excessive(wv.words[key]) {
				if !source.Equal(rv.words[key], wv.words[key]) {
					c.add(finding.Warning, Keyword, r, w, "%s changed, and is no number that can be compared", key)
				}
				continue
			}
			if a != nil && (b == nil && !(tighter > 0 && a.Sign() == 0 && strings.HasPrefix(key, "min") && key != "minimum") || b != nil && a.Cmp(b) == tighter) {
				c.add(finding.Breaking, Limit, r, w, "%s is %s", key, rv.words[key].JSON())
			}
		}
	}
	if wv.values() == nil {
		compare(lower, 1)
		compare(upper, -1)
	}
	for _, key := range []string{"multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"} {
		if strings.HasPrefix(key, "exclusive") && !rv.words[key].Is(source.Bool) {
			continue // a number is compared above
		}
		if a := rv.words[key]; a != nil && a.Value != "false" && !source.Equal(a, wv.words[key]) {
			c.add(finding.Breaking, Limit, r, w, "%s is %s", key, a.JSON())
		}
	}
	if a := rv.words["pattern"]; a != nil && !source.Equal(a, wv.words["pattern"]) && wv.values() == nil {
		c.add(finding.Breaking, Pattern, r, w, "the pattern is %s", a.JSON())
	}
}

func rat(n *source.Node) *big.Rat {
	if !n.Is(source.Int) && !n.Is(source.Float) {
		return nil
	}
	out, ok := new(big.Rat).SetString(n.Value)
	if !ok {
		return nil
	}
	return out
}

// excessive reports whether a limit is no number, or has an exponent that rat does not read.
func excessive(n *source.Node) bool {
	return n != nil && !n.Is(source.Bool) && rat(n) == nil
}

func (c *checker) object(rv, wv view, r, w Schema) {
	present := map[string]bool{}
	for _, name := range wv.required {
		present[name] = true
	}
	for _, name := range rv.required {
		if !present[name] {
			c.within(name, func() {
				c.add(finding.Breaking, Required, rv.propertyOr(name, r), w, "it is required, and may be absent")
			})
		}
	}
	met := map[string]bool{}
	for _, p := range wv.properties {
		if met[p.name] {
			continue
		}
		met[p.name] = true
		mine := rv.all(p.name)
		c.within(p.name, func() {
			switch {
			case len(mine) > 0:
				c.each(mine, wv.all(p.name))
			case rv.more.isBool("false") && rv.words["patternProperties"] == nil:
				c.add(finding.Warning, Closed, r, p.schema, "there is no such property, and no additional ones are allowed")
			case rv.more.Node != nil:
				c.accepts(rv.more, p.schema)
			}
		})
	}
	switch {
	case rv.more.Node == nil || rv.more.isBool("true") || wv.more.isBool("false"):
	case wv.more.Node == nil || wv.more.isBool("true"):
		c.add(finding.Warning, Closed, r, w, "additional properties are not allowed, or only some of them")
	default:
		c.within("*", func() { c.accepts(rv.more, wv.more) })
	}
}

// each compares the schemas of a property that several parts of an allOf have, in their order.
func (c *checker) each(reads, writes []Schema) {
	if len(reads) != len(writes) {
		c.add(finding.Warning, Keyword, reads[0], writes[0], "it is in another number of parts of an allOf, which is not compared in detail")
	}
	for i := range min(len(reads), len(writes)) {
		c.accepts(reads[i], writes[i])
	}
}

func (c *checker) items(rv, wv view, r, w Schema) {
	a, b := rv.words["items"], wv.words["items"]
	switch {
	case a == nil || a.Is(source.Seq) != b.Is(source.Seq) && b != nil:
		if a != nil {
			c.add(finding.Warning, Keyword, r, w, "items changed between one schema and a list")
		}
	case b == nil:
		if slices.Contains(wv.types(), "array") {
			c.add(finding.Breaking, Type, r, w, "the items of the array have a type")
		}
	case a.Is(source.Seq):
		for i := range min(len(a.Items), len(b.Items)) {
			c.within(fmt.Sprintf("[%d]", i), func() { c.accepts(r.at(a.Items[i]), w.at(b.Items[i])) })
		}
		if len(a.Items) != len(b.Items) {
			c.add(finding.Warning, Keyword, r, w, "the list of items has another length")
		}
	default:
		c.within("[]", func() { c.accepts(r.at(a), w.at(b)) })
	}
}

// others reports keywords that are not compared in detail, if they changed.
func (c *checker) others(rv, wv view, r, w Schema) {
	for key, list := range rv.again {
		one := func(x, y *source.Node) bool { return sameWord(key, r.with(x), w.with(y)) }
		if !slices.EqualFunc(list, wv.again[key], one) {
			c.add(finding.Warning, Keyword, r, w, "%s, of several parts of an allOf, changed, which is not compared in detail", key)
		}
	}
	for key := range wv.again {
		if a := rv.words[key]; rv.again[key] == nil && a != nil && slices.Contains(compared, key) && !slices.ContainsFunc(wv.again[key], func(b *source.Node) bool { return source.Equal(a, b) }) {
			c.add(finding.Warning, Keyword, r, w, "%s, of several parts of an allOf, changed, which is not compared in detail", key)
		}
	}
	for key, a := range rv.words {
		if slices.Contains(compared, key) || Annotation(key) || rv.again[key] != nil {
			continue
		}
		if b := wv.words[key]; b == nil || !sameWord(key, r.with(a), w.with(b)) {
			c.add(finding.Warning, Keyword, r, w, "%s changed, which is not compared in detail", key)
		}
	}
}
