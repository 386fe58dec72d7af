// Package reference reads files once each and follows the references between them: $ref to a part
// of the same file, to another file, to a part of it, or to a URL.
//
// Package parse reads documents with it, and package model looks for files of Avro types; the tests
// of jsonschema use it too.
package reference

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Files reads files and keeps them.
type Files struct {
	fsys   fs.FS
	fetch  Fetch                         // nil: URLs are not fetched
	base   string                        // folder of the document being read
	copies string                        // folder of copies of URLs; "": vendor below base
	open   map[*source.Node]bool         // references being followed
	ends   map[*source.Node]*source.Node // what references lead to in the end
	roots  map[string]*source.Node       // nil: the file is not valid, which was reported
	faults map[string]diag.List          // of files that were read
	away   map[string]*answer            // of URLs that were fetched
	sums   map[string][32]byte
	names  map[string]string // of files below base, for Find
	edits  map[string]edit   // of documents
	diags  *diag.List
}

// edit is what changes a document before it is read, and the bytes that the change comes from.
type edit struct {
	change func(*source.Node) *source.Node
	from   []byte
}

// Fetch returns what is at a URL, and the URL where it was found after redirects.
type Fetch func(url string) (data []byte, from string, err error)

// answer is the result of fetching a URL.
type answer struct {
	data []byte
	from string
	err  error
}

// New returns files of a file system. Faults of files are added to the list. A URL is looked for as
// vendor/HOST/PATH beside the document, and then fetched unless fetch is nil.
func New(fsys fs.FS, fetch Fetch, diags *diag.List) *Files {
	return &Files{fsys: fsys, fetch: fetch, open: map[*source.Node]bool{}, ends: map[*source.Node]*source.Node{}, roots: map[string]*source.Node{}, faults: map[string]diag.List{}, away: map[string]*answer{}, sums: map[string][32]byte{}, edits: map[string]edit{}, diags: diags}
}

// Copies sets the folder in which a URL is looked for as HOST/PATH, instead of vendor beside the
// document. An empty name changes nothing.
func (f *Files) Copies(folder string) { f.copies = folder }

// Edit has a document changed before it is read. From is what the change comes from; it counts as a
// part of the document for Sum. Edits of one document follow each other.
func (f *Files) Edit(document string, change func(*source.Node) *source.Node, from []byte) {
	document = path.Clean(document)
	if before, twice := f.edits[document]; twice {
		last := change
		change = func(n *source.Node) *source.Node { return last(before.change(n)) }
		from = slices.Concat(before.from, from)
	}
	f.edits[document] = edit{change, from}
}

// Begin makes a document the one that is being read: vendor and Find are relative to its folder.
func (f *Files) Begin(document string) { f.base = path.Dir(document) }

// Open returns the root of a file, or nil after reporting why it cannot be read. at is the place
// that names the file, if it is known.
func (f *Files) Open(name string, at diag.Pos) *source.Node {
	if !isURL(name) {
		name = path.Clean(name)
	}
	if n, ok := f.roots[name]; ok {
		f.diags.Add(f.faults[name]...) // which may be warnings of what used the file before
		return n
	}
	data, err := f.read(name)
	if err != nil {
		f.cannotRead(name, at, err)
		return nil // not kept, so that it is reported at every place that names the file
	}
	n, ds := source.Parse(name, data)
	f.faults[name] = ds
	f.diags.Add(ds...)
	if e, edited := f.edits[name]; edited && n != nil {
		n, data = e.change(n), slices.Concat(data, e.from)
	}
	f.roots[name], f.sums[name] = n, sha256.Sum256(data)
	return n
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// read returns the content of a file or a URL.
func (f *Files) read(name string) ([]byte, error) {
	if !isURL(name) {
		return fs.ReadFile(f.fsys, name)
	}
	data, err := fs.ReadFile(f.fsys, f.copyOf(name))
	if err == nil || f.fetch == nil {
		return data, err
	}
	a := f.away[name]
	if a == nil { // each URL is fetched once, even if that fails
		a = &answer{}
		a.data, a.from, a.err = f.fetch(name)
		f.away[name] = a
	}
	return a.data, a.err
}

// copyOf returns where a copy of what is at a URL is looked for.
func (f *Files) copyOf(address string) string {
	_, place, _ := strings.Cut(address, "://")
	return path.Join(cmp.Or(f.copies, path.Join(f.base, "vendor")), place)
}

func (f *Files) cannotRead(name string, at diag.Pos, err error) {
	if isURL(name) {
		copied := "keep a copy at " + f.copyOf(name)
		if f.fetch == nil {
			f.diags.ErrorHint(at, copied+", or allow it with -allow-remote", "%s is remote", name)
		} else {
			f.diags.ErrorHint(at, copied+" if it cannot be fetched", "cannot read %s: %v", name, err)
		}
		return
	}
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

// Beside returns the path of a file in the folder of another one, or "" if there is none.
func (f *Files) Beside(name, other string) string {
	at := f.Resolve(other, url.PathEscape(name))
	there := f.Exists(at)
	if isURL(at) {
		_, err := f.read(at)
		there = err == nil
	}
	if !there {
		return ""
	}
	return at
}

// Exists reports whether there is a file of that name.
func (f *Files) Exists(name string) bool {
	info, err := fs.Stat(f.fsys, path.Clean(name))
	return err == nil && info.Mode().IsRegular()
}

// Find returns the path of the file with a name that is nearest to the document, in its folder or
// below it, or "" if there is none.
func (f *Files) Find(name string) string {
	if f.names == nil {
		f.names = map[string]string{}
		left := 10000 // entries; with more below a document, types are not looked for
		_ = fs.WalkDir(f.fsys, f.base, func(at string, d fs.DirEntry, err error) error {
			if left--; left < 0 {
				return fs.SkipAll
			}
			if err != nil || d.IsDir() && at != f.base && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			if have, ok := f.names[d.Name()]; !d.IsDir() && (!ok || strings.Count(at, "/") < strings.Count(have, "/")) {
				f.names[d.Name()] = at
			}
			return nil
		})
	}
	return f.names[name]
}

// FindType returns the schema in the file that is named like an Avro type: beside the file that
// uses the type, or else below the document. It returns nil if there is none.
func (f *Files) FindType(fullname, fromFile string) *source.Node {
	short := fullname[strings.LastIndex(fullname, ".")+1:]
	names := slices.Compact([]string{short + ".avsc", fullname + ".avsc"})
	for _, name := range names {
		if at := f.Beside(name, fromFile); at != "" {
			return f.Open(at, diag.Pos{})
		}
	}
	for _, name := range names {
		if at := f.Find(name); at != "" {
			return f.Open(at, diag.Pos{})
		}
	}
	return nil
}

// Local returns the names of the files that were read, without URLs, sorted.
func (f *Files) Local() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.roots)), isURL)
}

// Sum returns the SHA-256 of a file that was read, in hexadecimal.
func (f *Files) Sum(name string) string {
	sum := f.sums[name]
	return hex.EncodeToString(sum[:])
}

// Is reports whether a node is a reference.
func Is(n *source.Node) bool { return n.Get("$ref").Is(source.String) }

// Deref follows a node's references to the node they lead to. It returns a node that is not a
// reference as it is, and nil after reporting a fault.
func (f *Files) Deref(n *source.Node) *source.Node {
	var way []*source.Node
	for Is(n) {
		ref := n.Get("$ref")
		if i := slices.Index(way, n); i >= 0 {
			f.diags.ErrorHint(way[i].Get("$ref").Pos, circle(way[i:]), "$ref %q leads back to itself", way[i].Get("$ref").Value)
			return nil
		}
		way = append(way, n)
		f.siblings(n)
		if end := f.ends[n]; end != nil {
			n = end
			break
		}
		if n = f.follow(ref); n == nil {
			return nil
		}
	}
	for _, at := range way {
		f.ends[at] = n
	}
	return n
}

// siblings warns about members beside a $ref, which AsyncAPI ignores.
func (f *Files) siblings(n *source.Node) {
	for _, p := range n.Pairs {
		if p.Key.Value != "$ref" && !strings.HasPrefix(p.Key.Value, "x-") {
			f.diags.Warnf(p.Key.Pos, "", "%q stands beside $ref and is ignored", p.Key.Value)
		}
	}
}

// circle returns a hint that lists references that lead to one another.
func circle(way []*source.Node) string {
	var b strings.Builder
	for _, n := range append(way, way[0]) {
		ref := n.Get("$ref")
		if b.Len() > 0 {
			b.WriteString("\nto ")
		}
		fmt.Fprintf(&b, "%s (%s)", ref.Value, ref.Pos)
	}
	return b.String()
}

// Resolve returns the path of the file that a reference in another file names. References in a file
// that was fetched are relative to where it was found.
func (f *Files) Resolve(from, file string) string {
	if isURL(file) {
		return file
	}
	if a := f.away[from]; a != nil && a.from != "" {
		from = a.from
	}
	if isURL(from) {
		if u, err := url.Parse(from); err == nil {
			if r, err := u.Parse(file); err == nil {
				return r.String()
			}
		}
	}
	if un, err := url.PathUnescape(file); err == nil {
		file = un
	}
	if path.IsAbs(file) {
		return file
	}
	return path.Join(path.Dir(from), file)
}

// follow returns the node that one $ref names. Steps of its pointer may lead through further
// references.
func (f *Files) follow(ref *source.Node) *source.Node {
	if f.open[ref] {
		f.diags.Errorf(ref.Pos, "$ref %q leads through itself", ref.Value)
		return nil
	}
	f.open[ref] = true
	defer delete(f.open, ref)
	file, pointer, _ := strings.Cut(ref.Value, "#")
	name := ref.File()
	if file != "" {
		name = f.Resolve(ref.File(), file)
	}
	if u, err := url.Parse(name); err == nil && len(u.Scheme) > 1 && !isURL(name) {
		f.diags.ErrorHint(ref.Pos, "refer to a file or to an https URL", "the scheme of $ref %q is not supported", ref.Value)
		return nil
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
		if Is(cur) {
			if cur = f.Deref(cur); cur == nil {
				return nil
			}
		}
		next, _, missing := cur.Lookup("/" + step)
		if next == nil {
			hint := diag.OneOf("names there", missing, cur.Keys())
			if cur.Is(source.Seq) {
				hint = fmt.Sprintf("a list of %d is there, and its items count from 0", len(cur.Items))
			}
			f.diags.ErrorHint(ref.Pos, hint, "$ref %q leads nowhere: there is no %q in %s", ref.Value, missing, cur.File())
			return nil
		}
		cur = next
	}
	return cur
}

// Merge returns one object with another one applied to it as a JSON merge patch: members of objects
// are merged one by one, anything else is replaced, and null removes.
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
