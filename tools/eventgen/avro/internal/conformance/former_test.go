package conformance

import (
	"bytes"
	"hash/crc32"
	"reflect"
	"testing"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/golden/depot/gen/log"
	"github.com/deferpay/deferpay/tools/eventgen/golden/depot/gen/talk"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// versioned are generated types that have former versions.
var versioned = map[string]func() avrobin.Value{
	"Moved":     func() avrobin.Value { return new(log.Moved) },
	"Counted":   func() avrobin.Value { return new(log.Counted) },
	"Mark":      func() avrobin.Value { return new(log.Mark) },
	"Announced": func() avrobin.Value { return new(talk.Announced) },
}

// TestFormerVersions decodes values drawn for each former version, and compares them with what the
// independent codec resolves.
func TestFormerVersions(t *testing.T) {
	for name, empty := range versioned {
		t.Run(name, func(t *testing.T) {
			own := empty().AvroType()
			present := oracle.MustParse(own.Schema)
			if len(own.Former) == 0 {
				t.Fatal("it has no former version")
			}
			for _, f := range own.Former {
				writer, err := schema.Parse(f.Schema)
				if err != nil {
					t.Fatal(err)
				}
				if writer.Fingerprint() != f.Fingerprint {
					t.Fatalf("the fingerprint is %016x, not %016x", writer.Fingerprint(), f.Fingerprint)
				}
				theirs, err := oracle.Resolve(oracle.MustParse(f.Schema), present)
				if err != nil {
					t.Fatal(err)
				}
				for seed := range uint64(*rounds) {
					compareFormer(t, draw.New(seed).Append(nil, writer), f.Fingerprint, empty(), theirs, present)
				}
			}
		})
	}
}

// compareFormer decodes data of a former version into v, and with the independent codec's plan.
func compareFormer(t *testing.T, data []byte, fingerprint uint64, v avrobin.Value, theirs, present *oracle.Schema) {
	t.Helper()
	if err := resolve.Decode(fingerprint, data, v); err != nil {
		t.Fatalf("% x: %v", data, err)
	}
	out, err := avrobin.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if _, err := theirs.Decode(data, &want, oracle.TaggedUnions()); err != nil {
		t.Fatalf("% x: the independent codec: %v", data, err)
	}
	if _, err := present.Decode(out, &got, oracle.TaggedUnions()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("% x:\n got %v\nwant %v", data, got, want)
	}
}

// FuzzFormer decodes any bytes as a former version. Decoding terminates and allocates little, and a
// decoded value can be encoded and decoded again.
func FuzzFormer(f *testing.F) {
	var list []func() avrobin.Value
	var prints []uint64
	for _, name := range []string{"Moved", "Counted", "Mark", "Announced"} {
		for _, former := range versioned[name]().AvroType().Former {
			writer, err := schema.Parse(former.Schema)
			if err != nil {
				f.Fatal(err)
			}
			for seed := range uint64(5) {
				g := draw.New(seed)
				data := g.Append(nil, writer)
				f.Add(byte(len(list)), data)
				f.Add(byte(len(list)), g.Mutate(data))
			}
			list, prints = append(list, versioned[name]), append(prints, former.Fingerprint)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		i := int(which) % len(list)
		v := list[i]()
		if crc32.ChecksumIEEE(data)%16 == 0 { // measuring stops the world
			_ = resolve.Decode(prints[i], data, list[i]()) // makes the plan, and a buffer
			if cost := allocated(func() { _ = resolve.Decode(prints[i], data, v) }); cost > uint64(mostOfFormer*len(data)+(256<<10)) {
				t.Fatalf("%d bytes allocated for %d", cost, len(data))
			}
			v = list[i]()
		}
		if err := resolve.Decode(prints[i], data, v); err != nil {
			return
		}
		again, err := avrobin.Encode(v)
		if err != nil {
			t.Fatalf("it was read, and cannot be written: %v", err)
		}
		w := list[i]()
		if err := avrobin.Decode(again, w); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if third, err := avrobin.Encode(w); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("% x, then % x: %v", again, third, err)
		}
	})
}

// mostOfFormer is the number of bytes that decoding a former version may allocate for each byte of
// the message. In the present version a message is at most 64 times as long.
const mostOfFormer = 64 * mostPerByte
