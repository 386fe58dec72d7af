// Package numbers has sets of numbers, such as the operations of a contract. A set is kept in
// little memory and without pointers, is never changed once it was returned, and is searched
// without looking at all of it.
//
// The read model of package effect keeps its lists as such sets, and package store makes pages of
// them.
package numbers

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"slices"
	"sort"
)

// Set is a set of numbers. Its methods may be called at the same time.
type Set interface {
	// Len returns how many numbers there are.
	Len() int
	// Rank returns how many numbers are less than n.
	Rank(n uint32) int
	// Next returns the smallest number that is not less than from, and reports whether there is
	// one.
	Next(from uint32) (n uint32, ok bool)
}

// Upto is the numbers from 0 to one less than its value.
type Upto uint32

// Len implements Set.
func (u Upto) Len() int { return int(u) }

// Rank implements Set.
func (u Upto) Rank(n uint32) int { return int(min(uint32(u), n)) }

// Next implements Set.
func (u Upto) Next(from uint32) (uint32, bool) { return from, from < uint32(u) }

// List is numbers in ascending order.
type List []uint32

// Len implements Set.
func (l List) Len() int { return len(l) }

// Rank implements Set.
func (l List) Rank(n uint32) int {
	at, _ := slices.BinarySearch(l, n)
	return at
}

// Next implements Set.
func (l List) Next(from uint32) (uint32, bool) {
	at := l.Rank(from)
	if at == len(l) {
		return 0, false
	}
	return l[at], true
}

// With returns the list with a number that is greater than all others. As with append, the old list
// stays what it was, and only one list may be made of it.
func (l List) With(n uint32) List {
	if len(l) == cap(l) {
		l = slices.Grow(l, 1+len(l)/8)
	}
	return append(l, n)
}

var errNumbers = errors.New("not numbers in ascending order")

// Append appends what WithAll takes: each number as what it is more than the one before it.
func (l List) Append(dst []byte) []byte {
	before := uint32(0)
	for _, n := range l {
		dst = binary.AppendUvarint(dst, uint64(n-before))
		before = n
	}
	return dst
}

// WithAll returns the list with the numbers that Append has appended. An error is returned if one
// of them is not greater than the one before it. The old list stays what it was, as with With.
func (l List) WithAll(data []byte) (List, error) {
	n := 0
	for _, b := range data {
		if b < 0x80 {
			n++
		}
	}
	all := append(make(List, 0, len(l)+n), l...)
	for before := uint64(0); len(data) > 0; {
		more, size := binary.Uvarint(data)
		if size <= 0 || more > math.MaxUint32-before || len(all) > 0 && before+more <= uint64(all[len(all)-1]) {
			return nil, errNumbers
		}
		before += more
		all, data = append(all, uint32(before)), data[size:]
	}
	return all, nil
}

// Runs is numbers most of which follow each other.
type Runs struct {
	runs []run
	n    uint32
}

type run struct {
	first  uint32
	before uint32 // how many numbers are in earlier runs
}

// Len implements Set.
func (r Runs) Len() int { return int(r.n) }

// With returns the set with a number that is greater than all others. As with append, the old set
// stays what it was, and only one set may be made of it.
func (r Runs) With(n uint32) Runs {
	if last := len(r.runs) - 1; last < 0 || r.runs[last].first+r.n-r.runs[last].before != n {
		r.runs = append(r.runs, run{n, r.n})
	}
	r.n++
	return r
}

// Encode returns what WithAll takes, in parts of at most so many runs: for each run how many
// numbers are missing before it, and how many it has.
func (r Runs) Encode(most int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for from := 0; from < len(r.runs); from += most {
			var data []byte
			for i := from; i < min(from+most, len(r.runs)); i++ {
				before := uint32(0)
				if i > from {
					before = r.end(i - 1)
				}
				data = binary.AppendUvarint(data, uint64(r.runs[i].first-before))
				data = binary.AppendUvarint(data, uint64(r.end(i)-r.runs[i].first))
			}
			if !yield(data) {
				return
			}
		}
	}
}

// WithAll returns the set with the numbers of a part that Encode has returned. An error is returned
// if one of them is not greater than the one before it. The old set stays what it was, as with
// With.
func (r Runs) WithAll(data []byte) (Runs, error) {
	r.runs = slices.Clip(r.runs)
	for before := uint64(0); len(data) > 0; {
		gap, size := binary.Uvarint(data)
		if size <= 0 {
			return Runs{}, errNumbers
		}
		data = data[size:]
		count, size := binary.Uvarint(data)
		if size <= 0 || count == 0 || gap > math.MaxUint32 || count > math.MaxUint32 || before+gap+count > math.MaxUint32 {
			return Runs{}, errNumbers
		}
		first, last := before+gap, len(r.runs)-1
		if last >= 0 && first <= uint64(r.end(last)) {
			return Runs{}, errNumbers
		}
		r.runs = append(r.runs, run{uint32(first), r.n})
		r.n += uint32(count)
		before, data = first+count, data[size:]
	}
	return r, nil
}

// end returns the number behind the last one of a run.
func (r Runs) end(i int) uint32 {
	after := r.n
	if i+1 < len(r.runs) {
		after = r.runs[i+1].before
	}
	return r.runs[i].first + after - r.runs[i].before
}

// find returns the last run that begins at n or before it, -1 if there is none.
func (r Runs) find(n uint32) int {
	return sort.Search(len(r.runs), func(i int) bool { return r.runs[i].first > n }) - 1
}

// Rank implements Set.
func (r Runs) Rank(n uint32) int {
	i := r.find(n)
	if i < 0 {
		return 0
	}
	return int(r.runs[i].before + min(n, r.end(i)) - r.runs[i].first)
}

// Next implements Set.
func (r Runs) Next(from uint32) (uint32, bool) {
	i := r.find(from)
	if i >= 0 && from < r.end(i) {
		return from, true
	}
	if i+1 < len(r.runs) {
		return r.runs[i+1].first, true
	}
	return 0, false
}

// Union is the numbers of sets that have none in common.
type Union []Set

// Len implements Set.
func (u Union) Len() (n int) {
	for _, s := range u {
		n += s.Len()
	}
	return n
}

// Rank implements Set.
func (u Union) Rank(n uint32) (rank int) {
	for _, s := range u {
		rank += s.Rank(n)
	}
	return rank
}

// Next implements Set.
func (u Union) Next(from uint32) (first uint32, ok bool) {
	for _, s := range u {
		if n, more := s.Next(from); more && (!ok || n < first) {
			first, ok = n, true
		}
	}
	return first, ok
}

// Without is the numbers of All that are not in Out, whose numbers are all in All.
type Without struct {
	All Upto
	Out Set
}

// Len implements Set.
func (w Without) Len() int { return w.All.Len() - w.Out.Len() }

// Rank implements Set.
func (w Without) Rank(n uint32) int { return w.All.Rank(n) - w.Out.Rank(n) }

// Next implements Set.
func (w Without) Next(from uint32) (uint32, bool) {
	for out, more := w.Out.Next(from); more && out == from; out, more = w.Out.Next(from) {
		from++
	}
	return w.All.Next(from)
}

// Page returns at most limit of the numbers that are in all the sets, the skip smallest left out,
// and how many numbers are in all of them. It looks at a page of one set alone; in several sets, it
// looks for the numbers of the smallest. A union is asked for each of them set by set, or is sorted
// if that costs less.
func Page(skip, limit int, sets ...Set) (page []uint32, total int) {
	if len(sets) == 1 {
		return pageOf(sets[0], skip, limit), sets[0].Len()
	}
	for n := range All(sets...) {
		if total >= skip && len(page) < limit {
			page = append(page, n)
		}
		total++
	}
	return page, total
}

// All iterates over the numbers that are in all the sets, in ascending order.
func All(sets ...Set) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		sets := prepare(sets)
		for n, ok := common(0, sets); ok && yield(n) && n < math.MaxUint32; {
			n, ok = common(n+1, sets)
		}
	}
}

// pageOf returns a page of a set.
func pageOf(s Set, skip, limit int) (page []uint32) {
	if skip >= s.Len() {
		return nil
	}
	from := uint32(sort.Search(math.MaxUint32, func(n int) bool { return s.Rank(uint32(n)+1) > skip }))
	for n, ok := s.Next(from); ok && len(page) < limit; n, ok = s.Next(n + 1) {
		page = append(page, n)
	}
	return page
}

// fewSets is how many sets a union has at most that is asked for each number.
const fewSets = 4

// prepare returns the sets, the smallest first. The smallest one becomes a list if it is a union of
// many sets, and so do others that are not much larger: as many numbers are looked for in each as
// the smallest has, in every set of it.
func prepare(sets []Set) []Set {
	sets = slices.SortedFunc(slices.Values(sets), func(a, b Set) int { return a.Len() - b.Len() })
	for i, s := range sets {
		if u, ok := s.(Union); ok && len(u) > fewSets && (i == 0 || u.Len() < sets[0].Len()*len(u)/fewSets) {
			sets[i] = u.list()
		}
	}
	return sets
}

func (u Union) list() List {
	all := make(List, 0, u.Len())
	for _, s := range u {
		if l, ok := s.(List); ok {
			all = append(all, l...)
			continue
		}
		for n, ok := s.Next(0); ok; n, ok = s.Next(n + 1) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// common returns the smallest number that is in all the sets and is not less than from, and reports
// whether there is one.
func common(from uint32, sets []Set) (uint32, bool) {
	for same := 0; same < len(sets); {
		for _, s := range sets {
			n, ok := s.Next(from)
			switch {
			case !ok:
				return 0, false
			case n == from:
				same++
			default:
				from, same = n, 1
			}
			if same == len(sets) {
				break
			}
		}
	}
	return from, true
}
