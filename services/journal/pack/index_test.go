package pack

import (
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
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
	var x Index
	held := map[uint64]Handle{} // by what is hashed
	last := Handle(0)
	add := func() {
		last++
		held[uint64(last)] = last
		x.Add(hash(uint64(last)), last)
	}
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			for range rapid.IntRange(1, 100).Draw(t, "count") {
				add()
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
		"replace": func(t *rapid.T) {
			n := rapid.Uint64Range(0, uint64(last)).Draw(t, "n")
			if h, ok := held[n]; ok {
				held[n] = h ^ 1<<31
				if !x.Replace(hash(n), h, h^1<<31) {
					t.Fatalf("%d was not replaced", n)
				}
			}
		},
		"grow": func(t *rapid.T) { x.Grow(rapid.IntRange(0, 5000).Draw(t, "n")) },
		"":     func(t *rapid.T) { compareIndex(t, &x, hash, held, uint64(last)) },
	})
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
