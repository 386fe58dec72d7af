// Package layout decides what the Go of Avro schemas is: packages, types and their names.
//
// Package avro alone imports it, beside codec and example.
package layout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Layout is the Go of a set of schemas. It is complete before anything is printed.
type Layout struct {
	Packages []*Package
	Named    map[*schema.Type]*Decl
	Unions   map[*schema.Type]*Union
}

// Package is the Go package of one or more namespaces.
type Package struct {
	Name       string
	namespaces []string
	scope      goname.Scope
	files      goname.Scope
	Decls      []*Decl
}

// Decl is a named type, or the wrapper of a payload that is not a record.
type Decl struct {
	Package   *Package
	Type      *schema.Type
	Wrapper   bool
	Name      string // Go name
	Wish      string // the name it would have if that were not taken
	File      string // without extension
	source    string
	Fields    []string // the Go names of a record's fields
	Constants []string // the Go names of an enum's symbols
	Symbols   string   // the name of the variable with an enum's symbols
	Unions    []*Union
	Recursive bool
	Implement []*Union // the unions of the package that it is a branch of
	Former    []Former
}

// Payload is the schema of a payload and the type that it becomes.
type Payload struct {
	Type *schema.Type
	Hint string // the Go name if it is not a named type
	File string
	Decl *Decl
}

// Union is a union of more than null and one other type: a sealed interface.
type Union struct {
	Package  *Package
	Name     string
	Type     *schema.Type
	Branches []Branch // in order, with null
}

// Branch is a branch of a union.
type Branch struct {
	Type *schema.Type
	// the name of the struct that holds the value; "" if the branch's own type implements the
	// interface
	Wrapper string
}

// Plan decides the layout. It visits everything in the order of the full names, so that the result
// depends on nothing else.
func Plan(named []*schema.Type, roots []*Payload) *Layout {
	l := &Layout{Named: map[*schema.Type]*Decl{}, Unions: map[*schema.Type]*Union{}}
	byNamespace := l.makePackages(named, roots)
	for _, t := range named {
		if hidden(t) {
			continue
		}
		p := byNamespace[schema.Namespace(t.Name)]
		d := &Decl{Package: p, Type: t, source: file(t), Wish: goname.Exported(schema.Unqualified(t.Name))}
		d.Name = p.scope.Take(d.Wish)
		p.add(d)
		l.Named[t] = d
	}
	for _, r := range roots {
		if r.Type.Kind == schema.Record {
			r.Decl = l.Named[r.Type]
			continue
		}
		p := byNamespace[homeOf(r.Type)]
		d := &Decl{Package: p, Type: r.Type, Wrapper: true, source: r.File, Wish: goname.Exported(r.Hint)}
		d.Name = p.scope.Take(d.Wish, d.Wish+"Payload")
		d.Fields = []string{"Value"}
		p.add(d)
		r.Decl = d
	}
	for _, p := range l.Packages {
		for _, d := range p.Decls {
			reserve(p.scope, d)
		}
		for _, d := range p.Decls {
			l.details(d)
		}
	}
	return l
}

// hidden reports whether a named type has no Go type of its own, because its logical type has one
// in avrobin.
func hidden(t *schema.Type) bool { return t.Kind == schema.Fixed && t.Logical != "" }

// enums is the file of the small enums of a package, and fewSymbols the most symbols of a small
// one.
const (
	enums      = "enums"
	fewSymbols = 20
)

func (p *Package) add(d *Decl) {
	if d.File = enums; d.Wrapper || d.Type.Kind != schema.Enum || len(d.Type.Symbols) > fewSymbols {
		d.File = p.files.Take(strings.ToLower(d.Name))
	}
	p.Decls = append(p.Decls, d)
}

// reserve takes the names that are derived from the name of a record.
func reserve(s goname.Scope, d *Decl) {
	if d.Type.Kind == schema.Record || d.Wrapper {
		for _, prefix := range []string{"SchemaOf", "NameOf", "FingerprintOf", "typeOf"} {
			s[prefix+d.Name] = true
		}
	}
}

// methods are the names of the methods of a generated struct, which no field may have.
var methods = []string{"AppendAvro", "DecodeAvro", "WriteAvro", "ReadAvro", "AvroType", "Validate"}

func (l *Layout) details(d *Decl) {
	switch {
	case d.Wrapper:
		l.findUnions(d, d.Name, d.Type)
	case d.Type.Kind == schema.Record:
		d.Recursive = reaches(d.Type, d.Type, map[*schema.Type]bool{})
		names := goname.Scope{}
		for _, m := range methods {
			names[m] = true
		}
		for _, f := range d.Type.Fields {
			goName := goname.Exported(f.Name)
			goName = names.Take(goName, goName+"Field")
			d.Fields = append(d.Fields, goName)
			l.findUnions(d, d.Name+goName, f.Type)
		}
	case d.Type.Kind == schema.Enum:
		d.Symbols = d.Package.scope.Take(goname.Unexported(d.Name) + "Symbols")
		for _, s := range d.Type.Symbols {
			d.Constants = append(d.Constants, d.Package.scope.Take(d.Name+goname.Exported(s), d.Name+"_"+s))
		}
	}
}

// findUnions declares the sealed interfaces of a field, named after the path to them.
func (l *Layout) findUnions(d *Decl, name string, t *schema.Type) {
	switch t.Kind {
	case schema.Array:
		l.findUnions(d, name+"Item", t.Items)
	case schema.Map:
		l.findUnions(d, name+"Value", t.Items)
	case schema.Union:
		if other, _, ok := t.Nullable(); ok {
			l.findUnions(d, name, other)
			return
		}
		if len(t.Branches) < 2 {
			for _, b := range t.Branches {
				l.findUnions(d, name, b)
			}
			return
		}
		u := &Union{Package: d.Package, Name: takeUnion(d.Package.scope, name), Type: t}
		l.Unions[t] = u
		d.Unions = append(d.Unions, u)
		for _, b := range t.Branches {
			u.Branches = append(u.Branches, l.branch(d, u, b))
		}
	}
}

// takeUnion takes a name for a union, such that the names of its functions are not taken either.
func takeUnion(s goname.Scope, name string) string {
	functions := [...]string{"write", "read", "validate"}
	for {
		got := s.Take(name)
		if !slices.ContainsFunc(functions[:], func(f string) bool { return s[f+got] }) {
			for _, f := range functions {
				s[f+got] = true
			}
			return got
		}
	}
}

func (l *Layout) branch(d *Decl, u *Union, b *schema.Type) Branch {
	own := l.Named[b]
	switch {
	case b.Kind == schema.Null:
		return Branch{Type: b}
	case own != nil && own.Package == d.Package:
		own.Implement = append(own.Implement, u)
		return Branch{Type: b}
	}
	part := goname.Exported(schema.Unqualified(b.BranchName()))
	wrapper := d.Package.scope.Take(u.Name + part)
	l.findUnions(d, u.Name+part, b)
	return Branch{Type: b, Wrapper: wrapper}
}

// reaches reports whether a value of t can contain a value of goal.
func reaches(t, goal *schema.Type, seen map[*schema.Type]bool) bool {
	for _, next := range Parts(t) {
		if next == goal {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(next, goal, seen) {
				return true
			}
		}
	}
	return false
}

// Parts returns the types directly inside a type.
func Parts(t *schema.Type) []*schema.Type {
	out := slices.Clone(t.Branches)
	for _, f := range t.Fields {
		out = append(out, f.Type)
	}
	if t.Items != nil {
		out = append(out, t.Items)
	}
	return out
}

// homeOf returns the namespace of the first named type inside a payload.
func homeOf(t *schema.Type) string {
	if t.Kind.Named() {
		return schema.Namespace(t.Name)
	}
	for _, p := range Parts(t) {
		if home := homeOf(p); home != "" {
			return home
		}
	}
	return ""
}

// makePackages makes a package for each namespace. Namespaces that depend on each other share one,
// because Go packages cannot import each other.
func (l *Layout) makePackages(named []*schema.Type, roots []*Payload) map[string]*Package {
	needs := map[string]map[string]bool{}
	for _, t := range named {
		if hidden(t) {
			continue
		}
		from := schema.Namespace(t.Name)
		if needs[from] == nil {
			needs[from] = map[string]bool{}
		}
		for to := range uses(t) {
			needs[from][to] = true
		}
	}
	for _, r := range roots {
		if home := homeOf(r.Type); needs[home] == nil {
			needs[home] = map[string]bool{}
		}
		if r.Type.Kind != schema.Record {
			for to := range uses(r.Type) {
				needs[homeOf(r.Type)][to] = true
			}
		}
	}
	byNamespace := map[string]*Package{}
	for _, ns := range slices.Sorted(maps.Keys(needs)) {
		if byNamespace[ns] != nil {
			continue
		}
		p := &Package{scope: goname.Scope{}, files: goname.Scope{"doc": true, enums: true}}
		for _, other := range slices.Sorted(maps.Keys(needs)) {
			if other == ns || needsWay(needs, ns, other) && needsWay(needs, other, ns) {
				p.namespaces = append(p.namespaces, other)
				byNamespace[other] = p
			}
		}
		l.Packages = append(l.Packages, p)
	}
	l.namePackages()
	return byNamespace
}

// namePackages names each package after the last segments of its namespace, as many as are needed
// to distinguish the packages.
func (l *Layout) namePackages() {
	taken := goname.Scope{}
	for n, left := 1, len(l.Packages); left > 0; n++ {
		count := map[string]int{}
		for _, p := range l.Packages {
			if p.Name == "" {
				count[packageName(p.namespaces[0], n)]++
			}
		}
		for _, p := range l.Packages {
			name := packageName(p.namespaces[0], n)
			whole := n > strings.Count(p.namespaces[0], ".") // no segments are left
			if p.Name == "" && (whole || count[name] == 1 && !taken[name]) {
				p.Name = taken.Take(name)
				left--
			}
		}
	}
}

// uses returns the namespaces of the named types inside t. It does not look inside them.
func uses(t *schema.Type) map[string]bool {
	out := map[string]bool{}
	for _, p := range Parts(t) {
		if p.Kind.Named() {
			if !hidden(p) {
				out[schema.Namespace(p.Name)] = true
			}
			continue
		}
		maps.Copy(out, uses(p))
	}
	return out
}

func needsWay(needs map[string]map[string]bool, from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(at string) bool {
		for next := range needs[at] {
			if next == to {
				return true
			}
			if !seen[next] {
				seen[next] = true
				if walk(next) {
					return true
				}
			}
		}
		return false
	}
	return walk(from)
}

// file returns the file that a type was read from.
func file(t *schema.Type) string {
	if t.Node == nil {
		return ""
	}
	pos, _ := t.Node.Pos.(diag.Pos)
	return pos.File
}

// Former is a former version of the schema of a type.
type Former struct {
	Fingerprint uint64
	Text        string
	Source      string
}

// Sources returns the files that the Go of a type is generated from.
func (d *Decl) Sources() []string {
	out := []string{d.source}
	for _, f := range d.Former {
		out = append(out, f.Source)
	}
	return out
}

// Doc returns the comment of the package.
func (p *Package) Doc() string {
	spaces := make([]string, len(p.namespaces))
	for i, ns := range p.namespaces {
		spaces[i] = ns
		if ns == "" {
			spaces[i] = "without a name"
		}
	}
	what := "namespace " + spaces[0]
	if len(spaces) > 1 {
		what = "namespaces " + strings.Join(spaces, ", ") + ", which depend on each other"
	}
	return fmt.Sprintf("Package %s holds the types of the Avro %s and their codecs.", p.Name, what)
}
