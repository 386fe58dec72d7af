package avro

import (
	"maps"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// layout is what the Go will be: packages, types and their names. It is decided before anything is
// printed.
type layout struct {
	packages []*pkg
	named    map[*schema.Type]*typeDecl
	unions   map[*schema.Type]*unionDecl
}

type pkg struct {
	name       string
	namespaces []string
	scope      goname.Scope
	files      goname.Scope
	decls      []*typeDecl
}

// typeDecl is a named type, or the wrapper of a payload that is no record.
type typeDecl struct {
	pkg       *pkg
	typ       *schema.Type
	wrapper   bool
	name      string // Go name
	wish      string // the name it would have if that were free
	file      string // without extension
	source    string
	fields    []string // Go names of a record's fields
	constants []string // of an enum's symbols
	symbols   string   // the variable with an enum's symbols
	unions    []*unionDecl
	recursive bool
	implement []*unionDecl // unions of the package it is a branch of
	former    []former
}

// unionDecl is a union of more than null and one type: a sealed interface.
type unionDecl struct {
	pkg      *pkg
	name     string
	typ      *schema.Type
	branches []branchDecl // in order, null included
}

type branchDecl struct {
	typ *schema.Type
	// name of the struct that holds the value; "" when the branch's own type implements the
	// interface
	wrapper string
}

// plan decides the layout. Everything is visited in the order of full names, so that the result
// depends on nothing else.
func plan(named []*schema.Type, roots []*Root) *layout {
	l := &layout{named: map[*schema.Type]*typeDecl{}, unions: map[*schema.Type]*unionDecl{}}
	byNamespace := l.makePackages(named, roots)
	for _, t := range named {
		if hidden(t) {
			continue
		}
		p := byNamespace[schema.Namespace(t.Name)]
		d := &typeDecl{pkg: p, typ: t, source: file(t), wish: goname.Exported(schema.Unqualified(t.Name))}
		d.name = p.scope.Take(d.wish)
		p.add(d)
		l.named[t] = d
	}
	for _, r := range roots {
		if r.IsRecord() {
			r.decl = l.named[r.typ]
			continue
		}
		p := byNamespace[homeOf(r.typ)]
		d := &typeDecl{pkg: p, typ: r.typ, wrapper: true, source: r.pos.File, wish: goname.Exported(r.hint)}
		d.name = p.scope.Take(d.wish, d.wish+"Payload")
		d.fields = []string{"Value"}
		p.add(d)
		r.decl = d
	}
	for _, p := range l.packages {
		for _, d := range p.decls {
			reserve(p.scope, d)
		}
		for _, d := range p.decls {
			l.details(d)
		}
	}
	return l
}

// hidden tells whether a named type has no Go type of its own, because its logical type has one in
// avrobin.
func hidden(t *schema.Type) bool { return t.Kind == schema.Fixed && t.Logical != "" }

func (p *pkg) add(d *typeDecl) {
	d.file = p.files.Take(strings.ToLower(d.name))
	p.decls = append(p.decls, d)
}

// reserve keeps the names that are derived from a record's.
func reserve(s goname.Scope, d *typeDecl) {
	if d.typ.Kind == schema.Record || d.wrapper {
		for _, prefix := range []string{"SchemaOf", "NameOf", "FingerprintOf", "typeOf"} {
			s[prefix+d.name] = true
		}
	}
}

// methods are what a generated struct has, so that no field may be called so.
var methods = []string{"AppendAvro", "DecodeAvro", "WriteAvro", "ReadAvro", "AvroType", "Validate"}

func (l *layout) details(d *typeDecl) {
	switch {
	case d.wrapper:
		l.findUnions(d, d.name, d.typ)
	case d.typ.Kind == schema.Record:
		d.recursive = reaches(d.typ, d.typ, map[*schema.Type]bool{})
		names := goname.Scope{}
		for _, m := range methods {
			names[m] = true
		}
		for _, f := range d.typ.Fields {
			goName := goname.Exported(f.Name)
			goName = names.Take(goName, goName+"Field")
			d.fields = append(d.fields, goName)
			l.findUnions(d, d.name+goName, f.Type)
		}
	case d.typ.Kind == schema.Enum:
		d.symbols = d.pkg.scope.Take(goname.Unexported(d.name) + "Symbols")
		for _, s := range d.typ.Symbols {
			d.constants = append(d.constants, d.pkg.scope.Take(d.name+goname.Exported(s), d.name+"_"+s))
		}
	}
}

// findUnions declares the sealed interfaces a field needs, named by the way to them.
func (l *layout) findUnions(d *typeDecl, name string, t *schema.Type) {
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
		u := &unionDecl{pkg: d.pkg, name: takeUnion(d.pkg.scope, name), typ: t}
		l.unions[t] = u
		d.unions = append(d.unions, u)
		for _, b := range t.Branches {
			u.branches = append(u.branches, l.branch(d, u, b))
		}
	}
}

// takeUnion returns a name that is free, and whose functions' names are.
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

func (l *layout) branch(d *typeDecl, u *unionDecl, b *schema.Type) branchDecl {
	own := l.named[b]
	switch {
	case b.Kind == schema.Null:
		return branchDecl{typ: b}
	case own != nil && own.pkg == d.pkg:
		own.implement = append(own.implement, u)
		return branchDecl{typ: b}
	}
	part := goname.Exported(schema.Unqualified(b.BranchName()))
	wrapper := d.pkg.scope.Take(u.name + part)
	l.findUnions(d, u.name+part, b)
	return branchDecl{typ: b, wrapper: wrapper}
}

// reaches tells whether a value of t can hold a value of goal.
func reaches(t, goal *schema.Type, seen map[*schema.Type]bool) bool {
	for _, next := range parts(t) {
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

// parts are the types directly inside a type.
func parts(t *schema.Type) []*schema.Type {
	out := slices.Clone(t.Branches)
	for _, f := range t.Fields {
		out = append(out, f.Type)
	}
	if t.Items != nil {
		out = append(out, t.Items)
	}
	return out
}

// homeOf is the namespace of the first named type inside a payload.
func homeOf(t *schema.Type) string {
	if t.Kind.Named() {
		return schema.Namespace(t.Name)
	}
	for _, p := range parts(t) {
		if home := homeOf(p); home != "" {
			return home
		}
	}
	return ""
}

// makePackages makes one package for each namespace; namespaces that need each other share one,
// because Go packages cannot.
func (l *layout) makePackages(named []*schema.Type, roots []*Root) map[string]*pkg {
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
		if home := homeOf(r.typ); needs[home] == nil {
			needs[home] = map[string]bool{}
		}
		if !r.IsRecord() {
			for to := range uses(r.typ) {
				needs[homeOf(r.typ)][to] = true
			}
		}
	}
	byNamespace := map[string]*pkg{}
	for _, ns := range slices.Sorted(maps.Keys(needs)) {
		if byNamespace[ns] != nil {
			continue
		}
		p := &pkg{scope: goname.Scope{}, files: goname.Scope{"doc": true}}
		for _, other := range slices.Sorted(maps.Keys(needs)) {
			if other == ns || needsWay(needs, ns, other) && needsWay(needs, other, ns) {
				p.namespaces = append(p.namespaces, other)
				byNamespace[other] = p
			}
		}
		l.packages = append(l.packages, p)
	}
	l.namePackages()
	return byNamespace
}

// namePackages takes as many of the last segments of a namespace as it needs to tell the packages
// apart.
func (l *layout) namePackages() {
	taken := goname.Scope{}
	for n, left := 1, len(l.packages); left > 0; n++ {
		count := map[string]int{}
		for _, p := range l.packages {
			if p.name == "" {
				count[packageName(p.namespaces[0], n)]++
			}
		}
		for _, p := range l.packages {
			name := packageName(p.namespaces[0], n)
			whole := n > strings.Count(p.namespaces[0], ".") // no segments left to take
			if p.name == "" && (whole || count[name] == 1 && !taken[name]) {
				p.name = taken.Take(name)
				left--
			}
		}
	}
}

// uses are the namespaces of the named types inside t, down to the first name on each way.
func uses(t *schema.Type) map[string]bool {
	out := map[string]bool{}
	for _, p := range parts(t) {
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
