package lint

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/unit"
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The rules of schemas.
var (
	floatMoney = rule("MONEY_AS_FLOAT", finding.Semantic, "%s looks like an amount of money and is a floating-point number", "use an integer in minor units with a currency, or a decimal")
	plainTime  = rule("TIME_WITHOUT_TYPE", finding.Warning, "%s looks like a time and has no type for it", "use a logical type (timestamp-micros, date) or a format (date-time, date)")
	noDefault  = rule("ENUM_WITHOUT_DEFAULT", finding.Warning, "enum %s has no default: a reader fails on a symbol that is added later", "add a symbol such as UNKNOWN and make it the default")
	noNull     = rule("NULLABLE_WITHOUT_DEFAULT", finding.Warning, "field %s is nullable and has no default: data without it cannot be read", `write "default": null`)
	noDoc      = rule("NO_DOC", finding.Info, "%s has no doc", "write what a reader has to know")
)

var moneyWords = []string{"amount", "price", "total", "balance", "ceiling", "fee", "cost", "salary", "sum"}

// isMoney reports whether a name is that of an amount of money.
func isMoney(name string) bool {
	return slices.ContainsFunc(unit.Split(name), func(w string) bool { return slices.Contains(moneyWords, w) })
}

// isTime reports whether a name is that of a time: createdAt, birthDate, expiry_timestamp.
func isTime(name string) bool {
	words := unit.Split(name)
	return len(words) > 1 && slices.Contains([]string{"at", "date", "time", "timestamp", "instant"}, words[len(words)-1])
}

// avroFile checks an Avro file with the types that it uses.
func (l *linter) avroFile(file string) {
	l.reader.Begin(file)
	n := l.reader.Open(file, diag.Pos{})
	if n == nil {
		l.diagnose(l.reader.Diags, "avro")
		l.reader.Diags = nil
		return
	}
	loader := schema.Loader{Nearest: diag.Nearest}
	loader.Find = func(fullname string, use any) *schema.Node {
		at, _ := use.(diag.Pos)
		if found := l.reader.FindType(fullname, at.File); found != nil && found != n {
			return avro.Node(found)
		}
		return nil
	}
	root := loader.Add(avro.Node(n))
	var faults diag.List
	for _, f := range loader.Link() {
		at, _ := f.Pos.(diag.Pos)
		d := diag.Diagnostic{Pos: at, Message: f.Message, Hint: f.Hint}
		if f.Warning {
			d.Severity = diag.Warning
		}
		faults.Add(d)
	}
	l.diagnose(faults, "avro")
	if !faults.HasErrors() {
		l.avroType(*root, file, map[*schema.Type]bool{})
	}
}

// avroType checks the types that a file defines.
func (l *linter) avroType(t *schema.Type, file string, seen map[*schema.Type]bool) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	at, _ := t.Node.Pos.(diag.Pos)
	if t.Kind.Named() && at.File != file {
		return // the file that defines it is checked
	}
	switch {
	case t.Kind == schema.Enum && t.Default == "":
		l.add(noDefault, at, "avro", t.Name)
	case t.Kind == schema.Record && t.Doc == "":
		l.add(noDoc, at, "avro", "record "+t.Name)
	}
	for _, f := range t.Fields {
		l.avroField(t, f)
		l.avroType(f.Type, file, seen)
	}
	for _, b := range t.Branches {
		l.avroType(b, file, seen)
	}
	l.avroType(t.Items, file, seen)
}

func (l *linter) avroField(t *schema.Type, f *schema.Field) {
	at, _ := f.Node.Pos.(diag.Pos)
	name := t.Name + "." + f.Name
	if f.Doc == "" {
		l.add(noDoc, at, "avro", "field "+name)
	}
	if f.Default == nil && f.Type.HasNull() >= 0 {
		l.add(noNull, at, "avro", name)
	}
	value := f.Type
	if other, _, ok := f.Type.Nullable(); ok {
		value = other
	}
	if isMoney(f.Name) && (value.Kind == schema.Float || value.Kind == schema.Double) {
		l.add(floatMoney, at, "avro", name)
	}
	if isTime(f.Name) && value.Logical == "" && (value.Kind == schema.Long || value.Kind == schema.Int || value.Kind == schema.String) {
		l.add(plainTime, at, "avro", name)
	}
}

// schemas checks the properties of every JSON Schema, and the fields of every Avro record, that is
// written in a document.
func (l *linter) schemas(n *source.Node, parent, kind string) {
	if n == nil || parent == "examples" || parent == "example" {
		return
	}
	if parent == "properties" {
		for _, p := range n.Pairs {
			l.property(p, kind)
		}
	}
	for _, p := range n.Pairs {
		l.schemas(p.Value, p.Key.Value, kind)
	}
	for _, it := range n.Items {
		if parent == "fields" && it.Get("name") != nil && it.Get("type") != nil {
			l.property(source.Pair{Key: it.Get("name"), Value: it}, kind)
		}
		l.schemas(it, "", kind)
	}
}

// property checks a property of a JSON Schema, or a field of an Avro record whose type is a name.
func (l *linter) property(p source.Pair, kind string) {
	name, typ := p.Key.Value, p.Value.Get("type")
	types := []string{typ.Str()}
	for _, it := range items(typ) {
		types = append(types, it.Str())
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(s string) bool { return slices.Contains(types, s) })
	}
	if isMoney(name) && has("number", "float", "double") && p.Value.Get("format").Str() != "decimal" {
		l.add(floatMoney, p.Value.Pos, kind, name)
	}
	if isTime(name) && has("string", "integer", "long") && p.Value.Get("format") == nil && p.Value.Get("pattern") == nil && !strings.HasSuffix(name, "Zone") {
		l.add(plainTime, p.Value.Pos, kind, name)
	}
}

func items(n *source.Node) []*source.Node {
	if n == nil {
		return nil
	}
	return n.Items
}
