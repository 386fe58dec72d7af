package states

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/record"
)

// Most streams are never changed again, and are as many as the records of the log. Those that have
// not changed for a while are packed: encoded and compressed. They are found by a hash of their
// names, and one that is looked at is decoded. One that changes is taken out, and packed again
// later. What is packed is the same as what is not in all that can be seen of it.

// StateCodec turns states into bytes and back. Its methods may be called at the same time. If it
// has a method Check as shape.Codec has, packed states that a cut hands out are checked by that
// instead of Decode: see States.CheckItem.
type StateCodec[S any] interface {
	Append(dst []byte, state S) ([]byte, error)
	Decode(data []byte) (S, error)
}

// Streams are packed after so many records in which they did not change. Most streams are changed
// by one record in all; those that were changed before are likely to be again.
const (
	packOnce  = 2048
	packOften = 16384
)

const (
	groupSize = 2 << 10 // bytes, from which on a group is not made larger
	often     = pack.Handle(1 << 31)
)

// kept is a stream and its cell.
type kept[S any] struct {
	Cell[S]
	stream  record.Stream
	changed int64       // offset of the record that changed it last; -1 if it is not to be packed
	handle  pack.Handle // where it is packed; 0 if it is in the table as it is
}

// packed holds packed streams.
//
// They are in groups: what one record has changed lies together, and its identity and time are kept
// once. Streams that were changed by one record are apart from those that changed more often,
// whose groups are of use for a shorter time.
type packed[S any] struct {
	codec  StateCodec[S]
	seed   pack.Seed
	hashBy func(pack.Seed, record.Stream) uint64
	stores [2]*pack.Store // changed once, more often
	index  pack.Index
	queues [2]queue[S] // of streams that are not packed
	after  [2]int64    // records

	item []byte // memory to use
}

var layouts = [2]pack.Layout{
	{Random: len(record.Attempt{})},
	{Random: len(record.Attempt{}), Block: 4 << 10},
}

func newPacked[S any](codec StateCodec[S], after int64, hash func(pack.Seed, record.Stream) uint64) *packed[S] {
	if codec == nil {
		return nil
	}
	p := &packed[S]{codec: codec, seed: pack.NewSeed(), hashBy: hash, after: [2]int64{after, after}}
	if after == 0 {
		p.after = [2]int64{packOnce, packOften}
	}
	for i := range p.stores {
		p.stores[i] = pack.New(layouts[i])
	}
	return p
}

// hash returns the hash of a name, of which an index knows every bit that is set.
func (p *packed[S]) hash(s record.Stream) uint64 { return p.hashBy(p.seed, s) }

// len returns how many streams are packed.
func (p *packed[S]) len() int {
	if p == nil {
		return 0
	}
	return p.index.Len()
}

// bytes returns how much memory what is packed takes, with what finds it.
func (p *packed[S]) bytes() int64 {
	if p == nil {
		return 0
	}
	return p.index.Bytes() + p.stores[0].Bytes() + p.stores[1].Bytes()
}

// queue holds streams in the order in which they were changed, each once for every change.
type queue[S any] struct {
	list []change[S]
	head int
}

type change[S any] struct {
	kept *kept[S]
	at   int64 // offset
}

func (q *queue[S]) push(c change[S]) {
	if q.head > 256 && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, c)
}

// pop returns the first change, if it is of offset upTo or before.
func (q *queue[S]) pop(upTo int64) (c change[S], ok bool) {
	if q.head == len(q.list) || q.list[q.head].at > upTo {
		return c, false
	}
	c = q.list[q.head]
	q.list[q.head] = change[S]{}
	q.head++
	return c, true
}

// store returns the store of a handle, and the handle there.
func (p *packed[S]) store(h pack.Handle) (*pack.Store, pack.Handle) {
	if h&often != 0 {
		return p.stores[1], h &^ often
	}
	return p.stores[0], h
}

var room = sync.Pool{New: func() any { return new([]byte) }}

// look calls fn with the group of a handle, which is valid during the call.
func (p *packed[S]) look(h pack.Handle, fn func(group)) {
	data := room.Get().(*[]byte)
	defer room.Put(data)
	store, h := p.store(h)
	var err error
	if *data, err = store.Get(h, (*data)[:0]); err != nil {
		panic(fmt.Sprintf("states: what was packed cannot be unpacked: %v", err))
	}
	fn(group(*data))
}

// find returns a packed stream; nil if there is none of that name.
func (p *packed[S]) find(s record.Stream) (found *kept[S]) {
	if p.len() == 0 {
		return nil
	}
	p.index.Find(p.hash(s), func(h pack.Handle) bool {
		p.look(h, func(g group) {
			if m, ok := g.member(s); ok {
				found = &kept[S]{Cell: p.cell(g, m), stream: s, handle: h}
			}
		})
		return found != nil
	})
	return found
}

// isAt reports whether a stream is packed in a group. No group has two members of one hash.
func (p *packed[S]) isAt(s record.Stream, at pack.Handle) bool {
	_, ok := p.index.Find(p.hash(s), func(h pack.Handle) bool { return h == at })
	return ok
}

// cell decodes a member of a group.
func (p *packed[S]) cell(g group, m member) Cell[S] {
	c := Cell[S]{last: g.last(), at: g.at(), version: m.version, has: m.has}
	if m.has {
		var err error
		if c.state, err = p.codec.Decode(m.state); err != nil {
			panic(fmt.Sprintf("states: the packed state of %s cannot be decoded: %v", m.name, err))
		}
	}
	return c
}

// remove takes a stream out.
func (p *packed[S]) remove(s record.Stream, h pack.Handle) {
	p.index.Remove(p.hash(s), h)
	store, h := p.store(h)
	store.Remove(h)
}

// changed notes that a stream that is not packed was changed.
func (p *packed[S]) changed(k *kept[S], offset int64) {
	k.changed = offset
	p.queues[storeOf(k.version)].push(change[S]{k, offset})
}

// touch makes offset that of the last change of every stream that is not packed.
func (p *packed[S]) touch(offset int64) {
	if p == nil {
		return
	}
	for i := range p.queues {
		q := &p.queues[i]
		for n := q.head; n < len(q.list); n++ {
			q.list[n].at, q.list[n].kept.changed = offset, offset
		}
	}
}

// storeOf returns in which store a stream is packed.
func storeOf(version int64) int {
	if version <= 1 {
		return 0
	}
	return 1
}

// A group is the attempt and the time that its streams were changed by, and its members: for each
// the name, the version, and one more than the length of the state and the state, or 0 without one.
type group []byte

const headSize = len(record.Attempt{}) + 8

func (g group) last() record.Attempt { return record.Attempt(g[:headSize-8]) }

func (g group) at() int64 { return int64(binary.LittleEndian.Uint64(g[headSize-8:])) }

func appendHead[S any](dst []byte, c *Cell[S]) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, c.last[:]...), uint64(c.at))
}

// member is one stream of a group. Its bytes are those of the group.
type member struct {
	name, state []byte
	version     int64
	has         bool
	whole       []byte // all of the member
}

var errGroup = errors.New("not a group of streams")

// each calls fn with the members, until it returns false.
func (g group) each(fn func(member) bool) error {
	if len(g) <= headSize {
		return errGroup
	}
	for rest := []byte(g[headSize:]); len(rest) > 0; {
		m, after, ok := readMember(rest)
		if !ok {
			return errGroup
		}
		m.whole = rest[:len(rest)-len(after)]
		if rest = after; !fn(m) {
			return nil
		}
	}
	return nil
}

func readMember(data []byte) (m member, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n == 0 || n > uint64(len(data)-size) {
		return m, nil, false
	}
	m.name, data = data[size:size+int(n)], data[size+int(n):]
	if m.version, size = binary.Varint(data); size <= 0 {
		return m, nil, false
	}
	data = data[size:]
	n, size = binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size)+1 {
		return m, nil, false
	}
	if data = data[size:]; n > 0 {
		m.has, m.state, data = true, data[:n-1], data[n-1:]
	}
	return m, data, true
}

// stream returns the name, which is valid as long as the group is.
func (m *member) stream() record.Stream { return record.Stream(unsafe.String(&m.name[0], len(m.name))) }

// member returns the member of a name.
func (g group) member(s record.Stream) (found member, ok bool) {
	err := g.each(func(m member) bool {
		if ok = string(m.name) == string(s); ok {
			found = m
		}
		return !ok
	})
	if err != nil {
		panic("states: " + err.Error())
	}
	return found, ok
}

// appendMember appends a stream to a group.
func appendMember[S any](dst []byte, s record.Stream, c *Cell[S], codec StateCodec[S]) ([]byte, error) {
	dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	dst = binary.AppendVarint(dst, c.version)
	if !c.has {
		return append(dst, 0), nil
	}
	at := len(dst)
	dst, err := codec.Append(append(dst, 0), c.state)
	if err != nil {
		return dst, fmt.Errorf("state of %s: %w", s, err)
	}
	// the length comes before the state, and is known after it
	length := uint64(len(dst) - at)
	var prefix [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(prefix[:], length)
	if n > 1 {
		dst = slices.Insert(dst, at, prefix[:n-1]...)
	}
	copy(dst[at:], prefix[:n])
	return dst, nil
}

// settle packs streams of a table that were not changed since long before offset, at most so many,
// and sweeps what became mostly unused.
func (t *table[S]) settle(offset int64, most int, cut *Cut[S]) {
	p := t.packed
	if p == nil {
		return
	}
	for i := range p.queues {
		t.settleQueue(i, offset-p.after[i], most, cut)
		if _, err := p.stores[i].Sweep(func(h pack.Handle, item []byte) { p.move(i, h, item, nil) }); err != nil {
			panic(fmt.Sprintf("states: sweep a block: %v", err))
		}
	}
}

func (t *table[S]) settleQueue(i int, upTo int64, most int, cut *Cut[S]) {
	g := grouping[S]{table: t, store: i, cut: cut}
	for range most {
		c, ok := t.packed.queues[i].pop(upTo)
		if !ok {
			break
		}
		if k := c.kept; k.changed == c.at && t.cells[k.stream] == k {
			k.changed = -1 // a record that named it twice has put it in the queue twice
			g.add(k)
		}
	}
	g.end()
}

// grouping makes a group of streams.
type grouping[S any] struct {
	table  *table[S]
	store  int
	cut    *Cut[S]
	inside []*kept[S]
	hashes []uint64
}

// add adds a stream to the group, or ends that and begins another one. A stream whose state cannot
// be encoded stays as it is.
func (g *grouping[S]) add(k *kept[S]) {
	p := g.table.packed
	hash := p.hash(k.stream)
	if n := len(g.inside); n > 0 {
		first := g.inside[0]
		if first.last != k.last || first.at != k.at || len(p.item) > groupSize || slices.Contains(g.hashes, hash) {
			g.end()
		}
	}
	if len(g.inside) == 0 {
		p.item = appendHead(p.item[:0], &k.Cell)
	}
	before := len(p.item)
	item, err := appendMember(p.item, k.stream, &k.Cell, p.codec)
	if err != nil || len(item) > pack.MaxItem {
		p.item = item[:before]
		return
	}
	p.item = item
	g.inside, g.hashes = append(g.inside, k), append(g.hashes, hash)
}

// end packs the group.
func (g *grouping[S]) end() {
	if len(g.inside) == 0 {
		return
	}
	p := g.table.packed
	h := p.add(g.store, p.item, g.inside[0].at, len(g.inside))
	for i, k := range g.inside {
		g.cut.keep(k.stream, &k.Cell)
		p.index.Add(g.hashes[i], h)
		delete(g.table.cells, k.stream)
	}
	g.inside, g.hashes = g.inside[:0], g.hashes[:0]
}

// add adds a group to a store.
func (p *packed[S]) add(store int, item []byte, at int64, members int) pack.Handle {
	h := p.stores[store].Add(item, members)
	p.stores[store].Stamp(h, at)
	return h | often*pack.Handle(store)
}

// move adds again what is in use of a group that is swept, except the members of which forget
// reports true: those are removed.
func (p *packed[S]) move(store int, old pack.Handle, item []byte, forget func(name record.Stream, at int64) bool) {
	g := group(item)
	old |= often * pack.Handle(store)
	var stay []uint64
	p.item = append(p.item[:0], g[:headSize]...)
	err := g.each(func(m member) bool {
		switch s := m.stream(); {
		case !p.isAt(s, old):
		case forget != nil && forget(s, g.at()):
			p.index.Remove(p.hash(s), old)
		default:
			p.item = append(p.item, m.whole...)
			stay = append(stay, p.hash(s))
		}
		return true
	})
	if err != nil {
		panic("states: " + err.Error())
	}
	if len(stay) == 0 {
		return
	}
	h := p.add(store, p.item, g.at(), len(stay))
	for _, hash := range stay {
		p.index.Replace(hash, old, h)
	}
}

// forget removes the streams of which gone reports true. They were changed before a time. whole
// says that it reports true of all that were: then blocks of such streams are not looked into.
func (p *packed[S]) forget(before int64, whole bool, gone func(s record.Stream, at int64) bool) {
	if p == nil {
		return
	}
	if whole {
		of := [2]func(pack.Handle) bool{p.stores[0].DropBefore(before), p.stores[1].DropBefore(before)}
		p.index.RemoveAll(func(h pack.Handle) bool {
			if h&often != 0 {
				return of[1](h &^ often)
			}
			return of[0](h)
		})
	}
	for i, store := range p.stores {
		if err := store.SweepBefore(before, func(h pack.Handle, item []byte) { p.move(i, h, item, gone) }); err != nil {
			panic("states: " + err.Error())
		}
	}
}

// oldest returns when the packed stream was changed that has not changed for the longest time.
func (p *packed[S]) oldest() (at int64, ok bool) {
	if p == nil {
		return 0, false
	}
	for i, store := range p.stores {
		one, some, err := store.Earliest(func(h pack.Handle, item []byte) (int64, bool) {
			g, used := group(item), false
			err := g.each(func(m member) bool {
				used = p.isAt(m.stream(), h|often*pack.Handle(i))
				return !used
			})
			return g.at(), used && err == nil
		})
		if err != nil {
			panic("states: " + err.Error())
		}
		if some && (!ok || one < at) {
			at, ok = one, true
		}
	}
	return at, ok
}

// all calls fn with every packed stream, until it returns false.
func (p *packed[S]) all(fn func(record.Stream, *Cell[S]) bool) bool {
	if p.len() == 0 {
		return true
	}
	stop := errors.New("stop")
	for i, store := range p.stores {
		err := store.All(func(h pack.Handle, item []byte) error {
			more, g := true, group(item)
			err := g.each(func(m member) bool {
				if p.isAt(m.stream(), h|often*pack.Handle(i)) {
					c := p.cell(g, m)
					more = fn(record.Stream(m.name), &c)
				}
				return more
			})
			if err == nil && !more {
				err = stop
			}
			return err
		})
		if errors.Is(err, stop) {
			return false
		}
		if err != nil {
			panic("states: " + err.Error())
		}
	}
	return true
}

// packedCut is what is packed, as it was when the cut began.
type packedCut struct {
	seed   []byte
	index  *pack.IndexCut
	blocks [2][]pack.Kept
}

// cut begins a cut.
func (p *packed[S]) cut() *packedCut {
	if p == nil {
		return nil
	}
	return &packedCut{p.seed[:], p.index.Cut(), [2][]pack.Kept{p.stores[0].Cut(), p.stores[1].Cut()}}
}

func (c *packedCut) end() {
	if c != nil {
		c.index.End()
	}
}

// The items of a cut of what is packed begin with one of these.
const (
	itemSeed  = 's'
	itemIndex = 'x' // comes before blocks, because what changes before it was handed out is copied
	itemBlock = 'b' // then the number of the store
)

// next appends the next item of the cut, and reports whether there was one.
func (c *packedCut) next(dst []byte) (_ []byte, more bool) {
	if c == nil {
		return dst, false
	}
	if seed := c.seed; seed != nil {
		c.seed = nil
		return append(append(dst, itemSeed), seed...), true
	}
	if dst, more = c.index.Next(append(dst, itemIndex)); more {
		return dst, true
	}
	dst = dst[:len(dst)-1]
	for i, blocks := range c.blocks {
		if len(blocks) > 0 {
			c.blocks[i] = blocks[1:]
			return blocks[0].Append(append(dst, itemBlock, byte(i))), true
		}
	}
	return dst, false
}

// loading is how far what is packed has been loaded.
type loading struct {
	stores          [2]*pack.Restoring
	seeded, indexed bool
}

// load adds an item of a cut. What is in blocks is not looked at: see checkPacked.
func (p *packed[S]) load(item []byte, to *loading) error {
	if p == nil {
		return errItem
	}
	for i, store := range p.stores {
		if to.stores[i] == nil {
			to.stores[i] = store.Restore()
		}
	}
	switch {
	case len(item) == 1+len(p.seed) && item[0] == itemSeed:
		p.seed, to.seeded = pack.Seed(item[1:]), true
		return nil
	case len(item) > 1 && item[0] == itemIndex:
		to.indexed = true
		return p.index.Restore(item[1:], func(h pack.Handle) error {
			if h&often != 0 {
				return to.stores[1].Use(h &^ often)
			}
			return to.stores[0].Use(h)
		})
	case len(item) > 1 && item[0] == itemBlock && item[1] < 2:
		k, err := pack.KeptOf(item[2:])
		if err != nil {
			return err
		}
		return to.stores[item[1]].Add(k)
	}
	return errItem
}

// checkPacked returns an error if a block is not one of streams that belong to the table, whose
// states can be decoded.
func checkPacked[S any](item []byte, codec StateCodec[S], belongs func(record.Stream) bool) error {
	if len(item) < 2 || item[0] != itemBlock || item[1] >= 2 {
		return nil // holds no state
	}
	k, err := pack.KeptOf(item[2:])
	if err != nil {
		return err
	}
	check := checkOf(codec)
	return k.Items(layouts[item[1]], func(_ int, item []byte) error {
		var wrong error
		err := group(item).each(func(m member) bool {
			if !belongs(m.stream()) {
				wrong = errGroup
			} else if m.has {
				wrong = check(m.state)
			}
			return wrong == nil
		})
		return cmp.Or(err, wrong)
	})
}

// checkOf returns a function that returns an error if a codec cannot decode a state.
func checkOf[S any](codec StateCodec[S]) func(state []byte) error {
	if c, ok := codec.(interface{ Check(data []byte) error }); ok {
		return c.Check
	}
	return func(state []byte) error {
		_, err := codec.Decode(state)
		return err
	}
}

// end makes what was loaded ready for use.
func (l *loading) end() error {
	if l.indexed && !l.seeded {
		return errors.New("an index without the seed of its hashes")
	}
	for _, r := range l.stores {
		if r != nil {
			if err := r.End(); err != nil {
				return err
			}
		}
	}
	return nil
}
