package parse

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Files reads files once each and follows references between them.
type Files struct {
	fsys  fs.FS
	roots map[string]*source.Node // nil: the file could not be read, which was told
	sums  map[string][32]byte
	diags *diag.List
}

// NewFiles reads from a file system; what is wrong with a file goes to the list.
func NewFiles(fsys fs.FS, diags *diag.List) *Files {
	return &Files{fsys: fsys, roots: map[string]*source.Node{}, sums: map[string][32]byte{}, diags: diags}
}

// Open gives the root of a file, or nil after telling why not. at is where the file is named; it may be unknown.
func (f *Files) Open(name string, at diag.Pos) *source.Node {
	name = path.Clean(name)
	if n, ok := f.roots[name]; ok {
		return n
	}
	data, err := fs.ReadFile(f.fsys, name)
	if err != nil {
		f.cannotRead(name, at, err)
		return nil // not remembered: every place that names the file is told of
	}
	n, ds := source.Parse(name, data)
	f.diags.Add(ds...)
	f.roots[name], f.sums[name] = n, sha256.Sum256(data)
	return n
}

func (f *Files) cannotRead(name string, at diag.Pos, err error) {
	if !at.IsValid() {
		at = diag.Pos{File: name}
	}
	switch info, statErr := fs.Stat(f.fsys, name); {
	case statErr == nil && info.IsDir():
		f.diags.ErrorHint(at, "name the document inside it", "%s is a folder", name)
	case errors.Is(err, fs.ErrNotExist):
		f.diags.ErrorHint(at, "references are relative to the file they stand in", "there is no file %s", name)
	default:
		f.diags.Errorf(at, "cannot read %s: %v", name, err)
	}
}

// Exists says whether a file is there, without reading it.
func (f *Files) Exists(name string) bool {
	info, err := fs.Stat(f.fsys, path.Clean(name))
	return err == nil && info.Mode().IsRegular()
}

// Sum gives the SHA-256 of a file that was read, in hexadecimal.
func (f *Files) Sum(name string) string {
	sum := f.sums[name]
	return hex.EncodeToString(sum[:])
}

// IsRef says whether a node is a reference.
func IsRef(n *source.Node) bool { return n.Get("$ref").Is(source.String) }

// Deref follows a node's references to what they name; other nodes it gives back. It gives nil after telling what is wrong.
func (f *Files) Deref(n *source.Node) *source.Node {
	seen := map[*source.Node]bool{}
	for IsRef(n) {
		ref := n.Get("$ref")
		if seen[n] {
			f.diags.Errorf(ref.Pos, "$ref %q leads back to itself", ref.Value)
			return nil
		}
		seen[n] = true
		f.siblings(n)
		if n = f.follow(ref); n == nil {
			return nil
		}
	}
	return n
}

// siblings warns of what stands beside a $ref, as AsyncAPI ignores it.
func (f *Files) siblings(n *source.Node) {
	for _, p := range n.Pairs {
		if p.Key.Value != "$ref" && !strings.HasPrefix(p.Key.Value, "x-") {
			f.diags.Warnf(p.Key.Pos, "", "%q stands beside $ref and is ignored", p.Key.Value)
		}
	}
}

// follow goes to what one $ref names. Steps of its pointer may lead through further references.
func (f *Files) follow(ref *source.Node) *source.Node {
	file, pointer, _ := strings.Cut(ref.Value, "#")
	if u, err := url.Parse(ref.Value); err == nil && u.Scheme != "" {
		f.diags.ErrorHint(ref.Pos, "keep a copy beside the document and refer to that", "$ref %q is remote, which is not supported", ref.Value)
		return nil
	}
	name := ref.Pos.File
	if file != "" {
		if un, err := url.PathUnescape(file); err == nil {
			file = un
		}
		name = path.Join(path.Dir(ref.Pos.File), file)
	}
	cur := f.Open(name, ref.Pos)
	if cur == nil || pointer == "" {
		return cur
	}
	if !strings.HasPrefix(pointer, "/") {
		f.diags.ErrorHint(ref.Pos, "a JSON pointer begins with #/", "$ref %q has no JSON pointer behind #", ref.Value)
		return nil
	}
	for step := range strings.SplitSeq(pointer[1:], "/") {
		if IsRef(cur) {
			if cur = f.Deref(cur); cur == nil {
				return nil
			}
		}
		next, _, missing := cur.Lookup("/" + step)
		if next == nil {
			f.diags.ErrorHint(ref.Pos, diag.OneOf("names there", missing, cur.Keys()), "$ref %q leads nowhere: there is no %q in %s", ref.Value, missing, cur.Pos.File)
			return nil
		}
		cur = next
	}
	return cur
}

// Merge puts one object over another as a JSON merge patch does: members of objects one by one, anything else whole, null takes away.
func (f *Files) Merge(under, over *source.Node) *source.Node {
	if under == nil || over == nil {
		if over == nil {
			return under
		}
		return over
	}
	if u, o := f.Deref(under), f.Deref(over); u.Is(source.Map) && o.Is(source.Map) {
		if u == o {
			return over
		}
		under, over = u, o
	} else {
		return over
	}
	out := &source.Node{Pos: over.Pos, Kind: source.Map}
	for _, p := range under.Pairs {
		q, ok := over.Pair(p.Key.Value)
		switch {
		case !ok:
			out.Pairs = append(out.Pairs, p)
		case !q.Value.Is(source.Null):
			out.Pairs = append(out.Pairs, source.Pair{Key: q.Key, Value: f.Merge(p.Value, q.Value)})
		}
	}
	for _, p := range over.Pairs {
		if _, ok := under.Pair(p.Key.Value); !ok {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return out
}
