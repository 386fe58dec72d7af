package schema

import (
	"maps"
	"slices"
	"strings"
)

// Link resolves every name, and then checks unions, defaults, records without a finite value, and
// names that are defined twice. It returns all faults.
func (l *Loader) Link() []Fault {
	sought := map[string]bool{}
	missing := map[*Node]bool{}
	for i := 0; i < len(l.refs); i++ { // Find may add to the list
		r := l.refs[i]
		name := qualify(r.node.Value, r.namespace)
		t := l.named[name]
		if t == nil && name != r.node.Value {
			t = l.named[r.node.Value] // a type without a namespace, used inside one
		}
		if t == nil && l.Find != nil && !sought[name] {
			sought[name] = true
			if n := l.Find(name, r.node.Pos); n != nil {
				l.Add(n)
				i-- // look again
				continue
			}
		}
		if t == nil && !missing[r.node] {
			missing[r.node] = true
			l.unknown(r, name)
			continue
		}
		if t != nil {
			*r.at = t
		}
	}
	l.compare()
	types := l.Named()
	known := l.checkFinite(types)
	left := maxImpliedInAll
	for _, t := range types {
		l.checkRecord(t, known.has(t), &left)
	}
	for _, root := range l.roots {
		l.checkUnions(*root)
	}
	return l.faults
}

func (l *Loader) unknown(r ref, name string) {
	var known []string
	for k := range maps.Keys(l.named) {
		if strings.EqualFold(Unqualified(k), Unqualified(name)) {
			known = append(known, k)
		}
	}
	slices.Sort(known)
	hint := "define it in one of the files, or in a file named " + Unqualified(name) + ".avsc in the same folder"
	if l.Alone {
		hint = "define it where it is first used: the schema has to contain every type it names"
	}
	if slices.Contains([]string{"integer", "number", "object", "boolean?", "date", "uuid", "timestamp", "decimal"}, r.node.Value) {
		hint = "Avro's types are " + strings.Join(kindNames[:Union], ", ")
	} else if len(known) > 0 {
		hint = "did you mean " + strings.Join(known, " or ") + "?"
	} else if l.Nearest != nil {
		names := append(slices.Sorted(maps.Keys(l.named)), kindNames[:String+1]...)
		if near, ok := l.Nearest(name, names); ok {
			hint = "did you mean " + near + "?"
		} else if near, ok := l.Nearest(r.node.Value, names); ok {
			hint = "did you mean " + near + "?"
		}
	}
	l.fault(r.node, hint, "unknown type %q", name)
}

// compare refuses a second definition of a name that differs from the first one. Equal definitions
// in several files are common and allowed. Two equal definitions in one file are a warning, because
// other readers of Avro refuse them.
func (l *Loader) compare() {
	for _, c := range l.copies {
		t, first := c.Type, l.named[c.Name]
		if _, other := LogicalDifference(first, t); !other && string(first.Canonical()) == string(t.Canonical()) {
			if c.sameFile {
				l.warn(t.Node, "define it once, and use its name after that", "type %s is defined twice in one schema", t.Name)
			}
			continue
		}
		l.fault(t.Node, "define it once, or give one of them another name or namespace", "type %s is defined twice with different definitions", t.Name)
	}
}

// LogicalDifference compares the logical types of a and b, which have the same canonical form. It
// returns the path of the first field where they differ, and whether there is one. The canonical
// form does not include logical types.
func LogicalDifference(a, b *Type) (path string, differs bool) {
	return logicalDifference(a, b, "", map[*Type]bool{})
}

func logicalDifference(a, b *Type, path string, seen map[*Type]bool) (string, bool) {
	if a.Logical != b.Logical || a.Precision != b.Precision || a.Scale != b.Scale {
		return path, true
	}
	if a.Kind != b.Kind || seen[a] || a.Kind.Named() && a == b {
		return "", false
	}
	if a.Kind.Named() {
		seen[a] = true
	}
	for i, f := range a.Fields[:min(len(a.Fields), len(b.Fields))] {
		if at, differs := logicalDifference(f.Type, b.Fields[i].Type, strings.TrimPrefix(path+"."+f.Name, "."), seen); differs {
			return at, true
		}
	}
	for i, branch := range a.Branches[:min(len(a.Branches), len(b.Branches))] {
		if at, differs := logicalDifference(branch, b.Branches[i], path, seen); differs {
			return at, true
		}
	}
	if a.Items == nil || b.Items == nil {
		return "", false
	}
	return logicalDifference(a.Items, b.Items, path+"[]", seen)
}

// leftOut is the hint for a default that does not conform to its type.
const leftOut = "the default is left out"

// checkRecord checks the unions of one named type, and its defaults if it has a finite value. left
// is how many values may still be taken from the defaults of fields that a default leaves out.
func (l *Loader) checkRecord(t *Type, finite bool, left *int) {
	for _, f := range t.Fields {
		l.checkUnions(f.Type)
		if f.Default == nil || !finite || broken(f.Type, map[*Type]bool{}) {
			continue
		}
		fill := filler{left: min(maxImplied, *left)}
		_, err := fill.append(nil, f.Type, f.Default)
		*left -= min(maxImplied, *left) - fill.left
		if err != nil {
			l.warn(f.Default, leftOut, "field %s.%s: the default %s %v", t.Name, f.Name, f.Default.JSON(nil), err)
			f.Default = nil
		}
	}
}

// broken reports whether a part of t could not be read.
func broken(t *Type, seen map[*Type]bool) bool {
	if t == failed || seen[t] {
		return t == failed
	}
	seen[t] = true
	for _, f := range t.Fields {
		if broken(f.Type, seen) {
			return true
		}
	}
	return slices.ContainsFunc(t.Branches, func(b *Type) bool { return broken(b, seen) }) || t.Items != nil && broken(t.Items, seen)
}

// checkUnions refuses two branches that cannot be told apart, in a type and in the types without a
// name that it contains.
func (l *Loader) checkUnions(t *Type) {
	switch t.Kind {
	case Array, Map:
		l.checkUnions(t.Items)
	case Union:
		seen := map[string]bool{}
		for _, b := range t.Branches {
			if b == failed {
				continue
			}
			if name := b.BranchName(); seen[name] {
				l.fault(orParent(b.Node, t.Node), "keep one of them", "a union has two branches %s", name)
			} else {
				seen[name] = true
			}
			if b.Kind == Union {
				l.fault(t.Node, "move its branches to the outer union", "a union directly inside a union")
				continue
			}
			l.checkUnions(b)
		}
	}
}
