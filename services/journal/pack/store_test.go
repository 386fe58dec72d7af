package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// item returns an item with its number in it.
func item(n, length int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(n))
	for len(b) < length {
		b = fmt.Appendf(b, "order/%d ", n)
	}
	return b[:max(length, 8)]
}

// model is what a store should hold.
type model struct {
	store *Store
	items map[Handle][]byte
	parts map[Handle]int
}

func (m *model) add(n, length, parts int) {
	i := item(n, length)
	h := m.store.Add(i, parts)
	m.items[h], m.parts[h] = i, parts
}

func (m *model) remove(h Handle) {
	m.store.Remove(h)
	if m.parts[h]--; m.parts[h] == 0 {
		delete(m.items, h)
		delete(m.parts, h)
	}
}

// sweep sweeps one block, and adds again what is in use.
func (m *model) sweep(t *rapid.T) bool {
	type moved struct{ old, new Handle }
	var all []moved
	swept, err := m.store.Sweep(func(h Handle, item []byte) {
		if want, ok := m.items[h]; ok {
			if !bytes.Equal(item, want) {
				t.Fatalf("item %d is swept as %q, want %q", h, item, want)
			}
			all = append(all, moved{h, m.store.Add(item, m.parts[h])})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	items, parts := map[Handle][]byte{}, map[Handle]int{}
	for _, v := range all {
		items[v.new], parts[v.new] = m.items[v.old], m.parts[v.old]
		delete(m.items, v.old)
		delete(m.parts, v.old)
	}
	maps.Copy(m.items, items)
	maps.Copy(m.parts, parts)
	return swept
}

// restart makes another store of the blocks, in which every item has the handle that it had.
func (m *model) restart(t *rapid.T) {
	cut := m.store.Cut()
	m.store = New(m.store.layout)
	r := m.store.Restore()
	use := func() {
		for h, parts := range m.parts {
			for range parts {
				if err := r.Use(h); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	early := rapid.Bool().Draw(t, "used before the blocks")
	if early {
		use()
	}
	for _, k := range cut {
		k, err := KeptOf(k.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Add(k); err != nil {
			t.Fatal(err)
		}
	}
	if !early {
		use()
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
}

func (m *model) check(t *rapid.T) {
	for h, want := range m.items {
		if h == 0 || h>>31 != 0 {
			t.Fatalf("a handle is %x", h)
		}
		got, err := m.store.Get(h, []byte("before"))
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("item %d is %q (%v), want %q", h, got, err, want)
		}
	}
}

// A store holds what was added and not removed, and less than twice that in blocks.
func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Layout{Block: rapid.SampledFrom([]int{100, 1000, 0}).Draw(t, "block"), Random: rapid.IntRange(0, 8).Draw(t, "random")}
		m := &model{New(l), map[Handle][]byte{}, map[Handle]int{}}
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(t, "count") {
					n++
					m.add(n, rapid.IntRange(8, 60).Draw(t, "length"), 1+n%3)
				}
			},
			"remove": func(t *rapid.T) {
				all := slices.Sorted(maps.Keys(m.items))
				for range min(len(all), rapid.IntRange(1, 60).Draw(t, "count")) {
					if h := rapid.SampledFrom(all).Draw(t, "handle"); m.parts[h] > 0 {
						m.remove(h)
					}
				}
			},
			"sweep": func(t *rapid.T) {
				for m.sweep(t) {
				}
				for i := range m.store.blocks {
					if b := &m.store.blocks[i]; b.data != nil && b.sparse() {
						t.Fatalf("block %d stays with %d of %d parts", i, b.used, b.parts)
					}
				}
			},
			"restart": func(t *rapid.T) { m.restart(t) },
			"":        func(t *rapid.T) { m.check(t) },
		})
	})
}

// What is removed is freed: numbers of blocks are used again, and memory goes back.
func TestRemovedIsFreed(t *testing.T) {
	s := New(Layout{Block: 1000})
	for round := range 50 {
		var all []Handle
		for n := range 1000 {
			all = append(all, s.Add(item(round*1000+n, 40), 1))
		}
		s.seal()
		for _, h := range all {
			s.Remove(h)
		}
		if s.Bytes() != 0 || len(s.Cut()) != 0 {
			t.Fatalf("%d bytes in %d blocks are left of nothing", s.Bytes(), len(s.Cut()))
		}
	}
	if len(s.blocks) > 100 || len(s.order) > 300 {
		t.Errorf("%d numbers and %d places are kept for 40 blocks at a time", len(s.blocks), len(s.order))
	}
}

// Blocks come in the order in which they were filled, and what was handed out stays as it was.
func TestBlocksAreOrdered(t *testing.T) {
	s := New(Layout{Block: 500})
	next, first := 0, 0
	var handles []Handle
	for range 40 {
		for range 50 {
			handles = append(handles, s.Add(item(next, 30), 1))
			next++
		}
		for range 40 { // so that numbers are used again
			s.Remove(handles[first])
			first++
		}
		last := -1
		for _, b := range s.Cut() {
			if err := b.Items(s.layout, func(_ int, item []byte) error {
				n := int(binary.BigEndian.Uint64(item))
				if n <= last {
					return fmt.Errorf("item %d comes after %d", n, last)
				}
				last = n
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if last != next-1 {
			t.Fatalf("the last item is %d of %d", last, next)
		}
	}
}

// Readers share the store; the race detector looks at this.
func TestReadTogether(t *testing.T) {
	s := New(Layout{Block: 500, Random: 8})
	var all []Handle
	for n := range 2000 {
		all = append(all, s.Add(item(n, 30), 1))
	}
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(r)))
			for range 2000 {
				n := rng.IntN(len(all))
				if got, err := s.Get(all[n], nil); err != nil || !bytes.Equal(got, item(n, 30)) {
					t.Errorf("item %d is %q (%v)", n, got, err)
				}
			}
		})
	}
	readers.Wait()
}

// sealed returns a block of some items.
func sealed(l Layout, count int) Block {
	s := New(l)
	for n := range count {
		s.Add(item(n, 20), 1)
	}
	return s.Cut()[0].Block
}

// A block that is cut short, longer, of another layout, or says what it does not have, is refused.
func TestDamagedBlocks(t *testing.T) {
	l := Layout{Random: 8}
	header := func(n, size uint64, rest []byte) Block {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, 2*n), size), rest...)
	}
	random := make([]byte, 8)
	frame := func(raw []byte) []byte { return encoder().EncodeAll(raw, bytes.Clone(random)) }
	bomb := make([]byte, 64<<20)
	bad := map[string]Block{
		"longer":               append(bytes.Clone(sealed(l, 20)), 0),
		"no item":              header(0, 0, encoder().EncodeAll(nil, nil)),
		"too many items":       header(slots+1, 2, frame([]byte{0, 0})),
		"fewer items":          header(2, 1, append(bytes.Clone(random), frame([]byte{0})...)),
		"more items":           header(1, 2, frame([]byte{0, 0})),
		"a longer item":        header(1, 2, frame([]byte{5, 0})),
		"a bomb":               header(1, 10, frame(bomb)),
		"a bomb that says so":  header(1, uint64(len(bomb)), frame(bomb)),
		"a bomb of two frames": header(1, 2, append(frame([]byte{1, 0}), encoder().EncodeAll(bomb, nil)...)),
		"shorter than it says": header(1, 3, frame([]byte{1, 0})),
		"no frame":             header(1, 2, append(bytes.Clone(random), 1, 0)),
		"a length of 2^63":     header(1, 1<<63, frame([]byte{0})),
		"too little inside":    append([]byte{3, 7}, encoder().EncodeAll(random[1:], nil)...),
		"random bytes alone":   append([]byte{3, 8}, encoder().EncodeAll(random, nil)...),
	}
	inside := sealed(l, 20)
	if inside[0] != 41 {
		t.Fatal("numbers are not compressed")
	}
	for n := range inside {
		bad[fmt.Sprint("the first ", n, " bytes")] = inside[:n]
	}
	beside := New(l)
	for n := range 20 {
		beside.Add(append(binary.LittleEndian.AppendUint64(nil, uint64(n)*0x9e3779b97f4a7c15), "text"...), 1)
	}
	good := beside.Cut()[0].Block
	for n := range good {
		bad[fmt.Sprint("of those beside, the first ", n, " bytes")] = good[:n]
	}
	for name, b := range bad {
		if err := b.Items(l, func(int, []byte) error { return nil }); err == nil {
			t.Errorf("%s: it has items", name)
		}
	}
	stop := errors.New("stop")
	if err := good.Items(l, func(int, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the owner: %v", err)
	}
	if _, err := New(l).Get(1<<20, nil); err == nil {
		t.Error("an item of no block was found")
	}
	for _, wrong := range []func(){
		func() { New(l).Add(make([]byte, 7), 1) },
		func() { New(l).Add(make([]byte, MaxItem+1), 1) },
		func() { New(l).Add(make([]byte, 8), 0) },
	} {
		func() {
			defer func() { recover() }()
			wrong()
			t.Error("an item that no block can hold was added")
		}()
	}
}

// Blocks that do not belong together are refused, and so are bytes that are no block of a store.
func TestRestoreRefuses(t *testing.T) {
	made := New(Layout{Block: 100})
	var all []Handle
	for n := range 40 {
		all = append(all, made.Add(item(n, 30), 1))
	}
	useAll := func(r *Restoring) {
		for _, h := range all {
			r.Use(h)
		}
	}
	cut := made.Cut()
	for name, fill := range map[string]func(*Restoring) error{
		"a block twice":         func(r *Restoring) error { return r.Add(cut[0]) },
		"a handle of no block":  func(r *Restoring) error { return r.Use(0) },
		"a handle out of range": func(r *Restoring) error { return r.Use(1 << 31) },
		"a block that is not there": func(r *Restoring) error {
			useAll(r)
			return errors.Join(r.Use(Handle(len(cut)+1)<<slotBits), r.End())
		},
		"more used than there was": func(r *Restoring) error {
			useAll(r)
			return errors.Join(r.Use(all[0]), r.End())
		},
		"less used than there was": func(r *Restoring) error {
			for _, h := range all[1:] {
				r.Use(h)
			}
			return r.End()
		},
	} {
		r := New(Layout{Block: 100}).Restore()
		for _, k := range cut {
			if err := r.Add(k); err != nil {
				t.Fatal(err)
			}
		}
		if err := fill(r); err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	good := cut[0].Append(nil)
	for n := range len(good) - len(cut[0].Block) + 1 {
		if _, err := KeptOf(good[:n]); err == nil {
			t.Errorf("the first %d bytes are taken for a block of a store", n)
		}
	}
	for name, data := range map[string][]byte{
		"no number":           {0, 1, 1, 2, 2, 9},
		"a number too large":  append(binary.AppendUvarint(nil, maxBlocks), 1, 1, 2, 2, 9),
		"no part":             {1, 0, 0, 2, 2, 9},
		"no part in use":      {1, 1, 0, 2, 2, 9},
		"more than its parts": {1, 1, 2, 2, 2, 9},
		"times in disorder":   {1, 1, 1, 4, 2, 9},
	} {
		if _, err := KeptOf(data); err == nil {
			t.Errorf("%s: taken for a block of a store", name)
		}
	}
}

// Numbers of which a restored store has no block are used again.
func TestRestoredNumbers(t *testing.T) {
	made := New(Layout{Block: 100})
	var all []Handle
	for n := range 400 {
		all = append(all, made.Add(item(n, 30), 1))
	}
	last := all[len(all)-1]
	for _, h := range all {
		if h.block()%2 == 0 && h.block() != last.block() {
			made.Remove(h)
		}
	}
	s := New(Layout{Block: 100})
	r := s.Restore()
	for _, k := range made.Cut() {
		if err := r.Add(k); err != nil {
			t.Fatal(err)
		}
		for range k.used {
			if err := r.Use(handle(int(k.number), 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(last, nil); err != nil || !bytes.Equal(got, item(399, 30)) {
		t.Errorf("the last item is %q, %v", got, err)
	}
	numbers := len(s.blocks)
	for n := range 100 {
		s.Add(item(n, 30), 1)
	}
	if len(s.blocks) > numbers {
		t.Errorf("there are %d numbers of blocks after %d: those that were free are not used", len(s.blocks), numbers)
	}
}

// A block that cannot be unpacked does not stand for one that was looked at before.
func TestCacheAfterDamage(t *testing.T) {
	s := New(Layout{Block: 100})
	var first []Handle // of each block
	for n := range 9 {
		first = append(first, s.Add(item(n, 100), 1))
	}
	for _, h := range first[:8] {
		if _, err := s.Get(h, nil); err != nil {
			t.Fatal(err)
		}
	}
	damaged := first[8].block()
	other := New(Layout{Block: 100})
	h := other.Add(item(100, 100), 1)
	good := other.blocks[h.block()].data
	s.blocks[damaged].data = append(bytes.Clone(good), 0)
	if got, err := s.Get(first[8], nil); err == nil {
		t.Fatalf("a damaged block holds %q", got)
	}
	for n, h := range first[:8] {
		if got, err := s.Get(h, nil); err != nil || !bytes.Equal(got, item(n, 100)) {
			t.Errorf("item %d is %q (%v)", n, got, err)
		}
	}
}

// Ids of few sources that count are compressed, also if the sources take turns. Random ones take
// the room that they have, and spoil nothing.
func TestIdsAreCompressed(t *testing.T) {
	const items, width = 20_000, 16
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		sources int   // 0: each id is random
		most    int64 // bytes an item
	}{{1, 3}, {2, 4}, {4, 4}, {0, width + 2}} {
		s, sources := New(Layout{Random: width}), make([]uint64, max(tt.sources, 1))
		for i := range sources {
			sources[i] = rng.Uint64()
		}
		for n := range items {
			of, count := sources[rng.IntN(len(sources))], uint64(n)
			if tt.sources == 0 {
				of, count = rng.Uint64(), rng.Uint64()
			}
			id := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, of), count)
			s.Add(fmt.Appendf(id, "operation/%d", n), 1)
		}
		if got := s.Bytes(); got > tt.most*items {
			t.Errorf("%d sources: %d bytes for %d items, want %d each at most", tt.sources, got, items, tt.most)
		}
	}
}

// An item may be larger than a block.
func TestLargeItem(t *testing.T) {
	s := New(Layout{Block: 100})
	large := bytes.Repeat([]byte("large "), 100_000)
	h := s.Add(large, 1)
	if got, err := s.Get(h, nil); err != nil || !bytes.Equal(got, large) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// Whatever the bytes are, they are refused, or are items of the lengths that they have.
func FuzzBlock(f *testing.F) {
	f.Add([]byte(sealed(Layout{Random: 8}, 20)), uint8(8))
	f.Add([]byte(sealed(Layout{}, 256)), uint8(0))
	f.Add([]byte{1, 1, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, random uint8) {
		l := Layout{Random: int(random)}
		var want [][]byte
		if err := Block(data).Items(l, func(_ int, item []byte) error {
			want = append(want, bytes.Clone(item))
			return nil
		}); err != nil {
			return
		}
		s := New(l)
		r := s.Restore()
		if err := r.Add(Kept{Block: data, number: 1, parts: int32(len(want)), used: int32(len(want))}); err != nil {
			t.Fatal(err)
		}
		for slot := range want {
			r.Use(handle(1, slot))
		}
		if err := r.End(); err != nil {
			t.Fatal(err)
		}
		for slot, item := range want {
			if got, err := s.Get(handle(1, slot), nil); err != nil || !bytes.Equal(got, item) || len(item) < l.Random {
				t.Fatalf("item %d is %q, then %q (%v)", slot, item, got, err)
			}
		}
	})
}

func BenchmarkStore(b *testing.B) {
	s := New(Layout{Random: 16})
	rng := rand.New(rand.NewPCG(1, 1))
	handles := make([]Handle, 0, b.N)
	var buf []byte
	add := func(n int) {
		buf = binary.LittleEndian.AppendUint64(buf[:0], rng.Uint64())
		buf = binary.LittleEndian.AppendUint64(buf, rng.Uint64())
		buf = fmt.Appendf(buf, "operation/BOP-%d-%d PURCHASE ACCEPTED CTR-%d ORD-%06d EUR", n%4000, n/4000, n%4000, n)
		handles = append(handles, s.Add(buf, 1))
	}
	for n := 0; b.Loop(); n++ {
		add(n)
	}
	b.ReportMetric(float64(s.Bytes())/float64(len(handles)), "B/item")
}

// numberOf returns which item an item is.
func numberOf(item []byte) int64 { return int64(binary.BigEndian.Uint64(item)) }

// What is before a time is found without looking at blocks in which nothing is.
func TestStampedItems(t *testing.T) {
	s := New(Layout{Block: 1000})
	in := map[int64]Handle{}
	for n := range 2000 {
		h := s.Add(item(n, 30), 1)
		s.Stamp(h, int64(n))
		in[int64(n)] = h
	}
	looked := 0
	earliest := func() (int64, bool) {
		looked = 0
		at, ok, err := s.Earliest(func(h Handle, item []byte) (int64, bool) {
			looked++
			return numberOf(item), in[numberOf(item)] == h
		})
		if err != nil {
			t.Fatal(err)
		}
		return at, ok
	}
	for n := range int64(10) {
		s.Remove(in[n])
		delete(in, n)
	}
	if at, ok := earliest(); at != 10 || !ok || looked > 80 {
		t.Errorf("the earliest is %d (%v), after a look at %d items", at, ok, looked)
	}
	looked = 0
	if err := s.SweepBefore(1010, func(h Handle, item []byte) {
		looked++
		if n := numberOf(item); n >= 1010 || n == 500 {
			in[n] = s.Add(item, 1)
			s.Stamp(in[n], n)
		} else {
			delete(in, n)
		}
	}); err != nil || looked > 1080 {
		t.Errorf("swept with a look at %d items, %v", looked, err)
	}
	if at, ok := earliest(); at != 500 || !ok {
		t.Errorf("the earliest is %d (%v) after sweeping", at, ok)
	}
	found := 0
	if err := s.All(func(h Handle, item []byte) error {
		if in[numberOf(item)] == h {
			found++
		}
		return nil
	}); err != nil || found != len(in) || found != 991 {
		t.Errorf("%d items are found of %d (%v)", found, len(in), err)
	}
	if _, ok, err := New(Layout{}).Earliest(nil); ok || err != nil {
		t.Errorf("nothing has an earliest item: %v, %v", ok, err)
	}
}

// Blocks of before a time are freed without a look at them, and others stay.
func TestDropBefore(t *testing.T) {
	s := New(Layout{Block: 1000})
	handles := make([]Handle, 2000)
	for n := range handles {
		handles[n] = s.Add(item(n, 30), 1)
		s.Stamp(handles[n], int64(n))
	}
	dropped := s.DropBefore(1010)
	first := 0
	for first < len(handles) && dropped(handles[first]) {
		first++
	}
	if first < 940 || first > 1010 {
		t.Errorf("the items before %d are dropped, want up to 1010", first)
	}
	for n := first; n < len(handles); n++ {
		if got, err := s.Get(handles[n], nil); err != nil || numberOf(got) != int64(n) || dropped(handles[n]) {
			t.Fatalf("item %d is %q (%v)", n, got, err)
		}
	}
	timeless := New(Layout{Block: 1000})
	h := timeless.Add(item(1, 30), 1)
	if dropped := timeless.DropBefore(math.MaxInt64); dropped(h) {
		t.Error("an item without a time is dropped")
	}
}
