package parse

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Files reads files once each and follows references between them.
type Files struct {
	fsys  fs.FS
	fetch Fetch                         // nil: not allowed
	base  string                        // folder of the document being read
	open  map[*source.Node]bool         // references being followed
	ends  map[*source.Node]*source.Node // what references lead to in the end
	roots map[string]*source.Node       // nil: the file could not be read, which was told
	away  map[string]*answer            // of URLs that were asked for
	sums  map[string][32]byte
	names map[string]string // of files below base, for Find
	diags *diag.List
}

// Fetch gets what is at a URL, and the URL under which it was found in the end.
type Fetch func(url string) (data []byte, from string, err error)

// answer is what asking for a URL gave.
type answer struct {
	data []byte
	from string
	err  error
}

// NewFiles reads from a file system; what is wrong with a file goes to the list. fetch gets what is
// at a URL; without it URLs are looked for in the folder vendor beside the document, as
// vendor/HOST/PATH, and nowhere else.
func NewFiles(fsys fs.FS, fetch Fetch, diags *diag.List) *Files {
	return &Files{fsys: fsys, fetch: fetch, open: map[*source.Node]bool{}, ends: map[*source.Node]*source.Node{}, roots: map[string]*source.Node{}, away: map[string]*answer{}, sums: map[string][32]byte{}, diags: diags}
}

// Open gives the root of a file, or nil after telling why not. at is where the file is named; it
// may be unknown.
func (f *Files) Open(name string, at diag.Pos) *source.Node {
	if !isURL(name) {
		name = path.Clean(name)
	}
	if n, ok := f.roots[name]; ok {
		return n
	}
	data, err := f.read(name)
	if err != nil {
		f.cannotRead(name, at, err)
		return nil // not remembered: every place that names the file is told of
	}
	n, ds := source.Parse(name, data)
	f.diags.Add(ds...)
	f.roots[name], f.sums[name] = n, sha256.Sum256(data)
	return n
}

func isURL(name string) bool {
	return strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://")
}

// read gives a file, or what is at a URL.
func (f *Files) read(name string) ([]byte, error) {
	if !isURL(name) {
		return fs.ReadFile(f.fsys, name)
	}
	_, place, _ := strings.Cut(name, "://")
	data, err := fs.ReadFile(f.fsys, path.Join(f.base, "vendor", place))
	if err == nil || f.fetch == nil {
		return data, err
	}
	a := f.away[name]
	if a == nil { // each is asked for once, whatever comes of it
		a = &answer{}
		a.data, a.from, a.err = f.fetch(name)
		f.away[name] = a
	}
	return a.data, a.err
}

func (f *Files) cannotRead(name string, at diag.Pos, err error) {
	if isURL(name) {
		_, place, _ := strings.Cut(name, "://")
		copied := "keep a copy at " + path.Join(f.base, "vendor", place)
		if f.fetch == nil {
			f.diags.ErrorHint(at, copied+", or allow it with -allow-remote", "%s is remote", name)
		} else {
			f.diags.ErrorHint(at, copied+" when it cannot be had", "cannot read %s: %v", name, err)
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

// Beside gives the path of a file in the folder of another one, or "" when it is not there.
func (f *Files) Beside(name, other string) string {
	at := f.resolve(other, url.PathEscape(name))
	there := f.exists(at)
	if isURL(at) {
		_, err := f.read(at)
		there = err == nil
	}
	if !there {
		return ""
	}
	return at
}

func (f *Files) exists(name string) bool {
	info, err := fs.Stat(f.fsys, path.Clean(name))
	return err == nil && info.Mode().IsRegular()
}

// Find gives the file of that name nearest to the documents, in their folder or below it; "" when
// there is none.
func (f *Files) Find(name string) string {
	if f.names == nil {
		f.names = map[string]string{}
		left := 10000 // entries; who has more below a document has to say where its types are
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

// Sum gives the SHA-256 of a file that was read, in hexadecimal.
func (f *Files) Sum(name string) string {
	sum := f.sums[name]
	return hex.EncodeToString(sum[:])
}

// IsRef says whether a node is a reference.
func IsRef(n *source.Node) bool { return n.Get("$ref").Is(source.String) }

// Deref follows a node's references to what they name; other nodes it gives back. It gives nil
// after telling what is wrong.
func (f *Files) Deref(n *source.Node) *source.Node {
	var way []*source.Node
	for IsRef(n) {
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

// siblings warns of what stands beside a $ref, as AsyncAPI ignores it.
func (f *Files) siblings(n *source.Node) {
	for _, p := range n.Pairs {
		if p.Key.Value != "$ref" && !strings.HasPrefix(p.Key.Value, "x-") {
			f.diags.Warnf(p.Key.Pos, "", "%q stands beside $ref and is ignored", p.Key.Value)
		}
	}
}

// circle prints references that lead to one another.
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

// resolve gives the file that a reference names, from the file it stands in: for one that was
// fetched, from where it was found.
func (f *Files) resolve(from, file string) string {
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

// follow goes to what one $ref names. Steps of its pointer may lead through further references.
func (f *Files) follow(ref *source.Node) *source.Node {
	if f.open[ref] {
		f.diags.Errorf(ref.Pos, "$ref %q leads through itself", ref.Value)
		return nil
	}
	f.open[ref] = true
	defer delete(f.open, ref)
	file, pointer, _ := strings.Cut(ref.Value, "#")
	name := ref.Pos.File
	if file != "" {
		name = f.resolve(ref.Pos.File, file)
	}
	if u, err := url.Parse(name); err == nil && len(u.Scheme) > 1 && !isURL(name) {
		f.diags.ErrorHint(ref.Pos, "refer to a file, or to https", "$ref %q is of a kind that is not supported", ref.Value)
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
		if IsRef(cur) {
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
			f.diags.ErrorHint(ref.Pos, hint, "$ref %q leads nowhere: there is no %q in %s", ref.Value, missing, cur.Pos.File)
			return nil
		}
		cur = next
	}
	return cur
}

// Merge puts one object over another as a JSON merge patch does: members of objects one by one,
// anything else whole, null takes away.
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
