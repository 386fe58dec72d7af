package record

import (
	"fmt"
	"sync"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Encoder encodes envelopes. It reuses its memory, so one goroutine uses it at a time.
type Encoder struct{ record journalrecord.JournalRecord }

// Encode returns the encoding of e. An error is returned if e holds what the schema has no room
// for, such as a time out of range.
func (enc *Encoder) Encode(e *Envelope) ([]byte, error) {
	r := &enc.record
	expects := r.Expects[:0]
	for i := range e.Expects {
		x := journalrecord.Expectation{Stream: string(e.Expects[i].Stream)}
		if a := &e.Expects[i].Attempt; !a.IsZero() {
			x.Attempt = (*journalrecord.AttemptID)(a)
		}
		expects = append(expects, x)
	}
	*r = journalrecord.JournalRecord{
		Kind: e.Kind, Attempt: journalrecord.AttemptID(e.Attempt), Expects: expects, DecidedAt: Time(e.DecidedAt),
		Writer: e.Writer, Traceparent: e.Traceparent, Body: e.Body,
	}
	if s := e.Sealed; s != nil {
		r.Sealed = &journalrecord.Sealed{KeyID: s.KeyID, Nonce: s.Nonce, Ciphertext: s.Ciphertext}
	}
	return avrobin.EncodeSingleObject(r)
}

// AttemptIn returns the attempt of an encoded envelope without decoding it: the attempt follows the
// header and the kind. If data is not an envelope, or its kind is longer than 63 bytes, the result
// is arbitrary, so the caller compares all the bytes with those it expects.
func AttemptIn(data []byte) (a Attempt) {
	if len(data) > 10 && data[10] < 0x80 { // a kind of less than 64 bytes
		if at := 11 + int(data[10])/2; len(data) >= at+len(a) {
			copy(a[:], data[at:])
		}
	}
	return a
}

// AttemptOf returns the attempt of an encoded envelope, whatever its kind. If data is no envelope,
// the result is arbitrary, and the same whenever data is the same.
func AttemptOf(data []byte) Attempt {
	if a := AttemptIn(data); !a.IsZero() {
		return a
	}
	e, _ := Decode(data)
	return e.Attempt
}

var decoded = sync.Pool{New: func() any { return new(journalrecord.JournalRecord) }}

// Decode decodes an envelope. The schema of the envelope is frozen, so there is one version to
// read.
func Decode(data []byte) (Envelope, error) {
	r := decoded.Get().(*journalrecord.JournalRecord)
	defer decoded.Put(r)
	*r = journalrecord.JournalRecord{}
	if err := decodeSingle(data, r); err != nil {
		return Envelope{}, err
	}
	e := Envelope{
		Kind: r.Kind, Attempt: Attempt(r.Attempt), DecidedAt: r.DecidedAt.UnixMicro(),
		Writer: r.Writer, Traceparent: r.Traceparent, Body: r.Body,
	}
	if len(r.Expects) > 0 {
		e.Expects = make([]Expectation, len(r.Expects))
	}
	for i := range r.Expects {
		e.Expects[i].Stream = Stream(r.Expects[i].Stream)
		if a := r.Expects[i].Attempt; a != nil {
			e.Expects[i].Attempt = Attempt(*a)
		}
	}
	if s := r.Sealed; s != nil {
		e.Sealed = &Sealed{KeyID: s.KeyID, Nonce: s.Nonce, Ciphertext: s.Ciphertext}
	}
	return e, nil
}

// EncodePosition returns the encoding of p.
func EncodePosition(p Position) ([]byte, error) {
	return avrobin.EncodeSingleObject(&journalrecord.Position{
		Name: p.Name, Log: p.Log, Offset: p.Offset, UpdatedAt: Time(p.UpdatedAt)})
}

// DecodePosition decodes a position.
func DecodePosition(data []byte) (Position, error) {
	var p journalrecord.Position
	if err := decodeSingle(data, &p); err != nil {
		return Position{}, err
	}
	return Position{Name: p.Name, Log: p.Log, Offset: p.Offset, UpdatedAt: p.UpdatedAt.UnixMicro()}, nil
}

func decodeSingle(data []byte, v avrobin.Value) error {
	fingerprint, body, err := avrobin.CutSingleObject(data)
	if err != nil {
		return err
	}
	if want := v.AvroType().Fingerprint; fingerprint != want {
		return fmt.Errorf("schema %016x is not that of %s, %016x", fingerprint, v.AvroType().Name, want)
	}
	return avrobin.Decode(body, v)
}
