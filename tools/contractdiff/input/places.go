package input

import (
	"fmt"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Reader reads the files of a side, and finds the JSON pointers of positions in them.
type Reader struct {
	*Side
	*reference.Files
	Diags    diag.List
	pointers map[string]*pointers
}

// pointers are the JSON pointers of the positions in a file. In YAML the position of an object is
// that of its first key too.
type pointers struct{ values, keys map[diag.Pos]string }

// Reader returns a reader without files. URLs are not fetched: a copy has to be below vendor/.
func (s *Side) Reader() *Reader {
	r := &Reader{Side: s, pointers: map[string]*pointers{}}
	r.Files = reference.New(s.FS, nil, &r.Diags)
	return r
}

// Err returns the faults that were found so far as an error, and nil if there are none.
func (r *Reader) Err() error { return r.Faults(r.Diags) }

// Pointer returns the JSON pointer of the value at a position, or of the member whose key is there.
// It returns "" if there is neither.
func (r *Reader) Pointer(at diag.Pos) string {
	known := r.index(at.File)
	if v, ok := known.values[at]; ok {
		return v
	}
	return known.keys[at]
}

// KeyPointer returns the JSON pointer of the member whose key is at a position.
func (r *Reader) KeyPointer(at diag.Pos) string { return r.index(at.File).keys[at] }

func (r *Reader) index(file string) *pointers {
	known := r.pointers[file]
	if known == nil {
		known = &pointers{map[diag.Pos]string{}, map[diag.Pos]string{}}
		r.pointers[file] = known
		if file != "" {
			known.add(r.Open(file, diag.Pos{}), "")
		}
	}
	return known
}

// add records where the values of a tree and the keys of its objects are.
func (p *pointers) add(n *source.Node, pointer string) {
	if n == nil {
		return
	}
	if _, known := p.values[n.Pos]; !known {
		p.values[n.Pos] = pointer
	}
	for _, m := range n.Pairs {
		at := pointer + "/" + source.Escape(m.Key.Value)
		p.add(m.Value, at)
		p.keys[m.Key.Pos] = at
	}
	for i, it := range n.Items {
		p.add(it, fmt.Sprint(pointer, "/", i))
	}
}
