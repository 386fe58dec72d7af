// Package specfile reads contract documents (OpenAPI, AsyncAPI, Avro) as trees in which a $ref is
// the thing it points to, in whatever file that is.
//
// The tools that show contracts or hold answers against them import it. It is deliberately not
// eventgen's parser: a judge that shared it would share its mistakes.
package specfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set holds the files read so far, each once.
type Set struct {
	files map[string]*source.Node
}

// NewSet gives an empty set.
func NewSet() *Set { return &Set{files: map[string]*source.Node{}} }

// Open gives the root of a file.
func (s *Set) Open(file string) (Value, error) {
	file = filepath.Clean(file)
	if n, ok := s.files[file]; ok {
		return Value{set: s, File: file, Node: n}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return Value{}, fmt.Errorf("read contract: %w", err)
	}
	n, faults := source.Parse(filepath.ToSlash(file), data)
	if err := faults.Err(); err != nil {
		return Value{}, err
	}
	s.files[file] = n
	return Value{set: s, File: file, Node: n}, nil
}

// Value is a place in a document. The zero Value is absent; asking it anything gives nothing.
type Value struct {
	set     *Set
	File    string       // the file the node is written in
	Pointer string       // where in that file, as a JSON pointer; "" for the root
	Node    *source.Node // nil when absent
	Ref     string       // the $ref through which it was reached, as written; "" without
}

// Ok says whether the value exists.
func (v Value) Ok() bool { return v.Node != nil }

// Str gives the text of a string, "" for anything else.
func (v Value) Str() string { return v.Node.Str() }

// True says whether the value is the boolean true.
func (v Value) True() bool { return v.Node.Is(source.Bool) && v.Node.Value == "true" }

// Text gives a scalar as it is written, and anything else as JSON.
func (v Value) Text() string {
	switch {
	case !v.Ok():
		return ""
	case v.Node.Is(source.Seq), v.Node.Is(source.Map):
		return string(v.Node.JSON())
	case v.Node.Is(source.Null):
		return "null"
	}
	return v.Node.Value
}

// Get follows member names from the value, resolving references on the way; absent when a step
// leads nowhere.
func (v Value) Get(path ...string) Value {
	for _, key := range path {
		v = v.child(key, v.Node.Get(key))
	}
	return v
}

// Items gives the elements of a list, references resolved.
func (v Value) Items() []Value {
	if !v.Node.Is(source.Seq) {
		return nil
	}
	out := make([]Value, len(v.Node.Items))
	for i, n := range v.Node.Items {
		out[i] = v.child(fmt.Sprint(i), n)
	}
	return out
}

// Member is one named member of an object.
type Member struct {
	Name string
	Value
}

// Members gives the members of an object in the order of the file, references resolved.
func (v Value) Members() []Member {
	if !v.Node.Is(source.Map) {
		return nil
	}
	out := make([]Member, len(v.Node.Pairs))
	for i, p := range v.Node.Pairs {
		out[i] = Member{Name: p.Key.Value, Value: v.child(p.Key.Value, p.Value)}
	}
	return out
}

// Raw gives a member without following its $ref, so that its siblings (a description) can be read.
func (v Value) Raw(key string) Value {
	n := v.Node.Get(key)
	if n == nil {
		return Value{}
	}
	return Value{set: v.set, File: v.File, Pointer: v.Pointer + "/" + source.Escape(key), Node: n}
}

// Children gives the members or elements without following their $refs: the document as it is
// written.
func (v Value) Children() []Value {
	var out []Value
	for _, key := range v.Node.Keys() {
		out = append(out, v.Raw(key))
	}
	if v.Node.Is(source.Seq) {
		for i, n := range v.Node.Items {
			out = append(out, Value{set: v.set, File: v.File, Pointer: fmt.Sprintf("%s/%d", v.Pointer, i), Node: n})
		}
	}
	return out
}

// Resolve follows the value's own $ref, if it is one.
func (v Value) Resolve() Value { return v.resolve(0) }

// ID names the place: the same for every reference to it.
func (v Value) ID() string { return filepath.ToSlash(v.File) + "#" + v.Pointer }

// Name is the last step of the pointer: the name under which a component is declared.
func (v Value) Name() string {
	step := v.Pointer[strings.LastIndex(v.Pointer, "/")+1:]
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}

func (v Value) child(key string, n *source.Node) Value {
	if n == nil {
		return Value{}
	}
	return Value{set: v.set, File: v.File, Pointer: v.Pointer + "/" + source.Escape(key), Node: n}.resolve(0)
}

// resolve follows $refs. One that leads nowhere, or round in a circle, is absent: eventgen and the
// OpenAPI validator say so with their place.
func (v Value) resolve(depth int) Value {
	ref := v.Node.Get("$ref").Str()
	if ref == "" {
		return v
	}
	file, pointer, _ := strings.Cut(ref, "#")
	target := Value{set: v.set, File: v.File}
	if file != "" {
		opened, err := v.set.Open(filepath.Join(filepath.Dir(v.File), filepath.FromSlash(file)))
		if err != nil {
			return Value{}
		}
		target = opened
	}
	root, err := v.set.Open(target.File)
	if err != nil || depth > 32 {
		return Value{}
	}
	found, _, missing := root.Node.Lookup(pointer)
	if missing != "" || found == nil {
		return Value{}
	}
	out := Value{set: v.set, File: target.File, Pointer: pointer, Node: found}.resolve(depth + 1)
	out.Ref = ref
	return out
}
