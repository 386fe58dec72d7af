package avro

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Version is a version of the schema of a payload.
type Version struct {
	Pos diag.Pos
	typ *schema.Type
}

// ReadVersion reads a version from a schema that defines every type it names. It returns nil if
// there are faults.
func ReadVersion(n *source.Node) (*Version, diag.List) {
	l := schema.Loader{Lenient: true, Alone: true}
	at := l.Add(Node(n))
	var faults diag.List
	for _, f := range l.Link() {
		if pos, _ := f.Pos.(diag.Pos); !f.Warning {
			faults.ErrorHint(pos, f.Hint, "%s", f.Message)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return &Version{n.Pos, *at}, nil
}

// Version returns the present schema of the payload.
func (r *Root) Version() *Version { return &Version{r.pos, r.typ} }

// Fingerprint returns the CRC-64-AVRO of the canonical form.
func (v *Version) Fingerprint() uint64 { return v.typ.Fingerprint() }

// Difference compares two versions with one fingerprint. If their logical types differ it returns
// the path of the first field where they do, and true.
func (v *Version) Difference(other *Version) (path string, differs bool) {
	return schema.LogicalDifference(v.typ, other.typ)
}

// Unreadable returns why values written with a version of the schema cannot be read as values of
// the present one. The faults are at the fields of the present schema.
func (r *Root) Unreadable(v *Version) diag.List {
	var list diag.List
	for _, m := range resolve.Check(v.typ, r.typ) {
		pos, ok := m.Pos.(diag.Pos)
		if !ok {
			pos = r.pos
		}
		list.ErrorHint(pos, m.Hint, "%s", m)
	}
	return list
}

// AddFormer makes the generated code read values that were written with a version of the schema.
func (r *Root) AddFormer(v *Version) {
	fp := v.Fingerprint()
	if fp != r.Fingerprint() && !slices.ContainsFunc(r.payload.Decl.Former, func(f layout.Former) bool { return f.Fingerprint == fp }) {
		r.payload.Decl.Former = append(r.payload.Decl.Former, layout.Former{Fingerprint: fp, Text: bare(v.typ).Text(), Source: v.Pos.File})
	}
}

// Former returns the fingerprints of the former versions that the generated code reads.
func (r *Root) Former() []uint64 {
	var out []uint64
	for _, f := range r.payload.Decl.Former {
		out = append(out, f.Fingerprint)
	}
	return out
}

// bare removes the parts of a writer's schema that have no influence on reading.
func bare(t *schema.Type) *schema.Type {
	strip(t, map[*schema.Type]bool{})
	return t
}

func strip(t *schema.Type, seen map[*schema.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	t.Doc, t.Aliases, t.Extra, t.Default = "", nil, nil, ""
	for _, f := range t.Fields {
		f.Doc, f.Aliases, f.Extra, f.Order, f.Default = "", nil, nil, "", nil
	}
	for _, p := range layout.Parts(t) {
		strip(p, seen)
	}
}

// TypeUse is a named type of a schema, at the field that uses it first.
type TypeUse struct {
	Name string
	Pos  diag.Pos
}

// Types returns the named types of the payload's schema, its own first, in the order of their first
// use. It does not look inside types for which skip returns true.
func (r *Root) Types(skip func(name string) bool) []TypeUse {
	var out []TypeUse
	seen := map[*schema.Type]bool{}
	var walk func(t *schema.Type, pos diag.Pos)
	walk = func(t *schema.Type, pos diag.Pos) {
		if t.Kind.Named() {
			if seen[t] {
				return
			}
			seen[t] = true
			out = append(out, TypeUse{t.Name, pos})
			if skip != nil && skip(t.Name) {
				return
			}
		}
		for _, f := range t.Fields {
			at := pos
			if f.Node != nil {
				at, _ = f.Node.Pos.(diag.Pos)
			}
			walk(f.Type, at)
		}
		for _, b := range t.Branches {
			walk(b, pos)
		}
		if t.Items != nil {
			walk(t.Items, pos)
		}
	}
	walk(r.typ, r.pos)
	return out
}
