// Package compat compares two versions of an Avro schema by the rules of Apache Avro's
// SchemaCompatibility. Unlike schema resolution, it finds every incompatibility, and it also
// reports whether no value or only some values fail.
//
// tools/contractdiff, tools/docsite and the registry of devkafka import it.
package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// ID is the kind of an incompatibility.
type ID string

// The kinds of Apache's SchemaCompatibility, and Ambiguous, for which it throws an exception.
const (
	NameMismatch   ID = "NAME_MISMATCH"
	FixedSize      ID = "FIXED_SIZE_MISMATCH"
	MissingSymbols ID = "MISSING_ENUM_SYMBOLS"
	MissingDefault ID = "READER_FIELD_MISSING_DEFAULT_VALUE"
	TypeMismatch   ID = "TYPE_MISMATCH"
	MissingBranch  ID = "MISSING_UNION_BRANCH"
	Ambiguous      ID = "AMBIGUOUS_FIELD_ALIAS"
)

// Verdict is how much of what a writer writes a reader cannot read.
type Verdict int

// The verdicts. Apache's INCOMPATIBLE is either of the last two.
const (
	Compatible Verdict = iota
	SomeFail           // some values cannot be read
	AllFail            // no value can be read
)

// String returns the verdict for messages.
func (v Verdict) String() string {
	return [...]string{"every value can be read", "some values cannot be read", "no value can be read"}[v]
}

// Incompatibility is one reason why a reader cannot read what a writer wrote.
type Incompatibility struct {
	ID      ID
	Reader  *schema.Type
	Writer  *schema.Type
	At      *schema.Node // the place in the reader's schema
	Message string
}

// Result is the result of Check.
type Result struct {
	Verdict
	All []Incompatibility // in the order of the reader's schema, each once
}

// Check reports whether data written with writer can be read with reader.
func Check(reader, writer *schema.Type) Result {
	c := checker{known: map[pair]*[]Incompatibility{}}
	out := Result{All: c.check(reader, writer, reader.Node)}
	out.All = merge(out.All, c.ambiguous)
	if len(out.All) > 0 {
		out.Verdict = max(extent(reader, writer), SomeFail)
	}
	return out
}

type pair struct{ r, w *schema.Type }

// checker visits pairs of types in the order of Apache's checker. As there, a pair that is being
// visited counts as compatible, and what follows from that is kept.
type checker struct {
	known     map[pair]*[]Incompatibility
	ambiguous []Incompatibility // also those of branches that do not matter, where Apache's throws
}

// check returns the incompatibilities of a pair. at is where the reader's schema uses its type.
func (c *checker) check(r, w *schema.Type, at *schema.Node) []Incompatibility {
	if found, ok := c.known[pair{r, w}]; ok {
		return *found
	}
	found := &[]Incompatibility{}
	c.known[pair{r, w}] = found
	*found = c.compare(r, w, at)
	return *found
}

func (c *checker) compare(r, w *schema.Type, at *schema.Node) []Incompatibility {
	one := func(id ID, at *schema.Node, format string, args ...any) []Incompatibility {
		return []Incompatibility{{id, r, w, at, fmt.Sprintf(format, args...)}}
	}
	switch {
	case r.Kind == schema.Union && w.Kind == schema.Union:
		return c.branches(r, w, at)
	case w.Kind == schema.Union:
		var out []Incompatibility
		for _, b := range w.Branches {
			out = merge(out, c.check(r, b, at))
		}
		return out
	case r.Kind == schema.Union:
		if !c.fits(r, w) {
			return one(MissingBranch, at, "%s", c.noBranch(r, w))
		}
		return nil
	case !readable(r, w):
		return one(TypeMismatch, at, "%s cannot be read as %s", w.BranchName(), r.BranchName())
	}
	var out []Incompatibility
	if r.Kind.Named() && !sameName(r, w) {
		out = one(NameMismatch, member(r.Node, "name"), "%s %s is neither %s nor one of its aliases", w.Kind, w.Name, r.Name)
	}
	switch r.Kind {
	case schema.Array:
		return c.check(r.Items, w.Items, member(r.Node, "items"))
	case schema.Map:
		return c.check(r.Items, w.Items, member(r.Node, "values"))
	case schema.Fixed:
		if r.Size != w.Size {
			return merge(out, one(FixedSize, member(r.Node, "size"), "fixed %s has %d bytes, the reader expects %d", w.Name, w.Size, r.Size))
		}
	case schema.Enum:
		if unknown := missingSymbols(r, w); len(unknown) > 0 {
			return merge(out, one(MissingSymbols, member(r.Node, "symbols"), "enum %s has no default and lacks %s", r.Name, strings.Join(unknown, ", ")))
		}
	case schema.Record:
		return merge(out, c.fields(r, w))
	}
	return out
}

// branches compares a writer's union with a reader's: each branch has to be readable.
func (c *checker) branches(r, w *schema.Type, at *schema.Node) []Incompatibility {
	var out []Incompatibility
	for _, b := range w.Branches {
		if len(c.check(r, b, at)) > 0 {
			out = merge(out, []Incompatibility{{MissingBranch, r, b, at, c.noBranch(r, b)}})
		}
	}
	return out
}

// fits reports whether a branch of the reader's union can read w.
func (c *checker) fits(r, w *schema.Type) bool {
	return slices.ContainsFunc(r.Branches, func(b *schema.Type) bool { return len(c.check(b, w, b.Node)) == 0 })
}

// noBranch returns why no branch of the reader's union can read w: the first reason why the branch
// of its name cannot, if there is one.
func (c *checker) noBranch(r, w *schema.Type) string {
	for _, b := range r.Branches {
		if reasons := c.check(b, w, b.Node); b.BranchName() == w.BranchName() && len(reasons) > 0 {
			return fmt.Sprintf("the reader's branch %s cannot read it: %s", b.BranchName(), reasons[0].Message)
		}
	}
	return "the reader's union has no branch for " + w.BranchName()
}

func (c *checker) fields(r, w *schema.Type) []Incompatibility {
	var out []Incompatibility
	written := fieldsByName(w)
	for _, f := range r.Fields {
		found := candidates(f, written)
		switch {
		case len(found) > 1:
			one := []Incompatibility{{Ambiguous, r, w, f.Node, fmt.Sprintf("field %s of %s matches several fields of the writer", f.Name, r.Name)}}
			out, c.ambiguous = append(out, one...), merge(c.ambiguous, one)
		case len(found) == 1:
			out = append(out, c.check(f.Type, found[0].Type, member(f.Node, "type"))...)
		case f.Default != nil:
		case f.Type.Kind == schema.Enum && f.Type.Default != "":
			// Apache's checker compares the enum with the record here
			out = append(out, c.check(f.Type, w, member(f.Node, "type"))...)
		default:
			out = append(out, Incompatibility{MissingDefault, r, w, f.Node, fmt.Sprintf("field %s of %s is not written and has no default", f.Name, r.Name)})
		}
	}
	return merge(nil, out)
}

// fieldsByName returns the fields of a record by their names.
func fieldsByName(r *schema.Type) map[string]*schema.Field {
	out := make(map[string]*schema.Field, len(r.Fields))
	for _, f := range r.Fields {
		out[f.Name] = f
	}
	return out
}

// candidates returns the writer's fields that a reader's field stands for by its name or an alias.
func candidates(f *schema.Field, written map[string]*schema.Field) []*schema.Field {
	var out []*schema.Field
	aliases := slices.Compact(slices.Sorted(slices.Values(f.Aliases)))
	for _, name := range append([]string{f.Name}, aliases...) {
		if found := written[name]; found != nil {
			out = append(out, found)
		}
	}
	return out
}

// Written returns a function that returns the field of a writer that a reader's field stands for,
// or nil if there is none or several.
func Written(w *schema.Type) func(f *schema.Field) *schema.Field {
	written := fieldsByName(w)
	return func(f *schema.Field) *schema.Field {
		if found := candidates(f, written); len(found) == 1 {
			return found[0]
		}
		return nil
	}
}

// readable reports whether two types that are not unions can be compatible, by their kinds alone.
func readable(r, w *schema.Type) bool {
	switch r.Kind {
	case w.Kind:
		return true
	case schema.Long:
		return w.Kind == schema.Int
	case schema.Float:
		return w.Kind == schema.Int || w.Kind == schema.Long
	case schema.Double:
		return w.Kind == schema.Int || w.Kind == schema.Long || w.Kind == schema.Float
	case schema.Bytes:
		return w.Kind == schema.String
	case schema.String:
		return w.Kind == schema.Bytes
	}
	return false
}

// sameName reports whether the names are equal without their namespaces, or the writer's name is an
// alias of the reader's.
func sameName(r, w *schema.Type) bool {
	return schema.Unqualified(r.Name) == schema.Unqualified(w.Name) || slices.Contains(r.Aliases, w.Name)
}

// missingSymbols returns the writer's symbols that the reader cannot read, sorted.
func missingSymbols(r, w *schema.Type) []string {
	if r.Default != "" {
		return nil
	}
	known := map[string]bool{}
	for _, s := range r.Symbols {
		known[s] = true
	}
	var out []string
	for _, s := range w.Symbols {
		if !known[s] {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// merge appends the incompatibilities that are not in the list yet: a type that is used several
// times is reported once.
func merge(list, more []Incompatibility) []Incompatibility {
	type key struct {
		id      ID
		at      *schema.Node
		message string
	}
	known := make(map[key]bool, len(list)+len(more))
	for _, i := range list {
		known[key{i.ID, i.At, i.Message}] = true
	}
	for _, i := range more {
		if k := (key{i.ID, i.At, i.Message}); !known[k] {
			known[k] = true
			list = append(list, i)
		}
	}
	return list
}

// member returns a member of a node, or the node if it has none of that name.
func member(n *schema.Node, name string) *schema.Node {
	if m := n.Get(name); m != nil {
		return m
	}
	return n
}

// Pointers returns the JSON pointer of every node of a schema.
func Pointers(root *schema.Node) map[*schema.Node]string {
	out := map[*schema.Node]string{}
	walk(root, "", out)
	return out
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

func walk(n *schema.Node, at string, out map[*schema.Node]string) {
	out[n] = at
	for i, it := range n.Items {
		walk(it, fmt.Sprint(at, "/", i), out)
	}
	for _, p := range n.Pairs {
		walk(p.Value, at+"/"+escape.Replace(p.Key), out)
	}
}
