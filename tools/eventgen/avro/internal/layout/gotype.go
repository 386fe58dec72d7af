package layout

import (
	"path"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Namer returns Go types as one package refers to them.
type Namer struct {
	Layout     *Layout
	ImportPath string            // of the folder that holds the packages
	Package    *Package          // the package that refers to them; nil: a package of the user
	Imports    map[string]string // the import paths, by name, of the packages that it referred to
}

// NewNamer returns a Namer for a package, which is nil for a package of the user.
func NewNamer(l *Layout, importPath string, p *Package) *Namer {
	return &Namer{Layout: l, ImportPath: importPath, Package: p, Imports: map[string]string{}}
}

// GoType returns the Go type of a schema.
func (n *Namer) GoType(t *schema.Type) string {
	if name := LogicalTypes[t.Logical]; name != "" {
		if name == "time.Time" {
			return name
		}
		return "avrobin." + name
	}
	switch t.Kind {
	case schema.Null:
		return "avrobin.Null"
	case schema.Boolean:
		return "bool"
	case schema.Int:
		return "int32"
	case schema.Long:
		return "int64"
	case schema.Float:
		return "float32"
	case schema.Double:
		return "float64"
	case schema.Bytes:
		return "[]byte"
	case schema.String:
		return "string"
	case schema.Array:
		return "[]" + n.GoType(t.Items)
	case schema.Map:
		return "map[string]" + n.GoType(t.Items)
	case schema.Union:
		return n.unionGo(t)
	}
	d := n.Layout.Named[t]
	return n.Qualified(d.Package, d.Name)
}

// Qualified returns a name that is declared in p, qualified if need be.
func (n *Namer) Qualified(p *Package, name string) string {
	if p == n.Package {
		return name
	}
	if n.Imports != nil {
		n.Imports[p.Name] = path.Join(n.ImportPath, p.Name)
	}
	return p.Name + "." + name
}

func (n *Namer) unionGo(t *schema.Type) string {
	if other, _, ok := t.Nullable(); ok {
		if Nilable(other) {
			return n.GoType(other)
		}
		return "*" + n.GoType(other)
	}
	if u := n.Layout.Unions[t]; u != nil {
		return n.Qualified(u.Package, u.Name)
	}
	return n.GoType(t.Branches[0])
}

// Nilable reports whether nil of the Go type can stand for null.
func Nilable(t *schema.Type) bool {
	return t.Kind == schema.Array || t.Kind == schema.Map || t.Kind == schema.Bytes && t.Logical == ""
}

// LogicalTypes are the Go types of the logical types, without the package avrobin.
var LogicalTypes = map[schema.Logical]string{
	schema.Decimal: "Decimal", schema.BigDecimal: "Decimal", schema.UUID: "UUID", schema.Date: "Date",
	schema.TimeMillis: "TimeOfDay", schema.TimeMicros: "TimeOfDay",
	schema.TimestampMillis: "time.Time", schema.TimestampMicros: "time.Time", schema.TimestampNanos: "time.Time",
	schema.LocalTimestampMillis: "LocalDateTime", schema.LocalTimestampMicros: "LocalDateTime", schema.LocalTimestampNanos: "LocalDateTime",
	schema.Duration: "Duration",
}

// BranchGo returns the Go type that implements the interface for a branch.
func (n *Namer) BranchGo(b Branch) string {
	switch {
	case b.Wrapper != "":
		return b.Wrapper
	case b.Type.Kind == schema.Record:
		return "*" + n.GoType(b.Type)
	}
	return n.GoType(b.Type)
}
