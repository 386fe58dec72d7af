package pack

// Index finds handles by the hash of what they stand for. It keeps 40 bits of a hash, and any
// number of handles may have the same: the owner compares. The zero value is empty.
//
// An entry is a number, the bits of the hash before the handle. The entries of a shard are sorted,
// with gaps: each is at the place that its bits have in proportion, or right behind others. So an
// entry is found near its place, and a shard grows by being copied once.
type Index struct {
	shards [256]shard
	n      int
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
	fullestNum, fullestDen = 9, 10
	smallest               = 8
	behind                 = 8 // entries behind the last place
)

// HashMask has the bits of a hash that an index knows.
const HashMask = 1<<64 - 1<<24

func split(hash uint64) (number uint8, bits uint32) { return uint8(hash >> 56), uint32(hash >> 24) }

func bitsOf(entry uint64) uint32 { return uint32(entry >> 32) }

// place returns where entries with such bits begin.
func (s *shard) place(bits uint32) int { return int(uint64(bits) * s.size >> 32) }

// Len returns how many entries there are.
func (x *Index) Len() int { return x.n }

// Bytes returns how much memory the index takes.
func (x *Index) Bytes() (bytes int64) {
	for i := range x.shards {
		bytes += int64(cap(x.shards[i].entries)) * 8
	}
	return bytes
}

// Add adds a handle.
func (x *Index) Add(hash uint64, h Handle) {
	number, bits := split(hash)
	s := &x.shards[number]
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
		if entry == 0 {
			continue
		}
		next = max(next, s.place(bitsOf(entry)))
		if next < len(s.entries) {
			s.entries[next] = entry
		} else {
			s.entries = append(s.entries, entry)
		}
		next++
	}
}

// find returns where the first entry is that has the bits of the hash and that is reports true for,
// and the shard; -1 if there is none.
func (x *Index) find(hash uint64, is func(Handle) bool) (*shard, int) {
	number, bits := split(hash)
	s := &x.shards[number]
	for i := s.place(bits); i < len(s.entries) && s.entries[i] != 0 && bitsOf(s.entries[i]) <= bits; i++ {
		if bitsOf(s.entries[i]) == bits && is(Handle(s.entries[i])) {
			return s, i
		}
	}
	return s, -1
}

// Find returns the first handle with such a hash that is reports true for, and reports whether
// there is one. It may call is for handles with another hash. is must not change the index.
func (x *Index) Find(hash uint64, is func(Handle) bool) (h Handle, ok bool) {
	s, i := x.find(hash, is)
	if i < 0 {
		return 0, false
	}
	return Handle(s.entries[i]), true
}

// Replace puts another handle in the place of one, and reports whether that was there.
func (x *Index) Replace(hash uint64, old, new Handle) bool {
	s, i := x.find(hash, func(h Handle) bool { return h == old })
	if i < 0 {
		return false
	}
	s.entries[i] = s.entries[i]>>32<<32 | uint64(new)
	return true
}

// Remove removes a handle, and reports whether it was there.
func (x *Index) Remove(hash uint64, h Handle) bool {
	s, i := x.find(hash, func(other Handle) bool { return other == h })
	if i < 0 {
		return false
	}
	for ; i+1 < len(s.entries) && s.entries[i+1] != 0 && s.place(bitsOf(s.entries[i+1])) <= i; i++ {
		s.entries[i] = s.entries[i+1]
	}
	s.entries[i] = 0
	s.n--
	x.n--
	if s.size > smallest && uint64(s.n) < s.size/2 {
		s.resize(max(smallest, uint64(s.n)*5/4))
	}
	return true
}

// Grow makes room for n entries altogether.
func (x *Index) Grow(n int) {
	each := uint64(n)/uint64(len(x.shards))*fullestDen/fullestNum*17/16 + smallest
	for i := range x.shards {
		if s := &x.shards[i]; s.size < each {
			s.resize(each)
		}
	}
}
