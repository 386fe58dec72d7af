package schema

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Fault is a fault of a schema, with the position of a node.
type Fault struct {
	Pos     any
	Message string
	Hint    string
	Warning bool // it does not change the meaning of the schema
}

// Loader reads schemas that may use each other's names. Call Add for each of them, and then Link
// once.
type Loader struct {
	// Find returns the schema of the file that should define a full name that is not defined, or
	// nil. use is the position of its use. Find may be nil.
	Find func(fullname string, use any) *Node
	// Lenient skips the checks that matter only to the author. Logical types that do not fit are
	// ignored, as the specification requires of readers, and defaults and names are not checked.
	Lenient bool
	// Valid refuses names that are not valid and records that have no finite value, also if Lenient
	// is set. A reader can do without these checks; a tool that judges schemas cannot.
	Valid bool
	// Alone selects the hint for schemas that have to define every type they use.
	Alone bool
	// Nearest returns the name that was probably meant, for a hint. It may be nil.
	Nearest func(got string, names []string) (string, bool)

	named  map[string]*Type
	origin map[*Type]int  // number of roots when it was read
	copies []redefinition // to be compared with the definition
	roots  []**Type
	refs   []ref
	faults []Fault
	depth  int
}

type ref struct {
	at        **Type
	namespace string // of the use, for a name without dots
	node      *Node
}

// redefinition is a definition of a name that was defined already.
type redefinition struct {
	*Type
	sameFile bool
}

// Parse reads one self-contained schema leniently, for a reader of messages.
func Parse(text string) (*Type, error) {
	n, err := ParseNode(text)
	if err != nil {
		return nil, err
	}
	l := Loader{Lenient: true}
	root := l.Add(n)
	for _, f := range l.Link() {
		if !f.Warning {
			return nil, errors.New(f.Message)
		}
	}
	return *root, nil
}

// Add reads a schema. The result points to its type after Link.
func (l *Loader) Add(n *Node) **Type {
	root := new(*Type)
	l.roots = append(l.roots, root)
	l.read(root, n, "")
	return root
}

// Named returns the named types, sorted by full name.
func (l *Loader) Named() []*Type {
	out := make([]*Type, 0, len(l.named))
	for _, name := range slices.Sorted(maps.Keys(l.named)) {
		out = append(out, l.named[name])
	}
	return out
}

func (l *Loader) fault(n *Node, hint, format string, args ...any) {
	f := Fault{Message: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		f.Pos = n.Pos
	}
	l.faults = append(l.faults, f)
}

// lint reports a fault, unless the loader is lenient.
func (l *Loader) lint(n *Node, hint, format string, args ...any) {
	if !l.Lenient {
		l.fault(n, hint, format, args...)
	}
}

// invalid reports a fault that does not keep anybody from reading, unless the loader is lenient and
// Valid is not set.
func (l *Loader) invalid(n *Node, hint, format string, args ...any) {
	if !l.Lenient || l.Valid {
		l.fault(n, hint, format, args...)
	}
}

func (l *Loader) warn(n *Node, hint, format string, args ...any) {
	if !l.Lenient {
		l.fault(n, hint, format, args...)
		l.faults[len(l.faults)-1].Warning = true
	}
}

// failed takes the place of a type that could not be read, which was reported.
var failed = &Type{Kind: Null}

func (l *Loader) read(at **Type, n *Node, namespace string) {
	*at = failed
	l.depth++
	defer func() { l.depth-- }()
	switch {
	case l.depth > maxDepth:
		l.fault(n, "", "the schema nests deeper than %d levels", maxDepth)
	case n.Kind == JSONString:
		l.readName(at, n, namespace)
	case n.Kind == JSONArray:
		*at = l.union(n, namespace)
	case n.Kind == JSONObject:
		l.object(at, n, namespace)
	case n.Kind == JSONNull:
		l.warn(n, `write "null"`, "null where a name is expected; it is read as the type null")
		*at = &Type{Kind: Null, Node: n}
	default:
		l.fault(n, `a schema is a name ("string"), an object ({"type": ...}) or a list of branches`, "%s is not an Avro schema", n.Kind)
	}
}

// readName reads the name of a type. Link resolves names that are not primitive types.
func (l *Loader) readName(at **Type, n *Node, namespace string) {
	if k := slices.Index(kindNames[:String+1], n.Value); k >= 0 {
		*at = &Type{Kind: Kind(k), Node: n}
		return
	}
	l.refs = append(l.refs, ref{at, namespace, n})
}

func (l *Loader) union(n *Node, namespace string) *Type {
	t := &Type{Kind: Union, Node: n, Branches: make([]*Type, len(n.Items))}
	if len(n.Items) == 0 {
		l.lint(n, "name at least one branch", "a union without branches has no values")
	}
	for i, it := range n.Items {
		if it.Kind == JSONArray {
			l.fault(it, "move its branches to the outer union", "a union directly inside a union")
			t.Branches[i] = failed
			continue
		}
		l.read(&t.Branches[i], it, namespace)
	}
	return t
}

func (l *Loader) object(at **Type, n *Node, namespace string) {
	tn := n.Get("type")
	if tn == nil {
		l.fault(n, `add "type"`, "a schema object without a type")
		return
	}
	if tn.Kind != JSONString {
		l.read(at, tn, namespace)
		l.attributes(*at, n, tn)
		return
	}
	switch tn.Value {
	case "record", "error":
		l.record(at, n, namespace, tn.Value == "error")
	case "enum":
		l.enum(at, n, namespace)
	case "fixed":
		l.fixed(at, n, namespace)
	case "array", "map":
		t := &Type{Kind: Array, Node: n, Items: failed}
		item := "items"
		if tn.Value == "map" {
			t.Kind, item = Map, "values"
		}
		*at = t
		t.Extra = extra(n, "type", item, "default", "doc")
		l.noDefault(t, n)
		l.noLogical(t, n)
		if v := n.Get(item); v != nil {
			l.read(&t.Items, v, namespace)
		} else {
			l.fault(n, `add "`+item+`"`, "%s without %q", withArticle(t.Kind), item)
		}
	default:
		l.readName(at, tn, namespace)
		if *at != failed {
			(*at).Node = n
			l.attributes(*at, n, tn)
		} else if n.Get("logicalType") != nil {
			l.lint(n.Get("logicalType"), "write logicalType where the type is defined", "a logical type beside the name %q has no effect", tn.Value)
		}
	}
}

// attributes reads the attributes beside the type of a primitive.
func (l *Loader) attributes(t *Type, n, tn *Node) {
	if t == failed || t.Kind.Named() || t.Kind == Union {
		return
	}
	t.Extra = append(t.Extra, extra(n, "type", "logicalType", "precision", "scale", "name", "namespace", "doc", "default")...)
	l.noDefault(t, n)
	l.logical(t, n)
}

// noDefault warns about a default in a type that is not an enum.
func (l *Loader) noDefault(t *Type, n *Node) {
	if d := n.Get("default"); d != nil {
		l.warn(d, `move it to the field, beside "type"`, "a default inside %s has no effect", withArticle(t.Kind))
	}
}

// noLogical reports a logical type on a kind that has none. An unknown logical type stays an
// attribute.
func (l *Loader) noLogical(t *Type, n *Node) {
	ln := n.Get("logicalType")
	name, _ := ln.text()
	if kinds, known := bases[Logical(name)]; known {
		l.lint(ln, "use it on "+kindList(kinds), "logical type %s on %s", name, withArticle(t.Kind))
	} else if ln != nil {
		l.warn(ln, "the logical types are "+strings.Join(logicalNames(), ", "), "logical type %s is not known; the value is read as %s", ln.JSON(nil), withArticle(t.Kind))
	}
}

func extra(n *Node, known ...string) []Pair {
	var out []Pair
	for _, p := range n.Pairs {
		if !slices.Contains(known, p.Key) {
			out = append(out, p)
		}
	}
	return out
}

func withArticle(k Kind) string {
	if strings.ContainsRune("aeiou", rune(k.String()[0])) {
		return "an " + k.String()
	}
	return "a " + k.String()
}

// define reads name, namespace, aliases and doc, and declares the type. It returns false if the
// rest need not be read.
func (l *Loader) define(at **Type, t *Type, n *Node, namespace string) bool {
	name, ok := n.Get("name").text()
	if !ok {
		l.fault(n, `add "name"`, "%s without a name", withArticle(t.Kind))
		return false
	}
	if ns := n.Get("namespace"); ns != nil {
		if ns.Kind != JSONString {
			l.fault(ns, "", "a namespace is %s, not a string", ns.Kind)
			return false
		}
		namespace = ns.Value
		for part := range strings.SplitSeq(namespace, ".") {
			if namespace != "" && !strings.Contains(name, ".") {
				l.checkName(ns, "part of a namespace", part)
			}
		}
	}
	t.Name = qualify(name, namespace)
	for part := range strings.SplitSeq(strings.TrimPrefix(name, "."), ".") {
		l.checkName(n.Get("name"), "name", part)
	}
	if slices.Contains(kindNames[:String+1], t.Name) {
		l.fault(n.Get("name"), "choose another name", "%q is the name of a primitive type", t.Name)
		return false
	}
	t.Doc, _ = n.Get("doc").text()
	t.Node = n
	t.Aliases = l.aliases(n, Namespace(t.Name))
	*at = t
	if l.named == nil {
		l.named, l.origin = map[string]*Type{}, map[*Type]int{}
	}
	if first, dup := l.named[t.Name]; dup {
		l.copies = append(l.copies, redefinition{t, l.origin[first] == len(l.roots)})
		*at = first
		return true // read for the comparison
	}
	l.named[t.Name] = t
	l.origin[t] = len(l.roots)
	return true
}

func qualify(name, namespace string) string {
	name = strings.TrimPrefix(name, ".")
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (l *Loader) aliases(n *Node, namespace string) []string {
	list := n.Get("aliases")
	if list == nil {
		return nil
	}
	if list.Kind != JSONArray {
		l.lint(list, `write ["name", ...]`, "aliases are %s, not a list", list.Kind)
		return nil
	}
	own, _ := n.Get("name").text()
	var out []string
	for _, it := range list.Items {
		alias, ok := it.text()
		if !ok {
			l.lint(it, "", "an alias is %s, not a string", it.Kind)
			continue
		}
		for part := range strings.SplitSeq(strings.TrimPrefix(alias, "."), ".") {
			l.checkName(it, "alias", part)
		}
		name := qualify(alias, namespace)
		switch {
		case slices.Contains(out, name):
			l.warn(it, "remove one of them", "the alias %q is given twice", alias)
		case name == qualify(own, namespace):
			l.warn(it, "remove it", "the alias %q is the name itself", alias)
		}
		out = append(out, name)
	}
	return out
}

// ValidName reports whether s is a name in Avro: a letter or _, followed by letters, digits and _,
// all in ASCII.
func ValidName(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (l *Loader) checkName(n *Node, what, name string) {
	if !ValidName(name) {
		l.invalid(n, "use letters, digits and _, and no digit first; write other words in doc", "%q is not a valid %s", name, what)
	}
}

func (l *Loader) record(at **Type, n *Node, namespace string, isError bool) {
	t := &Type{Kind: Record, Error: isError}
	if !l.define(at, t, n, namespace) {
		return
	}
	t.Extra = extra(n, "type", "name", "namespace", "doc", "aliases", "fields")
	fields := n.Get("fields")
	if fields == nil || fields.Kind != JSONArray {
		l.fault(n, `add "fields": [...]; the list may be empty`, "record %s has no list of fields", t.Name)
		return
	}
	seen := map[string]bool{}
	for _, fn := range fields.Items {
		if f := l.field(t, fn); f != nil {
			if seen[f.Name] {
				l.fault(fn.Get("name"), "rename one of them", "record %s has two fields %q", t.Name, f.Name)
			}
			seen[f.Name] = true
			t.Fields = append(t.Fields, f)
		}
	}
	l.fieldAliases(t, seen)
	l.noLogical(t, n)
}

// fieldAliases refuses an alias of two fields, and an alias that is the name of another field.
func (l *Loader) fieldAliases(t *Type, names map[string]bool) {
	of := map[string]string{}
	for _, f := range t.Fields {
		for _, a := range slices.Compact(slices.Sorted(slices.Values(f.Aliases))) {
			switch {
			case a == f.Name: // reported
			case names[a]:
				l.lint(f.Node.Get("aliases"), "an alias is a name that the field had before", "%q is an alias of field %s.%s and the name of another", a, t.Name, f.Name)
			case of[a] != "":
				l.lint(f.Node.Get("aliases"), "remove one of them", "%q is an alias of the fields %s and %s of %s", a, of[a], f.Name, t.Name)
			}
			of[a] = f.Name
		}
	}
}

func (l *Loader) field(t *Type, n *Node) *Field {
	name, ok := n.Get("name").text()
	if !ok {
		l.fault(n, `write {"name": ..., "type": ...}`, "a field of %s without a name", t.Name)
		return nil
	}
	f := &Field{Name: name, Type: failed, Default: n.Get("default"), Node: n}
	l.checkName(n.Get("name"), "field name", name)
	f.Doc, _ = n.Get("doc").text()
	f.Order, _ = n.Get("order").text()
	f.Aliases = l.aliases(n, "")
	f.Extra = extra(n, "name", "type", "doc", "default", "order", "aliases")
	if o := n.Get("order"); o != nil && !slices.Contains([]string{"ascending", "descending", "ignore"}, f.Order) {
		l.lint(o, "write ascending, descending or ignore", "field %s.%s: order is %s", t.Name, name, o.JSON(nil))
		f.Order = ""
	}
	tn := n.Get("type")
	if tn == nil {
		l.fault(n, `add "type"`, "field %s.%s has no type", t.Name, name)
		return nil
	}
	if lt := n.Get("logicalType"); lt != nil && tn.Kind == JSONString {
		l.warn(lt, fmt.Sprintf(`write "type": {"type": %q, "logicalType": %s}`, tn.Value, lt.JSON(nil)),
			"field %s.%s: logicalType beside the type, not in it, has no effect", t.Name, name)
	}
	if tn.Kind == JSONString && slices.Contains(kindNames[Record:Fixed+1], tn.Value) {
		l.fault(tn, fmt.Sprintf(`write "type": {"type": %q, ...}`, tn.Value), "field %s.%s: the definition of %s has to be an object", t.Name, name, withArticle(Kind(slices.Index(kindNames[:], tn.Value))))
		return f
	}
	l.read(&f.Type, tn, Namespace(t.Name))
	return f
}

func (l *Loader) enum(at **Type, n *Node, namespace string) {
	t := &Type{Kind: Enum}
	if !l.define(at, t, n, namespace) {
		return
	}
	t.Extra = extra(n, "type", "name", "namespace", "doc", "aliases", "symbols", "default")
	symbols := n.Get("symbols")
	if symbols == nil || symbols.Kind != JSONArray {
		l.fault(n, `add "symbols": [...]`, "enum %s has no list of symbols", t.Name)
		return
	}
	seen := map[string]bool{}
	for _, it := range symbols.Items {
		s, ok := it.text()
		if !ok {
			l.fault(it, "", "a symbol of %s is %s, not a string", t.Name, it.Kind)
			continue
		}
		l.checkName(it, "symbol", s)
		if seen[s] {
			l.fault(it, "remove one of them", "enum %s has the symbol %q twice", t.Name, s)
		}
		seen[s] = true
		t.Symbols = append(t.Symbols, s)
	}
	if len(symbols.Items) == 0 {
		l.lint(symbols, "name at least one symbol", "enum %s has no symbols, and so no values", t.Name)
	}
	l.noLogical(t, n)
	if d := n.Get("default"); d != nil {
		t.Default, _ = d.text()
		if !slices.Contains(t.Symbols, t.Default) {
			l.warn(d, leftOut+"; write one of "+strings.Join(t.Symbols, ", "), "the default %s of enum %s is not one of its symbols", d.JSON(nil), t.Name)
			t.Default = ""
		}
	}
}

// maxFixed is the size of the largest fixed, because its values are arrays in Go.
const maxFixed = 1 << 20

func (l *Loader) fixed(at **Type, n *Node, namespace string) {
	t := &Type{Kind: Fixed}
	if !l.define(at, t, n, namespace) {
		return
	}
	t.Extra = extra(n, "type", "name", "namespace", "doc", "aliases", "size", "logicalType", "precision", "scale")
	size, ok := l.integer(n, "size")
	if !ok || size < 0 || size > maxFixed {
		l.fault(orParent(n.Get("size"), n), `write the number of bytes as "size"`, "fixed %s has no valid size", t.Name)
		return
	}
	t.Size = size
	l.logical(t, n)
}

func orParent(n, parent *Node) *Node {
	if n == nil {
		return parent
	}
	return n
}

func (l *Loader) integer(n *Node, key string) (int, bool) {
	v := n.Get(key)
	if v == nil || v.Kind != JSONNumber {
		return 0, false
	}
	i, err := strconv.ParseInt(v.Value, 10, 32)
	return int(i), err == nil
}

// bases are the kinds of types that a logical type may have.
var bases = map[Logical][]Kind{
	Decimal: {Bytes, Fixed}, BigDecimal: {Bytes}, UUID: {String, Fixed}, Date: {Int}, TimeMillis: {Int}, TimeMicros: {Long},
	TimestampMillis: {Long}, TimestampMicros: {Long}, TimestampNanos: {Long},
	LocalTimestampMillis: {Long}, LocalTimestampMicros: {Long}, LocalTimestampNanos: {Long}, Duration: {Fixed},
}

func (l *Loader) logical(t *Type, n *Node) {
	ln := n.Get("logicalType")
	if ln == nil {
		return
	}
	name, _ := ln.text()
	logical := Logical(name)
	kinds, known := bases[logical]
	if !known {
		l.warn(ln, "the logical types are "+strings.Join(logicalNames(), ", "), "logical type %s is not known; the value is read as %s", ln.JSON(nil), withArticle(t.Kind))
		t.Extra = append(t.Extra, Pair{Key: "logicalType", Value: ln})
		return
	}
	if !slices.Contains(kinds, t.Kind) {
		l.lint(ln, "use it on "+kindList(kinds), "logical type %s on %s", logical, withArticle(t.Kind))
		return
	}
	switch {
	case logical == Duration && t.Size != 12:
		l.lint(ln, "use a size of 12", "logical type duration on a fixed of %d bytes", t.Size)
		return
	case logical == UUID && t.Kind == Fixed && t.Size != 16:
		l.lint(ln, "use a size of 16", "logical type uuid on a fixed of %d bytes", t.Size)
		return
	case logical == Decimal && !l.decimal(t, n):
		return
	}
	t.Logical = logical
}

func logicalNames() []string {
	var names []string
	for k := range bases {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return names
}

func kindList(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, " or ")
}

func (l *Loader) decimal(t *Type, n *Node) bool {
	precision, ok := l.integer(n, "precision")
	if !ok || precision <= 0 {
		l.lint(orParent(n.Get("precision"), n), `write the number of digits, at least 1, as "precision"`, "a decimal without a valid precision")
		return false
	}
	scale := 0
	if n.Get("scale") != nil {
		scale, ok = l.integer(n, "scale")
		if !ok || scale < 0 || scale > precision {
			l.lint(n.Get("scale"), fmt.Sprintf("use a scale from 0 to the precision, %d", precision), "the scale of a decimal is %s", n.Get("scale").JSON(nil))
			return false
		}
	}
	if t.Kind == Fixed {
		most := int(math.Floor(math.Log10(2) * float64(8*t.Size-1)))
		if precision > most {
			l.lint(n.Get("precision"), fmt.Sprintf("use a precision of at most %d, or a larger size", most), "%d digits do not fit a fixed of %d bytes", precision, t.Size)
			return false
		}
	}
	t.Precision, t.Scale = precision, scale
	return true
}
