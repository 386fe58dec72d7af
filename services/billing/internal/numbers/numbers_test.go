package numbers_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/billing/internal/numbers"
)

const most = 300

// drawn draws a set, and returns what is in it.
func drawn(t *rapid.T) (numbers.Set, map[uint32]bool) {
	kind := rapid.SampledFrom([]string{"upto", "list", "runs", "union", "without"}).Draw(t, "kind")
	in := map[uint32]bool{}
	if kind == "upto" {
		n := rapid.Uint32Range(0, most).Draw(t, "upto")
		for i := range n {
			in[i] = true
		}
		return numbers.Upto(n), in
	}
	sorted := slices.Sorted(slices.Values(rapid.SliceOfDistinct(rapid.Uint32Range(0, most), rapid.ID).Draw(t, "numbers")))
	for _, n := range sorted {
		in[n] = true
	}
	switch kind {
	case "list":
		return list(sorted), in
	case "runs":
		var r numbers.Runs
		for _, n := range sorted {
			r = r.With(n)
		}
		return r, in
	case "union":
		parts := make([]numbers.List, rapid.IntRange(1, 7).Draw(t, "parts"))
		for _, n := range sorted {
			i := rapid.IntRange(0, len(parts)-1).Draw(t, "part")
			parts[i] = parts[i].With(n)
		}
		var u numbers.Union
		for _, p := range parts {
			u = append(u, p)
		}
		return u, in
	}
	all := map[uint32]bool{}
	for n := range uint32(most + 1) {
		if !in[n] {
			all[n] = true
		}
	}
	return numbers.Without{All: most + 1, Out: list(sorted)}, all
}

func list(sorted []uint32) (l numbers.List) {
	for _, n := range sorted {
		l = l.With(n)
	}
	return l
}

// A page is what a plain search finds, and each set is what was put into it.
func TestPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sets []numbers.Set
		var in []map[uint32]bool
		for range rapid.IntRange(1, 3).Draw(t, "sets") {
			s, has := drawn(t)
			if s.Len() != len(has) {
				t.Fatalf("%#v has %d numbers, want %d", s, s.Len(), len(has))
			}
			sets, in = append(sets, s), append(in, has)
		}
		var want []uint32
		for n := range uint32(most + 1) {
			if !slices.ContainsFunc(in, func(has map[uint32]bool) bool { return !has[n] }) {
				want = append(want, n)
			}
		}
		skip, limit := rapid.IntRange(0, most+5).Draw(t, "skip"), rapid.IntRange(0, 20).Draw(t, "limit")
		page, total := numbers.Page(skip, limit, sets...)
		from := min(skip, len(want))
		if total != len(want) || !slices.Equal(page, want[from:min(from+limit, len(want))]) {
			t.Fatalf("page %d+%d of %#v is %v of %d, want %v", skip, limit, sets, page, total, want)
		}
	})
}

func TestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, has := drawn(t)
		n := rapid.Uint32Range(0, most+2).Draw(t, "n")
		want := 0
		for i := range n {
			if has[i] {
				want++
			}
		}
		if got := s.Rank(n); got != want {
			t.Fatalf("%d of %#v are less than %d, want %d", got, s, n, want)
		}
	})
}

// A set that was returned stays what it was while others are made of it.
func TestSetsDoNotChange(t *testing.T) {
	var l numbers.List
	var r numbers.Runs
	for n := range uint32(1000) {
		before, beforeRuns := l, r
		l, r = l.With(2*n), r.With(n+n/7)
		if before.Len() != int(n) || beforeRuns.Len() != int(n) || beforeRuns.Rank(math.MaxUint32) != int(n) {
			t.Fatalf("sets of %d numbers have %d and %d", n, before.Len(), beforeRuns.Len())
		}
		if _, more := beforeRuns.Next(n + n/7); more {
			t.Fatalf("a set has a number that was added to another one")
		}
	}
}

// lookedAt counts the questions to a set.
type lookedAt struct {
	numbers.Set
	times int
}

func (l *lookedAt) Next(from uint32) (uint32, bool) { l.times++; return l.Set.Next(from) }
func (l *lookedAt) Rank(n uint32) int               { l.times++; return l.Set.Rank(n) }

func TestPageCostsWhatItShows(t *testing.T) {
	var few numbers.List
	for n := range uint32(20) {
		few = few.With(1000 * n)
	}
	for name, c := range map[string]struct {
		sets []numbers.Set
		most int
	}{
		"one set":             {[]numbers.Set{numbers.Upto(1_000_000)}, 50},
		"a set without some":  {[]numbers.Set{numbers.Without{All: 1_000_000, Out: few}}, 50},
		"a large, a small":    {[]numbers.Set{numbers.Upto(1_000_000), few}, 50},
		"a small, two larger": {[]numbers.Set{few, numbers.Upto(1_000_000), numbers.Upto(900_000)}, 50},
	} {
		first := &lookedAt{Set: c.sets[0]}
		c.sets[0] = first
		page, total := numbers.Page(5, 10, c.sets...)
		if len(page) != 10 || total < 15 || first.times > c.most {
			t.Errorf("%s: a page of %d of %d asked %d times, want %d at most", name, len(page), total, first.times, c.most)
		}
	}
}

// A union of many sets is not looked at number by number if another set is small.
func TestUnionOfManySetsIsNotCopied(t *testing.T) {
	const sets, each = 6, 100_000
	small := numbers.List{5, 100_001, 599_999, 600_000}
	var large numbers.Union
	var parts []*lookedAt
	for i := range uint32(sets) {
		var l numbers.List
		for n := range uint32(each) {
			l = l.With(i*each + n)
		}
		parts = append(parts, &lookedAt{Set: l})
		large = append(large, parts[i])
	}
	page, total := numbers.Page(0, 10, large, small)
	if !slices.Equal(page, small[:3]) || total != 3 {
		t.Errorf("the page is %v of %d", page, total)
	}
	for i, p := range parts {
		if p.times > 2*len(small) {
			t.Errorf("set %d was asked %d times for %d numbers", i, p.times, len(small))
		}
	}
	if size := testing.AllocsPerRun(10, func() { numbers.Page(0, 10, large, small) }); size > 20 {
		t.Errorf("a page takes %v allocations", size)
	}
}

// A union of many sets is sorted if as many numbers are looked for in it as it has.
func TestUnionOfManySetsIsSorted(t *testing.T) {
	const sets, each = 40, 1000
	var large numbers.Union
	var parts []*lookedAt
	for i := range uint32(sets) {
		var l numbers.List
		for n := range uint32(each) {
			l = l.With(n*sets + i)
		}
		parts = append(parts, &lookedAt{Set: l})
		large = append(large, parts[i])
	}
	for name, other := range map[string]numbers.Upto{"the smallest": 10 * sets * each, "not the smallest": sets*each - 1} {
		if _, total := numbers.Page(0, 10, large, other); total != min(large.Len(), other.Len()) {
			t.Errorf("%s: %d numbers", name, total)
		}
		for i, p := range parts {
			if p.times > 3*each {
				t.Errorf("%s: set %d of %d numbers was asked %d times", name, i, each, p.times)
			}
			p.times = 0
		}
	}
}

// What was encoded in parts is the same set again.
func TestEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sorted := slices.Sorted(slices.Values(rapid.SliceOfDistinct(rapid.OneOf(rapid.Uint32Max(math.MaxUint32-1), rapid.Uint32Range(0, most)), rapid.ID).Draw(t, "numbers")))
		part := rapid.IntRange(1, 10).Draw(t, "part")
		var l numbers.List
		for at := 0; at < len(sorted); at += part {
			var err error
			if l, err = l.WithAll(numbers.List(sorted[at:min(at+part, len(sorted))]).Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(l, sorted) {
			t.Fatalf("the list is %d, want %d", l, sorted)
		}
		var r, again numbers.Runs
		for _, n := range sorted {
			r = r.With(n)
		}
		for data := range r.Encode(part) {
			var err error
			if again, err = again.WithAll(data); err != nil {
				t.Fatal(err)
			}
		}
		var got []uint32
		for n, ok := again.Next(0); ok; n, ok = again.Next(n + 1) {
			if got = append(got, n); n == math.MaxUint32 {
				break
			}
		}
		if !slices.Equal(got, sorted) || again.Len() != len(sorted) {
			t.Fatalf("the runs are %d, want %d", got, sorted)
		}
	})
}

// Numbers that do not ascend are refused, and so is what is cut short or out of range.
func TestEncodedRefuses(t *testing.T) {
	five := numbers.List{5}
	for name, data := range map[string][]byte{
		"again": {5}, "before": {3}, "twice": {6, 0}, "cut short": {0x80}, "too large": {0xff, 0xff, 0xff, 0xff, 0x1f}, "the second is too large": {6, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		if l, err := five.WithAll(data); err == nil {
			t.Errorf("list, %s: %d", name, l)
		}
	}
	runs := numbers.Runs{}.With(5)
	for name, data := range map[string][]byte{
		"again": {5, 1}, "right behind": {6, 1}, "before": {3, 1}, "none": {7, 0}, "no gap": {7, 1, 0, 1}, "cut short": {7}, "gap cut short": {0x80},
		"too large": {0xff, 0xff, 0xff, 0xff, 0x1f, 1}, "too many": {7, 0xff, 0xff, 0xff, 0xff, 0x1f}, "an end that is too large": {0xff, 0xff, 0xff, 0xff, 0x0f, 2},
	} {
		if r, err := runs.WithAll(data); err == nil {
			t.Errorf("runs, %s: %#v", name, r)
		}
	}
	if runs.Len() != 1 || len(five) != 1 {
		t.Error("what was refused has changed a set")
	}
}

// Two sets are made of one, which stays what it was.
func TestEncodedApart(t *testing.T) {
	list, runs := numbers.List{}, numbers.Runs{}
	for n := range uint32(21) { // so that some of them have room for more
		list, runs = list.With(3*n), runs.With(3*n)
		for name, with := range map[string]func(data []byte) (numbers.Set, error){
			"list": func(data []byte) (numbers.Set, error) { return list.WithAll(data[:1]) },
			"runs": func(data []byte) (numbers.Set, error) { return runs.WithAll(data) },
		} {
			one, err := with([]byte{100, 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := with([]byte{101, 1}); err != nil {
				t.Fatal(err)
			}
			if last, ok := one.Next(3*n + 1); !ok || last != 100 {
				t.Errorf("%s of %d numbers: another set has changed this one, whose last number is %d", name, n+1, last)
			}
		}
	}
}
