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
	// Random is how many bytes at the start of each item cannot be compressed, such as those of a
	// random id. They are kept beside the others, which take less room without them. No item is
	// shorter.
	Random int
}

// Block is items that were compressed together. Its bytes are never changed.
//
// They are the number of items, the length of the compressed items, the random bytes of each item,
// and a zstd frame with, for each item, the length and the bytes of the rest.
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
	work = binary.AppendUvarint(work[:0], uint64(i.len()))
	work = binary.AppendUvarint(work, uint64(len(i.rest)))
	work = append(work, i.random...)
	work = encoder().EncodeAll(i.rest, work)
	return append(make(Block, 0, len(work)), work...), work
}

// unpack makes the items those of a block, in the memory that they have. An error is returned if it
// is not one whole block of the layout.
func (i *items) unpack(b Block, l Layout) error {
	i.reset()
	n, data, ok := length(b, slots)
	if !ok || n == 0 {
		return errBlock
	}
	size, data, ok := length(data, maxUnpacked)
	if !ok || n*l.Random > len(data) {
		return errBlock
	}
	i.random = append(i.random, data[:n*l.Random]...)
	data = data[n*l.Random:]
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
