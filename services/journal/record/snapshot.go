package record

import (
	"crypto/sha256"
	"fmt"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Manifest is what makes a snapshot whole; SnapshotManifest.avsc describes the fields.
type Manifest struct {
	Snapshot    Attempt
	Complete    bool
	FoldVersion int32
	Shape       Digest
	Offset      int64
	TopicID     [16]byte
	LastRecord  Digest
	Chunks      int32
	FirstChunk  int64
	Hash        Digest
	Writer      string
	TakenAt     int64 // microseconds since 1970
}

// EncodeManifest returns the encoding of m.
func EncodeManifest(m Manifest) ([]byte, error) {
	return avrobin.EncodeSingleObject(&journalrecord.SnapshotManifest{
		Snapshot: journalrecord.AttemptID(m.Snapshot), Complete: m.Complete, FoldVersion: m.FoldVersion, Shape: m.Shape[:],
		Offset: m.Offset, TopicID: m.TopicID, LastRecord: m.LastRecord[:], Chunks: m.Chunks, FirstChunk: m.FirstChunk, Hash: m.Hash[:],
		Writer: m.Writer, TakenAt: Time(m.TakenAt),
	})
}

// DecodeManifest decodes a manifest. An error is returned for one that another version of the
// program has written in another form.
func DecodeManifest(data []byte) (m Manifest, err error) {
	var r journalrecord.SnapshotManifest
	if err := decodeSingle(data, &r); err != nil {
		return m, err
	}
	m = Manifest{
		Snapshot: Attempt(r.Snapshot), Complete: r.Complete, FoldVersion: r.FoldVersion, Offset: r.Offset, TopicID: r.TopicID,
		Chunks: r.Chunks, FirstChunk: r.FirstChunk, Writer: r.Writer, TakenAt: r.TakenAt.UnixMicro(),
	}
	for into, digest := range map[*Digest][]byte{&m.Shape: r.Shape, &m.LastRecord: r.LastRecord, &m.Hash: r.Hash} {
		if len(digest) != sha256.Size {
			return m, fmt.Errorf("a digest of %d bytes", len(digest))
		}
		*into = Digest(digest)
	}
	return m, nil
}

// Chunk is a part of a snapshot.
type Chunk struct {
	Snapshot Attempt
	Number   int32 // from 0
	Data     []byte
}

// EncodeChunk returns the encoding of c.
func EncodeChunk(c Chunk) ([]byte, error) {
	return avrobin.EncodeSingleObject(&journalrecord.SnapshotChunk{Snapshot: journalrecord.AttemptID(c.Snapshot), Chunk: c.Number, Data: c.Data})
}

// DecodeChunk decodes a chunk.
func DecodeChunk(data []byte) (Chunk, error) {
	var r journalrecord.SnapshotChunk
	err := decodeSingle(data, &r)
	return Chunk{Snapshot: Attempt(r.Snapshot), Number: r.Chunk, Data: r.Data}, err
}
