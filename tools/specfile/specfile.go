// Package specfile reads OpenAPI, AsyncAPI and Avro documents as trees in which every $ref is
// replaced by its target, in whatever file that is.
//
// The tools that render contracts or validate answers against them import it. It deliberately does
// not use eventgen's parser: a validator that shared it would share its mistakes.
package specfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Set caches the files read so far.
type Set struct {
	files map[string]*source.Node
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{files: map[string]*source.Node{}} }

// Open returns the root of a file.
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

// Value is a place in a document. The zero Value is absent: all of its methods return zero values.
type Value struct {
	set     *Set
	File    string       // file that contains the node
	Pointer string       // JSON pointer to the node in that file; "" for the root
	Node    *source.Node // nil if the value is absent
	Ref     string       // text of the $ref that led to the node; "" if none did
}

// Ok reports whether the value exists.
func (v Value) Ok() bool { return v.Node != nil }

// Str returns the text of a string, and "" for any other value.
func (v Value) Str() string { return v.Node.Str() }

// True reports whether the value is the boolean true.
func (v Value) True() bool { return v.Node.Is(source.Bool) && v.Node.Value == "true" }

// Text returns a scalar as it is written, and any other value as JSON.
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

// Get returns the value at a path of member names. References are followed on the way. The result
// is absent if there is no such value.
func (v Value) Get(path ...string) Value {
	for _, key := range path {
		v = v.child(key, v.Node.Get(key))
	}
	return v
}

// Items returns the elements of a list, with references resolved.
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

// Member is a member of an object.
type Member struct {
	Name string
	Value
}

// Members returns the members of an object in the order of the file, with references resolved.
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

// Raw returns a member without following its $ref, so that siblings of the $ref, such as a
// description, can be read.
func (v Value) Raw(key string) Value {
	n := v.Node.Get(key)
	if n == nil {
		return Value{}
	}
	return Value{set: v.set, File: v.File, Pointer: v.Pointer + "/" + source.Escape(key), Node: n}
}

// Children returns the members or elements without following their $refs.
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

// Resolve returns the target of the value if it is a $ref, and the value itself otherwise.
func (v Value) Resolve() Value { return v.resolve(0) }

// ID identifies the place. It is the same whichever reference led there.
func (v Value) ID() string { return filepath.ToSlash(v.File) + "#" + v.Pointer }

// Name returns the last step of the pointer, which for a component is its name.
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

// resolve follows $refs. The result is absent if a $ref has no target or is part of a cycle:
// eventgen and the OpenAPI validator report those.
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
