package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// drawer generates random schemas as JSON trees. The results depend on the seed alone.
type drawer struct {
	*rand.Rand
	defined []string
	depth   int
}

type object = map[string]any

var primitives = []any{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// drawPair returns the texts of two schemas, of which the second one often is a later version of
// the first one. Both are valid.
func drawPair(seed uint64) (former, later string) {
	g := &drawer{Rand: rand.New(rand.NewPCG(seed, 11))}
	for {
		g.defined, g.depth = nil, 0
		a := g.schema()
		var b any
		if g.IntN(8) == 0 {
			g.defined, g.depth = nil, 0
			b = g.schema()
		} else if b = a; true {
			for range 1 + g.IntN(3) {
				b = g.change(b)
			}
		}
		former, later = text(a), text(b)
		if valid(former) && valid(later) {
			return former, later
		}
	}
}

func text(n any) string {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// valid reports whether Apache Avro parses a schema: no fault, and no type is defined twice.
func valid(text string) bool {
	n, err := schema.ParseNode(text)
	if err != nil {
		return false
	}
	var l schema.Loader
	l.Add(n)
	return len(l.Link()) == 0 && !usedBeforeDefined(n, map[string]bool{}, "")
}

// usedBeforeDefined reports whether a name stands before its definition, which this project allows
// and Apache Avro refuses.
func usedBeforeDefined(n *schema.Node, known map[string]bool, namespace string) bool {
	switch n.Kind {
	case schema.JSONString:
		return !slices.Contains(primitives, any(n.Value)) && !known[qualified(n.Value, namespace)]
	case schema.JSONArray:
		return slices.ContainsFunc(n.Items, func(it *schema.Node) bool { return usedBeforeDefined(it, known, namespace) })
	}
	if name := n.Get("name"); name != nil {
		if ns := n.Get("namespace"); ns != nil {
			namespace = ns.Value
		}
		known[qualified(name.Value, namespace)] = true
	}
	for _, key := range []string{"items", "values"} {
		if it := n.Get(key); it != nil && usedBeforeDefined(it, known, namespace) {
			return true
		}
	}
	if fields := n.Get("fields"); fields != nil {
		return slices.ContainsFunc(fields.Items, func(f *schema.Node) bool { return usedBeforeDefined(f.Get("type"), known, namespace) })
	}
	return false
}

func qualified(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func pick[T any](g *drawer, list []T) T { return list[g.IntN(len(list))] }

// schema draws a schema: at the root and below it a record more often than anything else.
func (g *drawer) schema() any {
	g.depth++
	defer func() { g.depth-- }()
	kind := g.IntN(12)
	if g.depth == 1 && g.IntN(4) > 0 {
		kind = 11
	}
	if g.depth > 4 {
		kind = g.IntN(4)
	}
	switch kind {
	case 4:
		return object{"type": "array", "items": g.schema()}
	case 5:
		return object{"type": "map", "values": g.schema()}
	case 6:
		return g.enum()
	case 7:
		return g.named(object{"type": "fixed", "size": 1 + g.IntN(3)})
	case 8:
		if len(g.defined) > 0 {
			return pick(g, g.defined)
		}
	case 9, 10:
		return g.union()
	case 11:
		r := g.named(object{"type": "record"})
		fields := []any{}
		for i := range g.IntN(4) {
			fields = append(fields, g.field(fmt.Sprintf("f%d", i)))
		}
		r["fields"] = fields
		return r
	}
	return pick(g, primitives)
}

func (g *drawer) enum() object {
	e := g.named(object{"type": "enum"})
	symbols := []any{"A", "B", "C", "D"}[:1+g.IntN(4)]
	e["symbols"] = symbols
	if g.IntN(3) == 0 {
		e["default"] = pick(g, symbols)
	}
	return e
}

// named sets the name of a definition to one from a small pool, so that those of readers and
// writers meet.
func (g *drawer) named(o object) object {
	name := pick(g, []string{"P", "Q", "R", "S", "T", "U", "V"})
	full := name
	if g.IntN(3) > 0 {
		o["namespace"] = pick(g, []string{"n", "m"})
		full = fmt.Sprint(o["namespace"], ".", name)
	}
	o["name"] = name
	if g.IntN(8) == 0 {
		o["aliases"] = []any{pick(g, []string{"Old", "n.Q", "m.R"})}
	}
	g.defined = append(g.defined, full)
	return o
}

func (g *drawer) union() any {
	var out []any
	for range 1 + g.IntN(4) {
		b := g.schema()
		if _, nested := b.([]any); !nested {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return "string"
	}
	return out
}

func (g *drawer) field(name string) object {
	f := object{"name": name, "type": g.schema()}
	if g.IntN(6) == 0 {
		f["aliases"] = []any{pick(g, []string{"f0", "f1", "g1", "g2"})}
	}
	if g.IntN(2) == 0 {
		withDefault(f)
	}
	return f
}

// withDefault adds a default if the type has an obvious one.
func withDefault(f object) {
	delete(f, "default")
	t := f["type"]
	if list, ok := t.([]any); ok {
		t = list[0]
	}
	switch o := t.(type) {
	case string:
		if v, ok := map[string]any{"null": nil, "boolean": true, "int": 1, "long": 2, "float": 1.5, "double": 2.5, "bytes": "b", "string": "s"}[o]; ok {
			f["default"] = v
		}
	case object:
		switch o["type"] {
		case "array":
			f["default"] = []any{}
		case "map":
			f["default"] = object{}
		case "enum":
			f["default"] = o["symbols"].([]any)[0]
		}
	}
}

// change returns a schema with one change at a random place.
func (g *drawer) change(n any) any {
	switch v := n.(type) {
	case string:
		switch g.IntN(4) {
		case 0:
			return []any{"null", v}
		case 1:
			wider := map[string]string{"int": "long", "long": "double", "float": "double", "string": "bytes", "bytes": "string"}
			if to := wider[v]; to != "" {
				return to
			}
		}
		return pick(g, primitives)
	case []any:
		return g.changeUnion(v)
	case object:
		return g.changeObject(maps.Clone(v))
	}
	return n
}

func (g *drawer) changeUnion(v []any) any {
	out := slices.Clone(v)
	i := g.IntN(len(out))
	switch g.IntN(5) {
	case 0:
		return out[i]
	case 1:
		return slices.Insert(out, i, pick(g, primitives))
	case 2:
		if len(out) > 1 {
			return slices.Delete(out, i, i+1)
		}
	case 3:
		g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	out[i] = g.change(out[i])
	return out
}

func (g *drawer) changeObject(v object) any {
	if name, ok := v["name"].(string); ok && g.IntN(8) == 0 {
		if g.IntN(2) == 0 {
			v["aliases"] = []any{name}
		}
		v["name"] = pick(g, []string{"P", "Q", "R", "New"})
		return v
	}
	switch v["type"] {
	case "array":
		v["items"] = g.change(v["items"])
	case "map":
		v["values"] = g.change(v["values"])
	case "fixed":
		v["size"] = 1 + g.IntN(3)
	case "enum":
		symbols := slices.Clone(v["symbols"].([]any))
		switch g.IntN(4) {
		case 0:
			symbols = append(symbols, "E")
		case 1:
			symbols = symbols[:max(1, len(symbols)-1)]
		case 2:
			v["default"] = symbols[0]
		default:
			delete(v, "default")
		}
		v["symbols"] = symbols
	case "record":
		v["fields"] = g.changeFields(slices.Clone(v["fields"].([]any)))
	}
	return v
}

func (g *drawer) changeFields(fields []any) []any {
	if len(fields) == 0 || g.IntN(5) == 0 {
		return append(fields, g.field(pick(g, []string{"g1", "g2"})))
	}
	i := g.IntN(len(fields))
	f := maps.Clone(fields[i].(object))
	fields[i] = f
	switch g.IntN(7) {
	case 0:
		return slices.Delete(fields, i, i+1)
	case 6: // one field takes the place of two
		j := g.IntN(len(fields))
		if i == j {
			return fields
		}
		f["aliases"] = []any{fields[j].(object)["name"]}
		return slices.Delete(fields, j, j+1)
	case 1:
		f["aliases"] = []any{f["name"]}
		f["name"] = "g1"
	case 2:
		delete(f, "default")
	default:
		f["type"] = g.change(f["type"])
		if _, ok := f["default"]; ok {
			withDefault(f)
		}
	}
	return fields
}
