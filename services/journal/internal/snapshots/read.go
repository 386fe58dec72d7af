package snapshots

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Read calls item with each item of a complete snapshot, in order; it is valid during the call. An
// error is returned unless the whole snapshot was there, as its manifest says, and item returned no
// error. What items said must not be used then.
func (t Topic) Read(ctx context.Context, m record.Manifest, item func([]byte) error) error {
	hash, next := sha256.New(), int32(0)
	var rest []byte // of the chunks that were read, what is not a whole item yet
	err := t.read(ctx, chunks, m.FirstChunk, func(r *kgo.Record) (bool, error) {
		if string(r.Key) != string(chunkKey(m.Snapshot, next)) {
			return false, nil // of another snapshot
		}
		c, err := record.DecodeChunk(r.Value)
		switch {
		case r.Value == nil:
			return false, errors.New("it was removed")
		case err != nil:
			return false, fmt.Errorf("chunk %d: %w", next, err)
		case c.Snapshot != m.Snapshot || c.Number != next:
			return false, fmt.Errorf("chunk %d is chunk %d of %s", next, c.Number, c.Snapshot)
		}
		hashed := make(chan struct{})
		go func() { // beside the items, which take about as long
			hash.Write(c.Data)
			close(hashed)
		}()
		next++
		rest, err = Items(append(rest, c.Data...), item)
		<-hashed
		return next == m.Chunks, err
	})
	switch {
	case err != nil:
		return err
	case next < m.Chunks:
		return fmt.Errorf("it is cut short: %d of %d chunks are there", next, m.Chunks)
	case len(rest) > 0:
		return fmt.Errorf("its last item is cut short")
	case record.Digest(hash.Sum(nil)) != m.Hash:
		return errors.New("its hash is not that of the manifest")
	}
	return nil
}

// AppendItem appends an item to a snapshot.
func AppendItem(dst, item []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(item))), item...)
}

// Items calls item with each whole item in data, and returns the rest, in the memory of data.
func Items(data []byte, item func([]byte) error) (rest []byte, err error) {
	at := 0
	for {
		n, size := binary.Uvarint(data[at:])
		if size < 0 {
			return nil, errors.New("the length of an item is out of range")
		}
		if size == 0 || n > uint64(len(data)-at-size) {
			return append(data[:0], data[at:]...), nil
		}
		at += size
		if err := item(data[at : at+int(n)]); err != nil {
			return nil, err
		}
		at += int(n)
	}
}
