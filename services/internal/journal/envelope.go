package journal

import (
	"fmt"
	"sync"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// encoder writes envelopes, reusing what it needs for that.
type encoder struct{ record journalrecord.JournalRecord }

// encode writes a JournalRecord in Avro single-object encoding.
func (enc *encoder) encode(e *envelope) ([]byte, error) {
	r := &enc.record
	expects := r.Expects[:0]
	for i := range e.expects {
		x := journalrecord.Expectation{Stream: string(e.expects[i].stream)}
		if a := &e.expects[i].attempt; !a.IsZero() {
			x.Attempt = (*journalrecord.AttemptID)(a)
		}
		expects = append(expects, x)
	}
	*r = journalrecord.JournalRecord{
		Kind: e.kind, Attempt: journalrecord.AttemptID(e.attempt), Expects: expects, DecidedAt: timeOf(e.decidedAt),
		Writer: e.writer, Traceparent: e.traceparent, Body: e.body,
	}
	if s := e.sealed; s != nil {
		r.Sealed = &journalrecord.Sealed{KeyID: s.KeyID, Nonce: s.Nonce, Ciphertext: s.Ciphertext}
	}
	return avrobin.EncodeSingleObject(r)
}

// attemptIn finds the attempt of an encoded envelope without decoding it: after
// the header and the kind. It is a guess, for who then compares all the bytes.
func attemptIn(data []byte) (a Attempt) {
	if len(data) > 10 && data[10] < 0x80 { // a kind of less than 64 bytes
		if at := 11 + int(data[10])/2; len(data) >= at+len(a) {
			copy(a[:], data[at:])
		}
	}
	return a
}

var decoded = sync.Pool{New: func() any { return new(journalrecord.JournalRecord) }}

// decodeEnvelope reads a JournalRecord. The schema of the envelope is frozen: there
// is no other version to read.
func decodeEnvelope(data []byte) (envelope, error) {
	r := decoded.Get().(*journalrecord.JournalRecord)
	defer decoded.Put(r)
	*r = journalrecord.JournalRecord{}
	if err := decodeSingle(data, r); err != nil {
		return envelope{}, err
	}
	e := envelope{
		kind: r.Kind, attempt: Attempt(r.Attempt), decidedAt: r.DecidedAt.UnixMicro(),
		writer: r.Writer, traceparent: r.Traceparent, body: r.Body,
	}
	if len(r.Expects) > 0 {
		e.expects = make([]expectation, len(r.Expects))
	}
	for i := range r.Expects {
		e.expects[i].stream = Stream(r.Expects[i].Stream)
		if a := r.Expects[i].Attempt; a != nil {
			e.expects[i].attempt = Attempt(*a)
		}
	}
	if s := r.Sealed; s != nil {
		e.sealed = &Sealed{KeyID: s.KeyID, Nonce: s.Nonce, Ciphertext: s.Ciphertext}
	}
	return e, nil
}

func encodePosition(p position) ([]byte, error) {
	return avrobin.EncodeSingleObject(&journalrecord.Position{
		Name: p.name, Log: p.log, Offset: p.offset, UpdatedAt: timeOf(p.updatedAt)})
}

func decodePosition(data []byte) (position, error) {
	var p journalrecord.Position
	if err := decodeSingle(data, &p); err != nil {
		return position{}, err
	}
	return position{name: p.Name, log: p.Log, offset: p.Offset, updatedAt: p.UpdatedAt.UnixMicro()}, nil
}

func decodeSingle(data []byte, v avrobin.Value) error {
	fingerprint, body, err := avrobin.CutSingleObject(data)
	if err != nil {
		return err
	}
	if want := v.AvroType().Fingerprint; fingerprint != want {
		return fmt.Errorf("schema %016x is not %s (%016x)", fingerprint, v.AvroType().Name, want)
	}
	return avrobin.Decode(body, v)
}
