package states

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// Cut is the states up to an offset, as they stay while the log is applied further. It is handed
// out piece by piece: what has not been handed out when it changes is copied first. Its methods are
// called under the lock that the states are under; Next may share it with other readers.
type Cut[S any] struct {
	next   int64
	info   info
	before map[record.Stream]*Cell[S] // what has changed since; nil if it was not there
	packed [2]*packedCut              // by table
	cells  func() (record.Stream, *Cell[S], bool)
	stop   func()
	codec  StateCodec[S]

	informed, late bool
	changed        []record.Stream // of before, once everything else was handed out
}

// info is what is known beside the streams.
type info struct {
	Oldest    int64
	Voids     map[int64][]record.Digest
	Forgotten []record.Forgetting
	Parked    []parkedStream
}

// parkedStream is a parked stream, with its reason as text.
type parkedStream struct {
	Stream  record.Stream
	Attempt record.Attempt
	Why     string
}

var infos = func() *shape.Codec[info] {
	c, err := shape.Of[info]()
	if err != nil {
		panic(err)
	}
	return c
}()

// Cut begins a cut of the states as they are now, in place of one that was not ended.
func (l *States[S, B]) Cut() *Cut[S] {
	c := &Cut[S]{next: l.next, before: make(map[record.Stream]*Cell[S]), codec: l.cfg.States, info: info{
		Voids: maps.Clone(l.voids), Oldest: l.oldest, Forgotten: slices.Clone(l.forgotten),
	}}
	for s, p := range l.parked {
		c.info.Parked = append(c.info.Parked, parkedStream{s, p.attempt, p.err.Error()})
	}
	for i, t := range l.tables() {
		c.packed[i] = t.packed.cut()
	}
	c.cells, c.stop = iter.Pull2(l.unpacked())
	l.cut = c
	return c
}

// EndCut ends a cut: nothing is copied for it any more.
func (l *States[S, B]) EndCut(c *Cut[S]) {
	c.stop()
	for _, p := range c.packed {
		p.end()
	}
	if l.cut == c {
		l.cut = nil
	}
}

// Offset returns the offset of the last record in the cut, -1 if there is none.
func (c *Cut[S]) Offset() int64 { return c.next - 1 }

// keep keeps a stream as it was, unless that is kept. Its cell is nil if it was not there.
func (c *Cut[S]) keep(s record.Stream, cell *Cell[S]) {
	if c == nil {
		return
	}
	if _, kept := c.before[s]; kept {
		return
	}
	if cell != nil {
		was := *cell
		cell = &was
	}
	c.before[s] = cell
}

// The items of a cut begin with one of these.
const (
	itemInfo   = 'i'
	itemPacked = 'p' // then the number of the table; before all cells
	itemCell   = 'c'
)

// Next appends the next item of the cut, and reports whether there was one. A stream that changes
// right after it was handed out may come twice, and is the same both times. Config.States is set.
func (c *Cut[S]) Next(dst []byte) (_ []byte, more bool, err error) {
	if !c.informed {
		c.informed = true
		dst, err = infos.Append(append(dst, itemInfo), c.info)
		return dst, true, err
	}
	for i, p := range c.packed {
		if dst, more := p.next(append(dst, itemPacked, byte(i))); more {
			return dst, true, nil
		}
	}
	for !c.late {
		s, cell, ok := c.cells()
		if !ok {
			c.late, c.changed = true, slices.Collect(maps.Keys(c.before))
			break
		}
		if _, changed := c.before[s]; !changed {
			return appendCell(dst, s, cell, c.codec)
		}
	}
	for len(c.changed) > 0 {
		s := c.changed[0]
		c.changed = c.changed[1:]
		if cell := c.before[s]; cell != nil {
			return appendCell(dst, s, cell, c.codec)
		}
	}
	return dst, false, nil
}

func appendCell[S any](dst []byte, s record.Stream, c *Cell[S], codec StateCodec[S]) (_ []byte, more bool, err error) {
	dst = binary.AppendUvarint(append(dst, itemCell), uint64(len(s)))
	dst = append(append(dst, s...), c.last[:]...)
	dst = binary.AppendVarint(binary.AppendVarint(dst, c.version), c.at)
	if !c.has {
		return append(dst, 0), true, nil
	}
	if dst, err = codec.Append(append(dst, 1), c.state); err != nil {
		err = fmt.Errorf("state of %s: %w", s, err)
	}
	return dst, true, err
}

var errItem = errors.New("not an item of a cut")

// CheckItem returns an error if there is a state in an item of a cut that cannot be decoded.
// Whoever makes a cut calls it with each item before anybody depends on them, because Load does not
// look into blocks of packed streams. It needs no lock. Config.States is set.
func (l *States[S, B]) CheckItem(item []byte) error {
	switch {
	case len(item) > 0 && item[0] == itemInfo:
		_, err := infos.Decode(item[1:])
		return err
	case len(item) > 1 && item[0] == itemPacked && item[1] < 2:
		t := l.tables()[item[1]]
		return checkPacked(item[2:], l.cfg.States, func(s record.Stream) bool { return l.tableOf(s) == t })
	case len(item) > 0 && item[0] == itemCell:
		_, _, err := l.readCell(item[1:])
		return err
	}
	return nil
}

// Loading is states that are being made of the items of a cut.
type Loading[S, B any] struct {
	states *States[S, B]
	packed [2]loading // by table
}

// Load begins to load a cut into states that have read nothing. Config.States is set.
func (l *States[S, B]) Load() *Loading[S, B] { return &Loading[S, B]{states: l} }

// Add adds an item.
func (f *Loading[S, B]) Add(item []byte) error {
	l := f.states
	switch {
	case len(item) > 0 && item[0] == itemInfo:
		return l.loadInfo(item[1:])
	case len(item) > 1 && item[0] == itemPacked && item[1] < 2:
		if err := l.tables()[item[1]].packed.load(item[2:], &f.packed[item[1]]); err != nil {
			return fmt.Errorf("packed streams: %w", err)
		}
		return nil
	case len(item) > 0 && item[0] == itemCell:
		return l.loadCell(item[1:])
	}
	return errItem
}

// End returns the states. The last record of the cut is at an offset, after which the log goes on.
// An error is returned if the items do not belong together.
func (f *Loading[S, B]) End(offset int64) (*States[S, B], error) {
	l := f.states
	l.next = offset + 1
	for i, t := range l.tables() {
		if err := f.packed[i].end(); err != nil {
			return nil, fmt.Errorf("packed streams: %w", err)
		}
		t.packed.touch(offset)
	}
	return l, nil
}

func (l *States[S, B]) loadInfo(data []byte) error {
	known, err := infos.Decode(data)
	if err != nil {
		return fmt.Errorf("what is known beside the streams: %w", err)
	}
	l.forgotten, l.oldest = known.Forgotten, known.Oldest
	for offset, digests := range known.Voids {
		for _, d := range digests {
			l.Declare(record.Voiding{Offset: offset, Digest: d})
		}
	}
	for _, p := range known.Parked {
		l.parked[p.Stream] = parking{errors.New(p.Why), p.Attempt}
	}
	return nil
}

func (l *States[S, B]) loadCell(data []byte) error {
	s, read, err := l.readCell(data)
	if err != nil {
		return err
	}
	t := l.tableOf(s)
	k := t.cells[s]
	if k == nil {
		k = t.add(s)
		k.Cell = read
		t.packed.changed(k, 0)
	}
	k.Cell = read
	return nil
}

func (l *States[S, B]) readCell(data []byte) (s record.Stream, read Cell[S], err error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return s, read, errItem
	}
	s = record.Stream(data[size : size+int(n)])
	data = data[size+int(n):]
	if len(data) < len(read.last) {
		return s, read, errItem
	}
	data = data[copy(read.last[:], data):]
	for _, into := range []*int64{&read.version, &read.at} {
		v, size := binary.Varint(data)
		if size <= 0 {
			return s, read, errItem
		}
		*into, data = v, data[size:]
	}
	if len(data) == 0 || data[0] > 1 || data[0] == 0 && len(data) > 1 {
		return s, read, errItem
	}
	if read.has = data[0] == 1; read.has {
		if read.state, err = l.cfg.States.Decode(data[1:]); err != nil {
			err = fmt.Errorf("state of %s: %w", s, err)
		}
	}
	return s, read, err
}

// Outdated reports whether states that were loaded from a cut have read a record that l knows to be
// declared void.
func (l *States[S, B]) Outdated(loaded *States[S, B]) bool {
	for offset, digests := range l.voids {
		for _, d := range digests {
			if offset < loaded.next && !slices.Contains(loaded.voids[offset], d) {
				return true
			}
		}
	}
	return false
}

// Inform lets states that were loaded from a cut know everything that l knows to be declared void.
func (l *States[S, B]) Inform(loaded *States[S, B]) {
	for offset, digests := range l.voids {
		for _, d := range digests {
			loaded.Declare(record.Voiding{Offset: offset, Digest: d})
		}
	}
}
