package pack

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Index finds handles by the hash of what they stand for. It keeps 42 bits of a hash, and any
// number of handles may have the same: the owner compares. The zero value is empty.
//
// An entry is a number, the bits of the hash before the handle. The entries of a shard are sorted,
// with gaps: each is at the place that its bits have in proportion, or right behind others. So an
// entry is found near its place, and a shard grows by being copied once.
type Index struct {
	shards [shards]shard
	n      int
	cut    *IndexCut // that is being handed out; nil if none is
}

type shard struct {
	entries []uint64 // 0: none; longer than size, for the last ones
	size    uint64
	n       int
}

// A shard grows when it is full to fullest, by a fifth, so that it is at least 3/4 full then. It
// shrinks when it is less than half full because of removals. A pause for either is that of one
// shard.
const (
	shardBits              = 10
	shards                 = 1 << shardBits
	fullestNum, fullestDen = 9, 10
	smallest               = 8
	behind                 = 8 // entries behind the last place
	entrySize              = 8 // bytes
)

// hashMask has the bits of a hash that an index knows.
const hashMask = 1<<64 - 1<<(32-shardBits)

func split(hash uint64) (number int, bits uint32) {
	return int(hash >> (64 - shardBits)), uint32(hash >> (32 - shardBits))
}

func bitsOf(entry uint64) uint32 { return uint32(entry >> 32) }

// place returns where entries with such bits begin.
func (s *shard) place(bits uint32) int { return int(uint64(bits) * s.size >> 32) }

// Len returns how many entries there are.
func (x *Index) Len() int { return x.n }

// Bytes returns how much memory the index takes.
func (x *Index) Bytes() (bytes int64) {
	for i := range x.shards {
		bytes += int64(cap(x.shards[i].entries)) * entrySize
	}
	return bytes
}

// changing returns a shard that is about to change.
func (x *Index) changing(number int) *shard {
	s := &x.shards[number]
	if x.cut != nil {
		x.cut.keep(number, s)
	}
	return s
}

// Add adds a handle.
func (x *Index) Add(hash uint64, h Handle) {
	number, bits := split(hash)
	s := x.changing(number)
	if uint64(s.n+1)*fullestDen > s.size*fullestNum {
		s.resize(max(smallest, s.size+s.size/5+1))
	}
	s.add(uint64(bits)<<32 | uint64(h))
	x.n++
}

func (s *shard) add(entry uint64) {
	i := s.place(bitsOf(entry))
	for i < len(s.entries) && s.entries[i] != 0 && bitsOf(s.entries[i]) <= bitsOf(entry) {
		i++
	}
	s.n++
	for ; i < len(s.entries); i++ {
		if s.entries[i], entry = entry, s.entries[i]; entry == 0 {
			return
		}
	}
	s.entries = append(s.entries, entry)
}

// resize copies the entries of the shard to so many places.
func (s *shard) resize(size uint64) {
	old := s.entries
	s.entries, s.size = make([]uint64, size+behind), size
	next := 0
	for _, entry := range old {
		if entry != 0 {
			next = s.put(next, entry)
		}
	}
}

// put adds an entry whose bits are not less than those of the entries before it, at place next or
// behind it, and returns where the one after it may be.
func (s *shard) put(next int, entry uint64) int {
	next = max(next, s.place(bitsOf(entry)))
	if next < len(s.entries) {
		s.entries[next] = entry
	} else {
		s.entries = append(s.entries, entry)
	}
	return next + 1
}

// find returns where the first entry is that has the bits of the hash and that is reports true for,
// and the number of its shard; -1 if there is none.
func (x *Index) find(hash uint64, is func(Handle) bool) (number, at int) {
	number, bits := split(hash)
	s := &x.shards[number]
	for i := s.place(bits); i < len(s.entries) && s.entries[i] != 0 && bitsOf(s.entries[i]) <= bits; i++ {
		if bitsOf(s.entries[i]) == bits && is(Handle(s.entries[i])) {
			return number, i
		}
	}
	return number, -1
}

// Find returns the first handle with such a hash that is reports true for, and reports whether
// there is one. It may call is for handles with another hash. is must not change the index.
func (x *Index) Find(hash uint64, is func(Handle) bool) (h Handle, ok bool) {
	number, i := x.find(hash, is)
	if i < 0 {
		return 0, false
	}
	return Handle(x.shards[number].entries[i]), true
}

// Replace puts another handle in the place of one, and reports whether that was there.
func (x *Index) Replace(hash uint64, old, new Handle) bool {
	number, i := x.find(hash, func(h Handle) bool { return h == old })
	if i < 0 {
		return false
	}
	s := x.changing(number)
	s.entries[i] = s.entries[i]>>32<<32 | uint64(new)
	return true
}

// Remove removes a handle, and reports whether it was there.
func (x *Index) Remove(hash uint64, h Handle) bool {
	number, i := x.find(hash, func(other Handle) bool { return other == h })
	if i < 0 {
		return false
	}
	s := x.changing(number)
	for ; i+1 < len(s.entries) && s.entries[i+1] != 0 && s.place(bitsOf(s.entries[i+1])) <= i; i++ {
		s.entries[i] = s.entries[i+1]
	}
	s.entries[i] = 0
	x.removed(s, 1)
	return true
}

// RemoveAll removes every handle that is reports true for. It looks at each, which takes a few
// nanoseconds.
func (x *Index) RemoveAll(is func(Handle) bool) {
	for number := range x.shards {
		if slices.ContainsFunc(x.shards[number].entries, func(entry uint64) bool { return entry != 0 && is(Handle(entry)) }) {
			s := x.changing(number)
			x.removed(s, s.removeAll(is))
		}
	}
}

// removeAll removes entries, and returns how many. Those that stay move towards their places.
func (s *shard) removeAll(is func(Handle) bool) (removed int) {
	next := 0
	for i, entry := range s.entries {
		if entry == 0 {
			continue
		}
		s.entries[i] = 0
		if is(Handle(entry)) {
			removed++
		} else {
			next = s.put(next, entry)
		}
	}
	return removed
}

// removed notes that so many entries of a shard were removed.
func (x *Index) removed(s *shard, n int) {
	s.n -= n
	x.n -= n
	if s.size > smallest && uint64(s.n) < s.size/2 {
		s.resize(max(smallest, uint64(s.n)*5/4))
	}
}

// IndexCut is the entries of an index as they were when the cut began. A shard that changes before
// it was handed out is copied first.
type IndexCut struct {
	of     *Index
	next   int              // the shard that is handed out next
	before [shards][]uint64 // shards that have changed since
}

// Cut begins a cut, in place of one that was not ended.
func (x *Index) Cut() *IndexCut {
	x.cut = &IndexCut{of: x}
	return x.cut
}

// End ends a cut: nothing is copied for it any more.
func (c *IndexCut) End() {
	if c.of.cut == c {
		c.of.cut = nil
	}
}

// keep keeps a shard as it is, unless it was kept or handed out.
func (c *IndexCut) keep(number int, s *shard) {
	if number >= c.next && c.before[number] == nil {
		c.before[number] = append([]uint64{}, s.entries...) // not nil
	}
}

// cutSize is how many bytes an item of a cut has, unless one shard has more.
const cutSize = 16 << 10

// Next appends the next entries to dst, and reports whether there were any. It may be called beside
// methods that only read.
//
// They are shards, each as its number, how many entries it has, and the entries in their order.
func (c *IndexCut) Next(dst []byte) (_ []byte, more bool) {
	for start := len(dst); c.next < shards && len(dst)-start < cutSize; c.next++ {
		entries := c.before[c.next]
		if entries == nil {
			entries = c.of.shards[c.next].entries
		}
		c.before[c.next] = nil
		n := 0
		for _, entry := range entries {
			if entry != 0 {
				n++
			}
		}
		if n == 0 {
			continue
		}
		more = true
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(c.next)), uint64(n))
		dst = slices.Grow(dst, n*entrySize)
		for _, entry := range entries {
			if entry != 0 {
				dst = binary.LittleEndian.AppendUint64(dst, entry)
			}
		}
	}
	return dst, more
}

var errIndex = errors.New("not entries of an index")

// Restore adds the shards that a call of IndexCut.Next has appended, and calls each with the
// handles. An error is returned if data is not whole shards that the index does not have yet, or if
// each returns one; the index must not be used any more then.
func (x *Index) Restore(data []byte, each func(Handle) error) error {
	for len(data) > 0 {
		number, rest, ok := length(data, shards-1)
		if !ok || x.shards[number].n > 0 {
			return errIndex
		}
		n, rest, ok := length(rest, uint64(len(rest)/entrySize))
		if !ok || n == 0 || n*entrySize > len(rest) {
			return errIndex
		}
		if err := x.shards[number].restore(rest[:n*entrySize], each); err != nil {
			return err
		}
		x.n += n
		data = rest[n*entrySize:]
	}
	return nil
}

// restore fills the empty shard, and leaves room for some more entries.
func (s *shard) restore(data []byte, each func(Handle) error) error {
	s.n = len(data) / entrySize
	s.size = max(smallest, uint64(s.n)*fullestDen/fullestNum*17/16)
	s.entries = make([]uint64, s.size+behind)
	next, last := 0, uint32(0)
	for at := 0; at < len(data); at += entrySize {
		entry := binary.LittleEndian.Uint64(data[at:])
		if entry == 0 || bitsOf(entry) < last {
			return errIndex
		}
		if err := each(Handle(entry)); err != nil {
			return err
		}
		last = bitsOf(entry)
		next = s.put(next, entry)
	}
	return nil
}
