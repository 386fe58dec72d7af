package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	// MaxItem is the length of the longest item.
	MaxItem = 16 << 20
	// maxUnpacked is what the items of a block may take: the last one may be the longest.
	maxUnpacked = 2*MaxItem + slots*binary.MaxVarintLen32

	slotBits = 8
	slots    = 1 << slotBits // items in a block
)

// Layout is how the items of a store lie in blocks. What is read has to have been written with the
// same layout.
type Layout struct {
	// Block is how many bytes of items are compressed together, 16 KiB by default. Looking at one
	// item decompresses them all.
	Block int
	// Random is how many bytes at the start of each item are unlike the others, such as those of an
	// id. They lie together: compressed with the others if they resemble each other, otherwise as
	// they are, because random bytes spoil the code for the others. No item is shorter.
	Random int
}

// Block is items that were compressed together. Its bytes are never changed.
//
// They are twice the number of items, and one more if the random bytes are compressed; the length
// of what is compressed; the random bytes of each item, unless they are; and a zstd frame. That has
// these bytes, if it has them, and for each item the length and the bytes of the rest.
type Block []byte

var errBlock = errors.New("not a block of items")

var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(64<<10), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err)
	}
	return e
})

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return d
})

// items is a block that is not compressed.
type items struct {
	random []byte   // of all items
	rest   []byte   // length and bytes of each
	ends   []uint32 // of each in rest
	frame  []byte   // memory to use
}

var unpacked = sync.Pool{New: func() any { return new(items) }}

func (i *items) len() int { return len(i.ends) }

func (i *items) reset() { i.random, i.rest, i.ends = i.random[:0], i.rest[:0], i.ends[:0] }

func (i *items) add(item []byte, l Layout) {
	i.random = append(i.random, item[:l.Random]...)
	i.rest = binary.AppendUvarint(i.rest, uint64(len(item)-l.Random))
	i.rest = append(i.rest, item[l.Random:]...)
	i.ends = append(i.ends, uint32(len(i.rest)))
}

// append appends an item to dst.
func (i *items) append(dst []byte, slot int, l Layout) []byte {
	start := uint32(0)
	if slot > 0 {
		start = i.ends[slot-1]
	}
	_, size := binary.Uvarint(i.rest[start:])
	dst = append(dst, i.random[slot*l.Random:(slot+1)*l.Random]...)
	return append(dst, i.rest[int(start)+size:i.ends[slot]]...)
}

// pack returns the items as a block. work is memory to use.
func (i *items) pack(work []byte) (b Block, _ []byte) {
	beside, inside, flag := i.random, i.rest, uint64(0)
	if i.alike() {
		i.frame = append(append(i.frame[:0], i.random...), i.rest...)
		beside, inside, flag = nil, i.frame, 1
	}
	work = binary.AppendUvarint(work[:0], uint64(i.len())<<1|flag)
	work = binary.AppendUvarint(work, uint64(len(inside)))
	work = append(work, beside...)
	work = encoder().EncodeAll(inside, work)
	return append(make(Block, 0, len(work)), work...), work
}

// recent is how many items before it an item is compared with. So many sources of ids may take
// turns.
const recent = 4

// alike reports whether the random bytes of most items begin as those of another one shortly before
// do, for half of their length.
func (i *items) alike() bool {
	width := len(i.random) / i.len()
	if width < 2 {
		return false
	}
	half, found := width/2, 0
	for n := width; n < len(i.random); n += width {
		for before := n - width; before >= max(0, n-recent*width); before -= width {
			if string(i.random[n:n+half]) == string(i.random[before:before+half]) {
				found++
				break
			}
		}
	}
	return 2*found > i.len()
}

// unpack makes the items those of a block, in the memory that they have. An error is returned if it
// is not one whole block of the layout.
func (i *items) unpack(b Block, l Layout) error {
	i.reset()
	n, data, ok := length(b, 2*slots+1)
	inside := n&1 != 0
	if n >>= 1; !ok || n == 0 {
		return errBlock
	}
	size, data, ok := length(data, maxUnpacked)
	random := n * l.Random
	if !ok || random > len(data) && !inside || random > size && inside {
		return errBlock
	}
	if !inside {
		i.random, data = append(i.random, data[:random]...), data[random:]
	}
	var h zstd.Header
	if err := h.Decode(data); err != nil || !h.HasFCS || h.FrameContentSize != uint64(size) || h.Skippable {
		return fmt.Errorf("%w: its frame does not have the length that it says", errBlock)
	}
	var err error
	if i.rest, err = decoder().DecodeAll(data, i.rest); err != nil {
		return fmt.Errorf("%w: %w", errBlock, err)
	}
	if len(i.rest) != size {
		return fmt.Errorf("%w: it has %d bytes and says %d", errBlock, len(i.rest), size)
	}
	if inside {
		i.random = append(i.random, i.rest[:random]...)
		i.rest = append(i.rest[:0], i.rest[random:]...)
		size -= random
	}
	for at := 0; len(i.ends) < n; {
		length, rest, ok := length(i.rest[at:], MaxItem)
		if !ok || length > len(rest) {
			return fmt.Errorf("%w: an item is cut short", errBlock)
		}
		at = size - len(rest) + length
		i.ends = append(i.ends, uint32(at))
	}
	if i.ends[n-1] != uint32(size) {
		return fmt.Errorf("%w: there is more than its items", errBlock)
	}
	return nil
}

// length reads a length that is not more than most.
func length(data []byte, most uint64) (n int, rest []byte, ok bool) {
	v, size := binary.Uvarint(data)
	if size <= 0 || v > most {
		return 0, nil, false
	}
	return int(v), data[size:], true
}

// Items calls each with every item of the block, in order; an item is valid during the call. An
// error is returned if each returns one, or if b is not a block of that layout.
func (b Block) Items(l Layout, each func(slot int, item []byte) error) error {
	all := unpacked.Get().(*items)
	defer unpacked.Put(all)
	if err := all.unpack(b, l); err != nil {
		return err
	}
	var item []byte
	for slot := range all.len() {
		item = all.append(item[:0], slot, l)
		if err := each(slot, item); err != nil {
			return err
		}
	}
	return nil
}
