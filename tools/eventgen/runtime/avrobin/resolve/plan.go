package resolve

import (
	"fmt"
	"sync"

	"github.com/hamba/avro/v2"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Plan reads values written with one schema as values of another. It rewrites the writer's bytes as
// the reader's schema would have encoded them, and the compiled codec decodes the result. So it
// needs no reflection, and the bounds of an avrobin.Reader hold. A Plan is safe for concurrent use.
type Plan struct {
	root *step
	same bool // the bytes need no change
}

// NewPlan compiles the resolution of the writer's schema into the schema of a generated type. An
// error is returned if the schemas do not resolve, whatever the value. A union branch or an enum
// symbol that the reader does not know is an error of Decode, and only for the values that have it.
func NewPlan(writerSchema string, reader *avrobin.Type) (*Plan, error) {
	w, err := schema.Parse(writerSchema)
	if err != nil {
		return nil, fmt.Errorf("the writer's schema: %w", err)
	}
	r, err := schema.Parse(reader.Schema)
	if err != nil {
		return nil, fmt.Errorf("the reader's schema: %w", err)
	}
	root, err := newPlanner().resolve(w, r)
	if err != nil {
		return nil, fmt.Errorf("resolve the writer's schema to %s: %w", reader.Name, err)
	}
	return &Plan{root: root, same: w.Fingerprint() == reader.Fingerprint}, nil
}

// A plan's output is limited to expansion bytes for each byte read, plus expansionSlack, because
// defaults can make it longer than the input.
const (
	expansion      = 64
	expansionSlack = 64 << 10
)

// largestKept is the capacity above which a buffer is not kept for the next message.
const largestKept = 1 << 20

// Transcode appends body, which was written with the writer's schema, in the encoding of the
// reader's schema.
func (p *Plan) Transcode(dst, body []byte) ([]byte, error) {
	t := transcoder{limit: len(dst) + min(expansionSlack+expansion*len(body), avrobin.MaxSize)}
	t.p = t.r.Begin(body)
	dst = p.root.run(&t, dst)
	return dst, t.r.Done(t.p)
}

var transcoded = sync.Pool{New: func() any { return new([]byte) }}

// Decode decodes body, which was written with the writer's schema, into v.
func (p *Plan) Decode(body []byte, v avrobin.Value) error {
	if p.same {
		return v.DecodeAvro(body)
	}
	buf := transcoded.Get().(*[]byte)
	out, err := p.Transcode((*buf)[:0], body)
	if err == nil {
		err = v.DecodeAvro(out)
	}
	if cap(out) <= largestKept {
		*buf = out
		transcoded.Put(buf)
	}
	return err
}

type transcoder struct {
	r     avrobin.Reader
	p     int // where it reads
	limit int
	hamba avro.Reader
}

func (t *transcoder) long() (v int64) {
	v, t.p = t.r.Long(t.p)
	return v
}

func (t *transcoder) take(n int) (b []byte) {
	b, t.p = t.r.Take(t.p, n)
	return b
}

func (t *transcoder) span() (b []byte) {
	b, t.p = t.r.Span(t.p)
	return b
}

func (t *transcoder) block(least int) (n int) {
	n, t.p = t.r.Block(t.p, least)
	return n
}

// float reads a float with hamba, from a slice of four bytes.
func (t *transcoder) float() float32 {
	b := t.take(4)
	if b == nil {
		return 0
	}
	return t.hamba.Reset(b).ReadFloat()
}

type op uint8

const (
	opNull op = iota
	opBoolean
	opInt
	opLong
	opRaw        // size bytes
	opBytes      // a length and bytes
	opDecimal    // size bytes, or a length and bytes, to another number of bytes
	opIntFloat   // int or long to float
	opIntDouble  // int or long to double
	opFloatWiden // float to double
	opEnum
	opArray
	opMap
	opRecord
	opReorder // a record whose fields change places
	opUnion   // of the writer
	opBranch  // of the reader: prefix, then the value
	opFail
)

// step reads a value of one type of the writer.
type step struct {
	op      op
	size    int     // of the value in the input; 0 for a decimal in bytes
	into    int     // opDecimal: size of the value in the output; 0 for bytes
	least   int     // least number of bytes of an item
	indices []int64 // enum: index of the reader's symbol for each of the writer's, or -1
	names   []string
	prefix  []byte
	err     string
	steps   []part // fields in the order they are read, branches, or one item
	order   []part // of an opReorder: what is written, in order; at says which of steps
}

// part is a field or branch: a value to keep, one to skip, or a default to insert.
type part struct {
	*step
	skip   bool
	fill   []byte
	at     int
	isFill bool
}

func (s *step) run(t *transcoder, dst []byte) []byte {
	if !t.r.OK() {
		return dst
	}
	if len(dst) > t.limit {
		t.r.Fail(t.p, "the value grows beyond %d bytes in resolution", t.limit)
		return dst
	}
	switch s.op {
	case opBoolean:
		var v bool
		v, t.p = t.r.Boolean(t.p)
		return avrobin.AppendBoolean(dst, v)
	case opInt:
		var v int32
		v, t.p = t.r.Int(t.p)
		return avrobin.AppendLong(dst, int64(v))
	case opLong:
		return avrobin.AppendLong(dst, t.long())
	case opRaw:
		return append(dst, t.take(s.size)...)
	case opBytes:
		return avrobin.AppendBytes(dst, t.span())
	case opDecimal:
		return s.decimal(t, dst)
	case opIntFloat:
		return avrobin.AppendFloat(dst, float32(t.long()))
	case opIntDouble:
		return avrobin.AppendDouble(dst, float64(t.long()))
	case opFloatWiden:
		return avrobin.AppendDouble(dst, float64(t.float()))
	case opEnum:
		return s.enum(t, dst)
	case opArray, opMap:
		return s.items(t, dst)
	case opRecord:
		return s.record(t, dst)
	case opReorder:
		return s.reorder(t, dst)
	case opUnion:
		var i int
		if i, t.p = t.r.Branch(t.p, len(s.steps)); i >= 0 {
			return s.steps[i].run(t, dst)
		}
	case opBranch:
		return s.steps[0].run(t, append(dst, s.prefix...))
	case opFail:
		t.r.Fail(t.p, "%s", s.err)
	}
	return dst
}

// decimal writes the number with the number of bytes of the reader's schema.
func (s *step) decimal(t *transcoder, dst []byte) []byte {
	var b []byte
	if s.size > 0 {
		b = t.take(s.size)
	} else {
		b = t.span()
	}
	b = avrobin.TrimSigned(b)
	switch {
	case s.into == 0:
		return avrobin.AppendBytes(dst, b)
	case len(b) > s.into:
		t.r.Fail(t.p, "a decimal takes %d bytes, the reader's has %d", len(b), s.into)
		return dst
	}
	return avrobin.AppendSigned(dst, b, s.into)
}

func (s *step) enum(t *transcoder, dst []byte) []byte {
	i := t.long()
	switch {
	case !t.r.OK():
	case i < 0 || i >= int64(len(s.indices)):
		t.r.Fail(t.p, "an enum of %d symbols has no symbol %d", len(s.indices), i)
	case s.indices[i] < 0:
		t.r.Fail(t.p, "the reader's enum has neither %s nor a default", s.names[i])
	default:
		return avrobin.AppendLong(dst, s.indices[i])
	}
	return dst
}

func (s *step) items(t *transcoder, dst []byte) []byte {
	for n := t.block(s.least); n > 0; n = t.block(s.least) {
		dst = avrobin.AppendLong(dst, int64(n))
		for ; n > 0 && t.r.OK(); n-- {
			if s.op == opMap {
				dst = avrobin.AppendBytes(dst, t.span())
			}
			dst = s.steps[0].run(t, dst)
		}
	}
	return append(dst, 0)
}

func (s *step) record(t *transcoder, dst []byte) []byte {
	if !t.r.Enter(t.p) {
		return dst
	}
	for _, p := range s.steps {
		switch {
		case p.isFill:
			dst = append(dst, p.fill...)
		case p.skip:
			dst = p.run(t, dst)[:len(dst)]
		default:
			dst = p.run(t, dst)
		}
	}
	t.r.Leave()
	return dst
}

// reorder appends the fields in the writer's order, then again in the reader's order, and keeps
// only the latter.
func (s *step) reorder(t *transcoder, dst []byte) []byte {
	if !t.r.Enter(t.p) {
		return dst
	}
	begin := len(dst)
	ends := make([]int, len(s.steps)+1)
	ends[0] = begin
	for i, p := range s.steps {
		dst = p.run(t, dst)
		if p.skip {
			dst = dst[:ends[i]]
		}
		ends[i+1] = len(dst)
	}
	t.r.Leave()
	middle := len(dst)
	for _, p := range s.order {
		if p.isFill {
			dst = append(dst, p.fill...)
		} else {
			dst = append(dst, dst[ends[p.at]:ends[p.at+1]]...)
		}
	}
	return append(dst[:begin], dst[middle:]...)
}
