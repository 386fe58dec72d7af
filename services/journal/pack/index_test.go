package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var hashes = map[string]func(n uint64) uint64{
	"64 bits":     func(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 },
	"first bits":  func(n uint64) uint64 { return n << 60 },
	"same shard":  func(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 >> 8 },
	"middle bits": func(n uint64) uint64 { return n & 15 << 36 },
	"last place":  func(n uint64) uint64 { return ^(n & 15 << 24) },
	"none":        func(uint64) uint64 { return 0 },
}

// An index holds what was added and not removed, whatever the hashes are. With four bits of hash
// nearly all are the same.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkIndex(t, hashes[rapid.SampledFrom(slices.Sorted(maps.Keys(hashes))).Draw(t, "hash")])
	})
}

func checkIndex(t *rapid.T, hash func(uint64) uint64) {
	x := new(Index)
	held := map[uint64]Handle{} // by what is hashed
	last := Handle(0)
	var cut *IndexCut
	var items [][]byte // of the cut
	var atCut map[uint64]Handle
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			for range rapid.IntRange(1, 800).Draw(t, "count") {
				last++
				held[uint64(last)] = last
				x.Add(hash(uint64(last)), last)
			}
		},
		"remove": func(t *rapid.T) {
			for range rapid.IntRange(1, 100).Draw(t, "count") {
				n := rapid.Uint64Range(0, uint64(last)).Draw(t, "n")
				if h, ok := held[n]; x.Remove(hash(n), h) != ok {
					t.Fatalf("removing %d did not report %v", n, ok)
				}
				delete(held, n)
			}
		},
		"remove all": func(t *rapid.T) {
			every := Handle(rapid.IntRange(1, 5).Draw(t, "every"))
			gone := func(h Handle) bool { return h&^(1<<31)%every == 0 }
			x.RemoveAll(gone)
			maps.DeleteFunc(held, func(_ uint64, h Handle) bool { return gone(h) })
		},
		"replace": func(t *rapid.T) {
			n := rapid.Uint64Range(0, uint64(last)).Draw(t, "n")
			if h, ok := held[n]; ok {
				held[n] = h ^ 1<<31
				if !x.Replace(hash(n), h, h^1<<31) {
					t.Fatalf("%d was not replaced", n)
				}
			}
		},
		"cut": func(*rapid.T) { cut, items, atCut = x.Cut(), nil, maps.Clone(held) },
		"hand out": func(t *rapid.T) {
			if cut == nil {
				t.Skip("there is no cut")
			}
			item, more := cut.Next(nil)
			if items = append(items, item); more {
				return
			}
			cut.End()
			cut = nil
			compareIndex(t, restored(t, items), hash, atCut, uint64(last))
		},
		"restart": func(t *rapid.T) {
			c := x.Cut()
			var all []byte
			for more := true; more; {
				all, more = c.Next(all)
			}
			x, cut = restored(t, [][]byte{all}), nil
		},
		"": func(t *rapid.T) { compareIndex(t, x, hash, held, uint64(last)) },
	})
}

// restored returns an index with the entries of a cut.
func restored(t *rapid.T, items [][]byte) *Index {
	x, n := new(Index), 0
	for _, item := range items {
		if err := x.Restore(item, func(Handle) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if n != x.Len() {
		t.Fatalf("%d handles came of %d", n, x.Len())
	}
	return x
}

func compareIndex(t *rapid.T, x *Index, hash func(uint64) uint64, held map[uint64]Handle, last uint64) {
	if x.Len() != len(held) {
		t.Fatalf("%d entries, want %d", x.Len(), len(held))
	}
	for n := range last + 1 {
		want, ok := held[n]
		got, found := x.Find(hash(n), func(h Handle) bool { return h&^(1<<31) == Handle(n) })
		if found != ok || got != want {
			t.Fatalf("%d: found %d (%v), want %d (%v)", n, got, found, want, ok)
		}
	}
	for i := range x.shards {
		s := &x.shards[i]
		if s.n == 0 {
			continue
		}
		used := slices.DeleteFunc(slices.Clone(s.entries), func(e uint64) bool { return e == 0 })
		if len(used) != s.n || !slices.IsSortedFunc(used, func(a, b uint64) int { return int(int64(bitsOf(a)) - int64(bitsOf(b))) }) {
			t.Fatalf("shard %d has %d entries of %d, or they are not sorted", i, len(used), s.n)
		}
	}
}

// An entry takes at most 12 bytes, also after most were removed.
func TestIndexIsSmall(t *testing.T) {
	var x Index
	seed := maphash.MakeSeed()
	hash := func(n int) uint64 { return maphash.Comparable(seed, n) }
	const n = 400_000
	for i := range n {
		x.Add(hash(i), Handle(i+1))
		if i > 100_000 && i%1000 == 0 && x.Bytes() > int64(x.Len())*12 {
			t.Fatalf("%d entries take %d bytes", x.Len(), x.Bytes())
		}
	}
	for i := range n * 3 / 4 {
		x.Remove(hash(i), Handle(i+1))
	}
	if x.Bytes() > int64(x.Len())*20 {
		t.Errorf("the %d entries that are left take %d bytes", x.Len(), x.Bytes())
	}
}

// Bytes that are no entries are refused, and so are entries that came before.
func TestIndexRestoreRefuses(t *testing.T) {
	var made Index
	for n := range 100 {
		made.Add(uint64(n)<<30, Handle(n+1)) // all in one shard
	}
	good, _ := made.Cut().Next(nil)
	refused := func(name string, items ...[]byte) {
		t.Helper()
		var x Index
		for _, item := range items {
			if x.Restore(item, func(Handle) error { return nil }) != nil {
				return
			}
		}
		t.Errorf("%s: restored", name)
	}
	for n := 1; n < len(good); n++ {
		refused(fmt.Sprint("the first ", n, " bytes"), good[:n])
	}
	refused("a shard twice", good, good)
	refused("a shard out of range", append(binary.AppendUvarint(nil, shards), good[1:]...))
	refused("no entry", []byte{0, 0})
	refused("disorder", slices.Concat([]byte{0, 2}, good[2+51*entrySize:2+52*entrySize], good[2+50*entrySize:2+51*entrySize]))
	refused("an entry that is none", append([]byte{0, 1}, make([]byte, entrySize)...))
	stop := errors.New("stop")
	if err := new(Index).Restore(good, func(Handle) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the owner: %v", err)
	}
}

// Names that differ have hashes that differ, by any seed, and seeds make other hashes.
func TestHash(t *testing.T) {
	seen := map[uint64]string{}
	for range 3 {
		seed := NewSeed()
		for n := range 3000 {
			name := fmt.Sprint("order/", n, strings.Repeat("x", n%200))
			h := Hash(seed, name)
			if h != Hash(seed, []byte(name)) || h&^hashMask != 0 {
				t.Fatalf("the hash of %q is %x, and as bytes %x", name, h, Hash(seed, []byte(name)))
			}
			if other, twice := seen[h]; twice {
				t.Errorf("%q and %q have one hash", name, other)
			}
			seen[h] = name
		}
	}
}

func BenchmarkHash(b *testing.B) {
	seed, name := NewSeed(), "key/shop/order-1234567"
	b.ReportAllocs()
	for b.Loop() {
		Hash(seed, name)
	}
}

func BenchmarkIndexAdd(b *testing.B) {
	var x Index
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; b.Loop(); n++ {
		x.Add(rng.Uint64(), Handle(n))
	}
	b.ReportMetric(float64(x.Bytes())/float64(x.Len()), "B/entry")
}

func BenchmarkIndexMiss(b *testing.B) {
	var x Index
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 2_000_000 {
		x.Add(rng.Uint64(), Handle(n+1))
	}
	for b.Loop() {
		x.Find(rng.Uint64(), func(Handle) bool { return false })
	}
}
