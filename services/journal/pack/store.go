package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Handle names an item of a Store, until the item is removed or its block is swept. It is never 0,
// and its top bit is never set: the owner may use that.
type Handle uint32

// maxBlocks is how many blocks a store has at most; see Handle.
const maxBlocks = 1 << (31 - slotBits)

func handle(block, slot int) Handle { return Handle(block<<slotBits | slot) }

func (h Handle) block() int { return int(h >> slotBits) }
func (h Handle) slot() int  { return int(h % slots) }

// Store keeps items.
type Store struct {
	layout Layout
	blocks []block // by number; there is no block 0
	free   []int   // numbers
	order  []at    // blocks as they were filled, and what is left of freed ones
	sparse []at    // blocks that became mostly unused
	filled uint64  // blocks so far
	bytes  int64
	len    int // blocks in use, without the open one

	open   items // the block that is being filled
	number int   // of the open block, 0 if there is none
	work   []byte
	cache  cache
}

// block is a block in use. Its data is nil while it is open.
type block struct {
	data        Block
	age         uint64 // how many blocks were filled before it: no other block has the same
	parts, used int32
	low, high   int64 // the earliest and the latest time of an item
}

// timeless is a block of which no item has a time.
var timeless = block{low: math.MaxInt64, high: math.MaxInt64}

// at is where a block is, if it is still the one of that age.
type at struct {
	number int32
	age    uint64
}

// New returns an empty store.
func New(l Layout) *Store {
	if l.Block == 0 {
		l.Block = 16 << 10
	}
	return &Store{layout: l, blocks: make([]block, 1)}
}

// Bytes returns how much memory the blocks take.
func (s *Store) Bytes() int64 { return s.bytes + int64(len(s.open.random)+len(s.open.rest)) }

// Add adds an item of so many parts, and copies it. The item is in use until Remove was called for
// each part. The item has at most MaxItem bytes, and no less than the layout's random ones.
func (s *Store) Add(item []byte, parts int) Handle {
	if len(item) > MaxItem || len(item) < s.layout.Random || parts < 1 {
		panic(fmt.Sprintf("pack: an item of %d bytes and %d parts", len(item), parts))
	}
	if s.number == 0 {
		s.number = s.take()
	}
	h := handle(s.number, s.open.len())
	s.open.add(item, s.layout)
	b := &s.blocks[s.number]
	b.parts += int32(parts)
	b.used += int32(parts)
	if len(s.open.random)+len(s.open.rest) >= s.layout.Block || s.open.len() == slots {
		s.seal()
	}
	return h
}

// take returns the number of a new block.
func (s *Store) take() int {
	n := len(s.blocks)
	if last := len(s.free) - 1; last >= 0 {
		n, s.free = s.free[last], s.free[:last]
	} else {
		s.blocks = append(s.blocks, block{})
	}
	if n >= maxBlocks {
		panic("pack: too many blocks")
	}
	s.filled++
	s.blocks[n] = timeless
	s.blocks[n].age = s.filled
	s.order = append(s.order, at{int32(n), s.filled})
	return n
}

// seal compresses the block that is being filled, however little is in it.
func (s *Store) seal() {
	if s.number == 0 {
		return
	}
	n := s.number
	s.number = 0
	if s.blocks[n].used == 0 {
		s.release(n)
	} else {
		var b Block
		b, s.work = s.open.pack(s.work)
		s.keep(n, b)
	}
	s.open.reset()
}

// keep makes b a block in use.
func (s *Store) keep(n int, b Block) {
	s.blocks[n].data = b
	s.bytes += int64(len(b))
	s.len++
	if s.blocks[n].sparse() {
		s.sparse = append(s.sparse, at{int32(n), s.blocks[n].age})
	}
}

// sparse reports whether less than half of the block is used.
func (b *block) sparse() bool { return 2*b.used < b.parts }

// Remove says that one part of an item is not used any more. A block without used parts is freed.
func (s *Store) Remove(h Handle) {
	b := &s.blocks[h.block()]
	was := b.sparse()
	b.used--
	switch {
	case b.data == nil: // open: see seal
	case b.used == 0:
		s.drop(h.block())
	case b.sparse() && !was:
		s.sparse = append(s.sparse, at{int32(h.block()), b.age})
	}
}

func (s *Store) drop(n int) {
	s.bytes -= int64(len(s.blocks[n].data))
	s.len--
	s.release(n)
}

// release makes the number of a block free.
func (s *Store) release(n int) {
	s.blocks[n] = block{}
	s.free = append(s.free, n)
	if len(s.order) > 64 && len(s.order) > 2*(s.len+1) {
		s.order = slices.DeleteFunc(s.order, s.gone)
	}
}

func (s *Store) gone(a at) bool { return s.blocks[a.number].age != a.age }

// Get appends an item to dst.
func (s *Store) Get(h Handle, dst []byte) ([]byte, error) {
	n := h.block()
	if n >= len(s.blocks) {
		return dst, fmt.Errorf("item %d is in no block", h)
	}
	if n == s.number && n > 0 {
		if h.slot() >= s.open.len() {
			return dst, fmt.Errorf("item %d is in no block", h)
		}
		return s.open.append(dst, h.slot(), s.layout), nil
	}
	return s.cache.get(s.blocks[n], h.slot(), dst, s.layout)
}

// Sweep frees a block that is mostly unused, and reports whether there was one. It calls keep with
// each item of the block before, also with those that were removed: keep adds again what is in use.
// It must not remove anything.
func (s *Store) Sweep(keep func(h Handle, item []byte)) (bool, error) {
	for len(s.sparse) > 0 {
		last := len(s.sparse) - 1
		a := s.sparse[last]
		s.sparse = s.sparse[:last]
		if !s.gone(a) {
			return true, s.sweep(int(a.number), keep)
		}
	}
	return false, nil
}

func (s *Store) sweep(n int, keep func(h Handle, item []byte)) error {
	err := s.items(n, func(h Handle, item []byte) error {
		keep(h, item)
		return nil
	})
	if err == nil {
		s.drop(n)
	}
	return err
}

// items calls each with every item of a block.
func (s *Store) items(n int, each func(h Handle, item []byte) error) error {
	return s.blocks[n].data.Items(s.layout, func(slot int, item []byte) error { return each(handle(n, slot), item) })
}

// Stamp says of what time an item is. Either all items of a store are stamped or none is.
func (s *Store) Stamp(h Handle, at int64) {
	b := &s.blocks[h.block()]
	if b.low == math.MaxInt64 {
		b.low, b.high = at, at
	}
	b.low, b.high = min(b.low, at), max(b.high, at)
}

// SweepBefore frees every block with an item of before that time, as Sweep does. Blocks without one
// are not looked at.
func (s *Store) SweepBefore(at int64, keep func(h Handle, item []byte)) error {
	s.seal()
	for _, a := range slices.Clone(s.order) {
		if b := &s.blocks[a.number]; b.age != a.age || b.low >= at {
			continue
		}
		if err := s.sweep(int(a.number), keep); err != nil {
			return err
		}
	}
	return nil
}

// DropBefore frees every block whose items are all of before that time, without looking at them,
// and returns a function that reports whether a handle is of an item that was freed. That function
// is of use until something is added.
func (s *Store) DropBefore(at int64) (dropped func(Handle) bool) {
	s.seal()
	gone := make([]bool, len(s.blocks))
	for _, a := range slices.Clone(s.order) {
		if b := &s.blocks[a.number]; b.age == a.age && b.high < at {
			gone[a.number] = true
			s.drop(int(a.number))
		}
	}
	return func(h Handle) bool { return gone[h.block()] }
}

// Earliest returns the earliest time that of returns for items of which it reports true. It calls
// of for the items of few blocks, because it knows from Stamp which need not be looked at.
func (s *Store) Earliest(of func(h Handle, item []byte) (at int64, ok bool)) (at int64, ok bool, err error) {
	s.seal()
	for _, a := range s.order {
		if b := &s.blocks[a.number]; b.age != a.age || ok && b.low >= at {
			continue
		}
		if err := s.items(int(a.number), func(h Handle, item []byte) error {
			if t, is := of(h, item); is && (!ok || t < at) {
				at, ok = t, true
			}
			return nil
		}); err != nil {
			return 0, false, err
		}
	}
	return at, ok, nil
}

// All calls each with every item, also with those that were removed and whose block was not swept.
func (s *Store) All(each func(h Handle, item []byte) error) error {
	for _, a := range s.order {
		n := int(a.number)
		if s.gone(a) || n == s.number {
			continue
		}
		if err := s.items(n, each); err != nil {
			return err
		}
	}
	var item []byte
	for slot := range s.open.len() {
		item = s.open.append(item[:0], slot, s.layout)
		if err := each(handle(s.number, slot), item); err != nil {
			return err
		}
	}
	return nil
}

// Kept is a block of a store, and what the store knows of it.
type Kept struct {
	Block
	number      int32
	parts, used int32
	low, high   int64
}

// Cut returns all blocks in the order in which they were filled. It holds what was added before.
func (s *Store) Cut() []Kept {
	s.seal()
	all := make([]Kept, 0, s.len)
	for _, a := range s.order {
		if b := &s.blocks[a.number]; b.age == a.age {
			all = append(all, Kept{b.data, a.number, b.parts, b.used, b.low, b.high})
		}
	}
	return all
}

// Append appends what Restore takes.
func (k Kept) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(k.number)), uint64(k.parts))
	dst = binary.AppendUvarint(dst, uint64(k.used))
	return append(binary.AppendVarint(binary.AppendVarint(dst, k.low), k.high), k.Block...)
}

// KeptOf returns the block that Append has appended; it has the bytes of data.
func KeptOf(data []byte) (k Kept, err error) {
	number, data, ok := length(data, maxBlocks-1)
	if !ok || number == 0 {
		return k, errKept
	}
	parts, data, ok := length(data, math.MaxInt32)
	if !ok {
		return k, errKept
	}
	used, data, ok := length(data, uint64(parts))
	if !ok || used == 0 {
		return k, errKept
	}
	k.number, k.parts, k.used = int32(number), int32(parts), int32(used)
	for _, into := range []*int64{&k.low, &k.high} {
		v, size := binary.Varint(data)
		if size <= 0 {
			return k, errKept
		}
		*into, data = v, data[size:]
	}
	if k.low > k.high || len(data) == 0 {
		return k, errKept
	}
	k.Block = data
	return k, nil
}

var errKept = errors.New("not a block of a store")

// Restoring is a store that gets the blocks of another one. They have the numbers that they had
// there, so handles stay what they were. The blocks are not looked into: see Items for that.
type Restoring struct {
	store *Store
	used  []int32 // parts, by block
}

// Restore begins to restore a store that was never used.
func (s *Store) Restore() *Restoring { return &Restoring{store: s} }

// Use says that one part of an item is in use. The block may come later.
func (r *Restoring) Use(h Handle) error {
	n := h.block()
	if n == 0 || n >= maxBlocks {
		return fmt.Errorf("item %d is in no block", h)
	}
	if n >= len(r.used) {
		r.used = append(r.used, make([]int32, n+1-len(r.used))...)
	}
	r.used[n]++
	return nil
}

// Add adds a block, in the order of Cut, and copies it.
func (r *Restoring) Add(k Kept) error {
	s, n := r.store, int(k.number)
	if n >= len(s.blocks) {
		s.blocks = append(s.blocks, make([]block, n+1-len(s.blocks))...)
	}
	if s.blocks[n].data != nil {
		return fmt.Errorf("block %d came already", n)
	}
	s.filled++
	s.order = append(s.order, at{k.number, s.filled})
	s.blocks[n] = block{data: slices.Clone(k.Block), age: s.filled, parts: k.parts, used: k.used, low: k.low, high: k.high}
	return nil
}

// End makes the store ready for use. An error is returned unless as much is in use of every block
// as there was when it was cut: what was said to be in use would be of another moment.
func (r *Restoring) End() error {
	s := r.store
	if len(r.used) > len(s.blocks) {
		return fmt.Errorf("block %d is not there", len(r.used)-1)
	}
	r.used = append(r.used, make([]int32, len(s.blocks)-len(r.used))...)
	for n, b := range s.blocks {
		if r.used[n] != b.used {
			return fmt.Errorf("%d parts of block %d are in use, and there were %d", r.used[n], n, b.used)
		}
		if b.used > 0 {
			s.keep(n, b.data)
		}
	}
	for n := 1; n < len(s.blocks); n++ {
		if s.blocks[n].used == 0 {
			s.release(n)
		}
	}
	return nil
}

// cache keeps the blocks that were looked at last.
type cache struct {
	mu     sync.Mutex
	blocks [8]struct {
		items
		age, used uint64
	}
	now uint64
}

// get appends an item of a block to dst.
func (c *cache) get(b block, slot int, dst []byte, l Layout) ([]byte, error) {
	if b.data == nil {
		return dst, errBlock
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	oldest := &c.blocks[0]
	for i := range c.blocks {
		k := &c.blocks[i]
		if k.age == b.age {
			k.used = c.now
			return k.slot(dst, slot, l)
		}
		if k.used < oldest.used {
			oldest = k
		}
	}
	oldest.age = 0
	if err := oldest.unpack(b.data, l); err != nil {
		return dst, err
	}
	oldest.age, oldest.used = b.age, c.now
	return oldest.slot(dst, slot, l)
}

// slot appends an item to dst, if there is one.
func (i *items) slot(dst []byte, slot int, l Layout) ([]byte, error) {
	if slot >= i.len() {
		return dst, fmt.Errorf("there is no item %d in a block of %d", slot, i.len())
	}
	return i.append(dst, slot, l), nil
}
