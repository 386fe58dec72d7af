package avrobin

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func readerOf(data []byte) (r Reader) {
	r.Begin(data)
	return r
}

func TestLong(t *testing.T) {
	var w Writer
	for shift := range 64 {
		for _, v := range []int64{1 << shift, 1<<shift - 1, -1 << shift, -1<<shift - 1, math.MaxInt64, math.MinInt64} {
			b := w.Long(nil, v)
			if !bytes.Equal(b, AppendLong(nil, v)) {
				t.Fatalf("%d: % x and % x", v, b, AppendLong(nil, v))
			}
			for _, tail := range []int{0, 1, 10} {
				r := readerOf(append(bytes.Clone(b), make([]byte, tail)...))
				if got, p := r.Long(0); got != v || p != len(b) {
					t.Fatalf("%d: read as %d with %d bytes of %d, %d behind", v, got, p, len(b), tail)
				}
			}
			for i := range b {
				r := readerOf(b[:i])
				if r.Long(0); r.OK() {
					t.Fatalf("%d: %d of %d bytes are enough", v, i, len(b))
				}
			}
		}
	}
}

// TestTimestamps writes and reads instants whose encodings have every length of a long.
func TestTimestamps(t *testing.T) {
	var w Writer
	for shift := range 53 { // in milliseconds: what time.Time can say in microseconds
		for _, v := range []int64{0, 1 << shift, 1<<shift - 1, -1 << shift, -1<<shift - 1} {
			for name, c := range map[string]struct {
				at    time.Time
				write func([]byte, time.Time) []byte
				read  func(*Reader, int) (time.Time, int)
			}{
				"millis": {time.UnixMilli(v), w.TimestampMillis, (*Reader).TimestampMillis},
				"micros": {time.UnixMicro(v), w.TimestampMicros, (*Reader).TimestampMicros},
			} {
				b := c.write(nil, c.at)
				if !bytes.Equal(b, AppendLong(nil, v)) {
					t.Fatalf("%s: %d is written as % x", name, v, b)
				}
				for _, tail := range []int{0, 10} {
					r := readerOf(append(bytes.Clone(b), make([]byte, tail)...))
					if got, p := c.read(&r, 0); !got.Equal(c.at) || p != len(b) {
						t.Fatalf("%s: %d is read as %s, %d bytes of %d", name, v, got, p, len(b))
					}
				}
			}
		}
	}
}

// TestHostile reads bytes that make the decoder of hamba/avro allocate, overflow or loop.
func TestHostile(t *testing.T) {
	huge := AppendLong(nil, math.MaxInt64)
	smallest := AppendLong(nil, math.MinInt64)
	for name, c := range map[string]struct {
		data []byte
		read func(r *Reader)
	}{
		"long of eleven bytes":    {bytes.Repeat([]byte{0xFF}, 11), func(r *Reader) { r.Long(0) }},
		"long of 65 bits":         {append(bytes.Repeat([]byte{0xFF}, 9), 2), func(r *Reader) { r.Long(0) }},
		"int of 33 bits":          {AppendLong(nil, math.MaxInt32+1), func(r *Reader) { r.Int(0) }},
		"bytes without end":       {huge, func(r *Reader) { r.Bytes(0) }},
		"bytes of less than none": {AppendLong(nil, -1), func(r *Reader) { r.Bytes(0) }},
		"string without end":      {huge, func(r *Reader) { r.String(0) }},
		"string that is none":     {[]byte{4, 0xFF, 0xFE}, func(r *Reader) { r.String(0) }},
		"block of all":            {huge, func(r *Reader) { r.Block(0, 1) }},
		"block of nothing":        {huge, func(r *Reader) { r.Block(0, 0) }},
		"block of the smallest":   {append(bytes.Clone(smallest), 0), func(r *Reader) { r.Block(0, 1) }},
		"block of too many bytes": {append([]byte{1}, huge...), func(r *Reader) { r.Block(0, 1) }},
		"boolean 2":               {[]byte{2}, func(r *Reader) { r.Boolean(0) }},
		"branch -1":               {[]byte{1}, func(r *Reader) { r.Branch(0, 2) }},
		"symbol 2":                {[]byte{4}, func(r *Reader) { r.Symbol(0, []string{"A", "B"}) }},
		"double cut off":          {make([]byte, 7), func(r *Reader) { r.Double(0) }},
		"fixed cut off":           {make([]byte, 7), func(r *Reader) { r.Fixed(0, make([]byte, 8)) }},
		"time of day":             {AppendLong(nil, 24*3600*1000), func(r *Reader) { r.TimeMillis(0) }},
		"uuid":                    {AppendString(nil, strings.Repeat("x", 36)), func(r *Reader) { r.UUID(0) }},
		"decimal of many digits":  {AppendBytes(nil, bytes.Repeat([]byte{0x7F}, 5000)), func(r *Reader) { r.Decimal(0, 5, 2) }},
		"big-decimal, huge scale": {AppendBytes(nil, AppendLong([]byte{2, 1}, math.MaxInt32)), func(r *Reader) { r.BigDecimal(0) }},
	} {
		r := readerOf(c.data)
		n := testing.AllocsPerRun(1, func() { r = readerOf(c.data); c.read(&r) })
		if r.OK() {
			t.Errorf("%s: accepted", name)
		}
		if !errors.Is(r.Done(0), ErrMalformed) {
			t.Errorf("%s: %v", name, r.Done(0))
		}
		if n > 20 {
			t.Errorf("%s: %v allocations", name, n)
		}
		number, _ := r.Long(0)
		text, _ := r.String(1)
		if count, _ := r.Block(2, 1); number != 0 || text != "" || count != 0 {
			t.Errorf("%s: a value was read after a fault", name)
		}
	}
}

// TestMemoryIsBounded checks that memory is refused before it is allocated.
func TestMemoryIsBounded(t *testing.T) {
	entries := MaxMemory/(3*(16+mapKey)) + 1
	for name, c := range map[string]func(r *Reader){
		"a map":           func(r *Reader) { GrowMap[string](r, nil, entries) },
		"blocks of a map": func(r *Reader) { GrowMap(r, map[string]string{}, entries) },
		"an array":        func(r *Reader) { Extend(r, new([][MaxMemory + 1]byte), 1) },
		"pointers": func(r *Reader) {
			for r.memory = MaxMemory - 10_000; r.OK(); {
				New[[1000]byte](r)
			}
		},
	} {
		r := readerOf(make([]byte, 100))
		cost := testing.AllocsPerRun(1, func() { r = readerOf(make([]byte, 100)); c(&r) })
		if err := r.Done(0); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "memory allowed") {
			t.Errorf("%s: %v", name, err)
		}
		if cost > 20 {
			t.Errorf("%s: %v allocations", name, cost)
		}
	}
}

// TestAllocationInAdvance checks that the memory allocated in advance, for announced items, is
// limited for the whole message.
func TestAllocationInAdvance(t *testing.T) {
	r := readerOf(make([]byte, 1000))
	total := 0
	for range 100 {
		var s []int64
		if got := Extend(&r, &s, 1000); len(got) == 0 {
			t.Fatal("nothing is allocated for one item")
		}
		total += cap(s) * 8
	}
	if total > spread*1000+100*8 {
		t.Errorf("%d bytes for a message of 1000", total)
	}
	r = readerOf(make([]byte, 1000))
	var blocks []int64
	rooms := 0
	for range 1000 {
		if len(blocks) == cap(blocks) {
			rooms++
		}
		Extend(&r, &blocks, 1)
	}
	if rooms > 20 || len(blocks) != 1000 {
		t.Errorf("%d allocations for %d blocks of one item", rooms, len(blocks))
	}
	r = readerOf(make([]byte, 1000))
	var s []int64
	calls := 0
	for n := 100_000; n > 0; calls++ {
		n -= len(Extend(&r, &s, n))
	}
	if len(s) != 100_000 || cap(s) > 2*len(s) || calls > 40 {
		t.Errorf("%d items in %d calls, with a capacity of %d", len(s), calls, cap(s))
	}
}

func TestEmptyItemsInWholeMessage(t *testing.T) {
	r := readerOf(bytes.Repeat(AppendLong(nil, MaxEmptyItems/2), 3))
	n, p := 0, 0
	for range 2 {
		if n, p = r.Block(p, 0); n == 0 {
			t.Fatal(r.Done(p))
		}
	}
	if n, _ = r.Block(p, 0); n != 0 || r.OK() {
		t.Error("more items than the limit are accepted")
	}
}

func TestText(t *testing.T) {
	samples := []string{"", "a", "ab", "abc", "abcd", "abcdefg", "abcdefgh", "abcdefghi", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("y", 3000),
		"é", "aé", "漢字", "🙂🙂🙂", strings.Repeat("é", 40), "abcdefgé", "abcdefghé", "\xff", "a\xff", "ab\xff", "abcdefgh\xff", "\xffabcdefgh", "abcdefghijklmnop\xc3", strings.Repeat("z", 70) + "\xed\xa0\x80"}
	var w Writer
	for i, s := range samples {
		for room := range 80 {
			w = Writer{}
			b := w.String(make([]byte, i%3, i%3+room), s)
			if !bytes.Equal(b[i%3:], AppendString(nil, s)) {
				t.Fatalf("%q with capacity %d: % x", s, room, b)
			}
			if (w.Err() == nil) != utf8.ValidString(s) {
				t.Fatalf("%q: %v", s, w.Err())
			}
		}
		r := readerOf(AppendString(nil, s))
		if got, p := r.String(0); r.OK() != utf8.ValidString(s) || r.OK() && got != s {
			t.Errorf("%q is read as %q, %v", s, got, r.Done(p))
		}
	}
	// Several strings share windows, whatever their lengths.
	var b []byte
	for range 5 {
		for _, s := range samples {
			if utf8.ValidString(s) {
				b = append(AppendString(b, s), 0xFF)
			}
		}
	}
	r := readerOf(b)
	p := 0
	var got []string
	for p < len(b) && r.OK() {
		var s string
		s, p = r.String(p)
		got = append(got, s)
		p++
	}
	if err := r.Done(p); err != nil {
		t.Error(err)
	}
	for range 5 { // when all are read: none may have been written over
		for _, s := range samples {
			if utf8.ValidString(s) {
				if got[0] != s {
					t.Fatalf("%q is read as %q", s, got[0])
				}
				got = got[1:]
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, s := range []string{"0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "-255", "-256", "32767", "32768", "-32768", "-32769", "12.50", "-0.01", "0.00", "99999999999999999999.99"} {
		d := MustDecimal(s)
		if d.String() != s {
			t.Errorf("%s is written as %s", s, d)
		}
		if got := fromTwosComplement(twosComplement(d.int())); got.Cmp(d.int()) != 0 {
			t.Errorf("%s comes back as %s", s, got)
		}
		var w Writer
		b := w.DecimalFixed(w.Decimal(nil, d, 40, 2), d, 20, 40, 2)
		b = w.BigDecimal(b, d)
		r := readerOf(b)
		one, p := r.Decimal(0, 40, 2)
		two, p := r.DecimalFixed(p, 20, 40, 2)
		three, p := r.BigDecimal(p)
		if err := r.Done(p); err != nil || w.Err() != nil || one.Cmp(d) != 0 || two.Cmp(d) != 0 || three.String() != s {
			t.Errorf("%s comes back as %s, %s, %s: %v %v", s, one, two, three, err, w.Err())
		}
	}
	for _, padded := range [][]byte{{0, 0, 0, 5}, {0xFF, 0xFF, 0xFF, 0xFB}, {0, 0x80}, append(make([]byte, 2000), 1)} {
		r := readerOf(AppendBytes(nil, padded))
		if d, p := r.Decimal(0, 3, 0); r.Done(p) != nil || d.int().Cmp(fromTwosComplement(padded)) != 0 {
			t.Errorf("% x is read as %s: %v", padded[:2], d, r.Done(p))
		}
	}
	for _, s := range []string{"", ".", "-", "1.", "1e3", "--1", "1-2", "1.-2", "+-1", "x", "1.2.3", strings.Repeat("9", 100000)} {
		if d, err := ParseDecimal(s); err == nil {
			t.Errorf("%.20q is read as %s", s, d)
		}
	}
	if MustDecimal("1.005").Fits(10, 2) == nil || MustDecimal("123").Fits(4, 2) == nil || MustDecimal("12.500").Fits(4, 2) != nil {
		t.Error("Fits is wrong")
	}
	if NewBigDecimal(big.NewInt(5), -2).String() != "500" || (Decimal{}).String() != "0" {
		t.Error("negative scale or zero")
	}
}

func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		d    Date
		want string
	}{{0, "1970-01-01"}, {-1, "1969-12-31"}, {20512, "2026-02-28"}, {-719162, "0001-01-01"}} {
		if c.d.String() != c.want || NewDate(c.d.Date()) != c.d {
			t.Errorf("%d is %s, not %s", c.d, c.d, c.want)
		}
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Skip(err)
	}
	at := time.Date(2026, 3, 1, 0, 30, 0, 0, paris)
	if DateOf(at).String() != "2026-03-01" || LocalDateTimeOf(at).String() != "2026-03-01T00:30:00" || !LocalDateTimeOf(at).In(paris).Equal(at) {
		t.Error("the wall clock is wrong")
	}
	if u, err := ParseUUID("F81D4FAE-7dec-11d0-a765-00a0c91e6bf6"); err != nil || u.String() != "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" {
		t.Errorf("%s, %v", u, err)
	}
	if got := NewTimeOfDay(12, 30, 0, 5000).String(); got != "12:30:00.000005" {
		t.Error(got)
	}
}

func TestFraming(t *testing.T) {
	if _, _, err := CutConfluent([]byte{1, 0, 0, 0, 0}); !errors.Is(err, ErrFraming) {
		t.Error(err)
	}
	if _, _, err := CutSingleObject([]byte{0xC3, 1, 0}); !errors.Is(err, ErrFraming) {
		t.Error(err)
	}
	id, body, err := CutConfluent(append(AppendConfluentHeader(nil, 0x01020304), 9))
	if err != nil || id != 0x01020304 || len(body) != 1 {
		t.Error(id, body, err)
	}
	fp, body, err := CutSingleObject(append(AppendSingleObjectHeader(nil, 0x0807060504030201), 9))
	if err != nil || fp != 0x0807060504030201 || len(body) != 1 {
		t.Error(fp, body, err)
	}
}
