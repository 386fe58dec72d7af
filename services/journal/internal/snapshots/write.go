package snapshots

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

// Writer writes one snapshot. One goroutine uses it.
type Writer struct {
	topic    Topic
	manifest record.Manifest
	client   *kgo.Client
	hash     hash.Hash
	buffer   []byte
	reserved int32
	written  int64 // bytes
	first    int64 // offset of the first chunk
}

// Begin announces a snapshot. Of the manifest, Complete, Chunks, FirstChunk, LastRecord and Hash
// are not looked at. An error is returned if the topic is not configured as one of snapshots.
func (t Topic) Begin(ctx context.Context, m record.Manifest) (*Writer, error) {
	client, err := t.client(0, -1, 1)
	if err != nil {
		return nil, err
	}
	w := &Writer{topic: t, manifest: m, client: client, hash: sha256.New(), first: -1}
	err = topic.VerifyThat(ctx, client, t.Name, settings)
	if errors.Is(err, topic.ErrUnverified) && t.AllowUnverified {
		err = nil
	}
	if err == nil {
		w.manifest.Complete, w.manifest.Chunks = false, 0
		err = w.announce(ctx)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return w, nil
}

// announce announces further chunks.
func (w *Writer) announce(ctx context.Context) error {
	w.reserved += reserve
	m := w.manifest
	m.Chunks = w.reserved
	return w.put(ctx, m)
}

func (w *Writer) put(ctx context.Context, m record.Manifest) error {
	value, err := record.EncodeManifest(m)
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: w.topic.Name, Partition: manifests, Key: []byte(m.Snapshot.String()), Value: value}
	if err := w.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write the manifest of a snapshot to %s: %w", w.topic.Name, err)
	}
	return nil
}

// Write adds to the snapshot.
func (w *Writer) Write(ctx context.Context, data []byte) error {
	w.buffer = append(w.buffer, data...)
	for len(w.buffer) >= chunkSize {
		if err := w.chunk(ctx, w.buffer[:chunkSize]); err != nil {
			return err
		}
		w.buffer = append(w.buffer[:0], w.buffer[chunkSize:]...)
	}
	return nil
}

func (w *Writer) chunk(ctx context.Context, data []byte) error {
	if w.manifest.Chunks == w.reserved {
		if err := w.announce(ctx); err != nil {
			return err
		}
	}
	n := w.manifest.Chunks
	w.manifest.Chunks++
	w.hash.Write(data)
	w.written += int64(len(data))
	value, err := record.EncodeChunk(record.Chunk{Snapshot: w.manifest.Snapshot, Number: n, Data: data})
	if err != nil {
		return err
	}
	// One chunk is under way at a time, so that records of the log come in between. None is when
	// the snapshot is abandoned: it would come after what removes it, and stay for good.
	r := &kgo.Record{Topic: w.topic.Name, Partition: chunks, Key: chunkKey(w.manifest.Snapshot, n), Value: value}
	if err := w.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write a chunk of a snapshot to %s: %w", w.topic.Name, err)
	}
	if n == 0 {
		w.first = r.Offset
	}
	return nil
}

// Complete writes the rest of the snapshot and its manifest, and returns that. lastRecord is the
// digest of the last record in the cut.
func (w *Writer) Complete(ctx context.Context, lastRecord record.Digest) (record.Manifest, error) {
	if len(w.buffer) > 0 {
		if err := w.chunk(ctx, w.buffer); err != nil {
			return w.manifest, err
		}
		w.buffer = nil
	}
	m := w.manifest
	m.Complete, m.FirstChunk, m.LastRecord = true, w.first, lastRecord
	w.hash.Sum(m.Hash[:0])
	return m, w.put(ctx, m)
}

// Bytes returns how much was written.
func (w *Writer) Bytes() int64 { return w.written }

// Abandon removes what was written of a snapshot that is not complete.
func (w *Writer) Abandon(ctx context.Context) error { return w.topic.Remove(ctx, w.manifest) }

// Close ends the use of the writer. A snapshot that is not complete stays announced.
func (w *Writer) Close() { w.client.Close() }
