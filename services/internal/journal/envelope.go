package journal

import (
	"encoding/binary"
	"errors"
)

// encodeEnvelope writes the Avro single-object encoding of a JournalRecord.
func encodeEnvelope(e *envelope) ([]byte, error) {
	n := 64 + len(e.kind) + len(e.writer) + len(e.traceparent) + len(e.body)
	for i := range e.expects {
		n += 22 + len(e.expects[i].stream)
	}
	b := make([]byte, 0, n)
	b = append(b, 0xC3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0)
	b = appendText(b, e.kind)
	b = append(b, e.attempt[:]...)
	if len(e.expects) > 0 {
		b = binary.AppendVarint(b, int64(len(e.expects)))
		for i := range e.expects {
			b = appendText(b, string(e.expects[i].stream))
			if e.expects[i].attempt.IsZero() {
				b = append(b, 0)
			} else {
				b = append(append(b, 2), e.expects[i].attempt[:]...)
			}
		}
	}
	b = append(b, 0)
	b = binary.AppendVarint(b, e.decidedAt)
	b = appendText(b, e.writer)
	b = appendText(b, e.traceparent)
	b = appendText(b, string(e.body))
	if e.sealed == nil {
		return append(b, 0), nil
	}
	b = append(b, 2)
	b = appendText(b, e.sealed.KeyID)
	b = appendText(b, string(e.sealed.Nonce))
	return appendText(b, string(e.sealed.Ciphertext)), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}

var errEnvelope = errors.New("not a journal record")

// decodeEnvelope reads what encodeEnvelope wrote. The envelope keeps parts of b.
func decodeEnvelope(b []byte) (e envelope, err error) {
	if len(b) < 10 || b[0] != 0xC3 || b[1] != 0x01 {
		return e, errEnvelope
	}
	d := cursor{b: b[10:]}
	e.kind = string(d.bytes())
	copy(e.attempt[:], d.take(16))
	for n := d.varint(); n != 0 && !d.bad; n = d.varint() {
		if n < 0 {
			n = -n
			d.varint()
		}
		for ; n > 0 && !d.bad; n-- {
			x := expectation{stream: Stream(d.bytes())}
			if d.branch() {
				copy(x.attempt[:], d.take(16))
			}
			e.expects = append(e.expects, x)
		}
	}
	e.decidedAt = d.varint()
	e.writer = string(d.bytes())
	e.traceparent = string(d.bytes())
	e.body = d.bytes()
	if d.branch() {
		e.sealed = &Sealed{KeyID: string(d.bytes()), Nonce: d.bytes(), Ciphertext: d.bytes()}
	}
	if d.bad || len(d.b) > 0 {
		return e, errEnvelope
	}
	return e, nil
}

type cursor struct {
	b   []byte
	bad bool
}

func (d *cursor) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		d.b = nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *cursor) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		d.b = nil
		return nil
	}
	t := d.b[:n]
	d.b = d.b[n:]
	return t
}

func (d *cursor) bytes() []byte { return d.take(int(d.varint())) }

func (d *cursor) branch() bool {
	switch d.varint() {
	case 0:
		return false
	case 1:
		return true
	}
	d.bad = true
	return false
}

func encodePosition(p position) ([]byte, error) {
	b := []byte{0xC3, 0x01, 1, 0, 0, 0, 0, 0, 0, 0}
	b = appendText(b, p.name)
	b = appendText(b, p.log)
	b = binary.AppendVarint(b, p.offset)
	return binary.AppendVarint(b, p.updatedAt), nil
}

func decodePosition(b []byte) (p position, err error) {
	if len(b) < 10 || b[0] != 0xC3 || b[1] != 0x01 {
		return p, errEnvelope
	}
	d := cursor{b: b[10:]}
	p = position{name: string(d.bytes()), log: string(d.bytes()), offset: d.varint(), updatedAt: d.varint()}
	if d.bad {
		return p, errEnvelope
	}
	return p, nil
}
