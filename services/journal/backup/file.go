package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A dump begins with the line magic and a line of JSON, the Header. Each record follows the byte
// 'r': its offset, time, flags, key, value and headers, numbers as varints and texts with their
// length before them. The byte 'e' ends the records; the number of them and the SHA-256 of
// everything before it follow. So a dump that is cut short, or changed, is noticed.

const (
	magic   = "deferpay journal dump 1\n"
	maxText = 64 << 20 // bytes of a key, a value or a header
)

// flags of a record
const (
	isControl = 1 << iota
	hasKey
	hasValue
)

// ErrDamaged is returned for a file that is no dump, or not a whole one.
var ErrDamaged = errors.New("not a whole dump")

// Header is at the beginning of a dump.
type Header struct {
	Topic string `json:"topic"`
	// Compacted means that records may be missing, and that offsets are not kept.
	Compacted bool  `json:"compacted,omitempty"`
	From      int64 `json:"from"` // offset of the first record
	End       int64 `json:"end"`  // offset after the last record
	// Before is the SHA-256 of the value of the record before From, in hexadecimal; "" if From is
	// 0.
	Before string    `json:"before,omitempty"`
	Taken  time.Time `json:"taken"`
}

// Info is what a dump holds.
type Info struct {
	Header
	Records int64  `json:"records"`
	Digest  string `json:"sha256"` // of the dump, without its last 32 bytes
}

type writer struct {
	out    *bufio.Writer
	digest hash.Hash
	info   Info
	frame  []byte
}

func newWriter(w io.Writer, h Header) (*writer, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	d := &writer{digest: sha256.New(), info: Info{Header: h}}
	d.out = bufio.NewWriterSize(io.MultiWriter(w, d.digest), 1<<20)
	d.out.WriteString(magic)
	d.out.Write(line)
	return d, d.out.WriteByte('\n')
}

func (d *writer) write(r *kgo.Record) error {
	var flags byte
	if r.Attrs.IsControl() {
		flags |= isControl
	}
	if r.Key != nil {
		flags |= hasKey
	}
	if r.Value != nil {
		flags |= hasValue
	}
	b := append(d.frame[:0], 'r')
	b = binary.AppendUvarint(b, uint64(r.Offset))
	b = binary.AppendVarint(b, r.Timestamp.UnixMilli())
	b = append(b, flags)
	b = appendText(appendText(b, r.Key), r.Value)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		b = appendText(appendText(b, []byte(h.Key)), h.Value)
	}
	d.frame = b
	d.info.Records++
	_, err := d.out.Write(b)
	return err
}

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func (d *writer) close() (Info, error) {
	d.out.Write(binary.AppendUvarint([]byte{'e'}, uint64(d.info.Records)))
	if err := d.out.Flush(); err != nil {
		return d.info, err
	}
	sum := d.digest.Sum(nil)
	d.info.Digest = hex.EncodeToString(sum)
	d.out.Write(sum)
	return d.info, d.out.Flush()
}

// Read calls fn with each record of a dump, and returns what the dump holds. fn may keep the
// record. An error that wraps ErrDamaged is returned if the dump is not whole, maybe after fn was
// called with some of its records.
func Read(r io.Reader, fn func(*kgo.Record) error) (Info, error) {
	d := &reader{in: bufio.NewReaderSize(r, 1<<20), digest: sha256.New()}
	info, err := d.read(fn)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it is cut short after %d of its records", ErrDamaged, info.Records)
	}
	return info, err
}

type reader struct {
	in     *bufio.Reader
	digest hash.Hash
}

func (d *reader) read(fn func(*kgo.Record) error) (info Info, err error) {
	if info.Header, err = d.header(); err != nil {
		return info, err
	}
	for {
		kind, err := d.ReadByte()
		if err != nil {
			return info, err
		}
		switch kind {
		case 'r':
			r, err := d.record()
			if err != nil {
				return info, err
			}
			info.Records++
			if err := fn(r); err != nil {
				return info, err
			}
		case 'e':
			return info, d.trailer(&info)
		default:
			return info, fmt.Errorf("%w: neither a record nor the end after %d records", ErrDamaged, info.Records)
		}
	}
}

func (d *reader) header() (h Header, err error) {
	got := make([]byte, len(magic))
	_, err = io.ReadFull(d, got)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return h, err
	}
	if string(got) != magic {
		return h, fmt.Errorf("%w: the file does not begin as a dump does", ErrDamaged)
	}
	var line []byte
	for c := byte(0); c != '\n'; line = append(line, c) {
		if c, err = d.ReadByte(); err != nil {
			return h, err
		}
		if len(line) > 10_000 {
			return h, fmt.Errorf("%w: its header is too long", ErrDamaged)
		}
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("%w: its header: %w", ErrDamaged, err)
	}
	return h, nil
}

// trailer checks the end of a dump.
func (d *reader) trailer(info *Info) error {
	count, err := binary.ReadUvarint(d)
	if err != nil {
		return err
	}
	sum := d.digest.Sum(nil)
	info.Digest = hex.EncodeToString(sum)
	stored := make([]byte, len(sum))
	if _, err := io.ReadFull(d.in, stored); err != nil {
		return err
	}
	_, after := d.in.ReadByte()
	switch {
	case !bytes.Equal(stored, sum):
		return fmt.Errorf("%w: its SHA-256 is not the one at its end", ErrDamaged)
	case int64(count) != info.Records:
		return fmt.Errorf("%w: it has %d records, and its end says %d", ErrDamaged, info.Records, count)
	case after == nil:
		return fmt.Errorf("%w: something follows its end, perhaps another dump: restore one after the other", ErrDamaged)
	case after != io.EOF:
		return after
	}
	return nil
}

func (d *reader) record() (*kgo.Record, error) {
	offset, err := binary.ReadUvarint(d)
	if err != nil {
		return nil, err
	}
	millis, err := binary.ReadVarint(d)
	if err != nil {
		return nil, err
	}
	flags, err := d.ReadByte()
	if err != nil {
		return nil, err
	}
	r := &kgo.Record{Offset: int64(offset), Timestamp: time.UnixMilli(millis)}
	if flags&isControl != 0 {
		r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	}
	if r.Key, err = d.text(flags&hasKey != 0); err != nil {
		return nil, err
	}
	if r.Value, err = d.text(flags&hasValue != 0); err != nil {
		return nil, err
	}
	headers, err := binary.ReadUvarint(d)
	for ; err == nil && headers > 0; headers-- {
		var key, value []byte
		if key, err = d.text(true); err == nil {
			value, err = d.text(true)
		}
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(key), Value: value})
	}
	return r, err
}

// text reads a text, which is nil if it is not there.
func (d *reader) text(there bool) ([]byte, error) {
	n, err := binary.ReadUvarint(d)
	if err != nil {
		return nil, err
	}
	if n > maxText || !there && n > 0 {
		return nil, fmt.Errorf("%w: a text of %d bytes", ErrDamaged, n)
	}
	if !there {
		return nil, nil
	}
	b := make([]byte, n)
	_, err = io.ReadFull(d, b)
	return b, err
}

// Read reads, and brings what it has read into the digest.
func (d *reader) Read(b []byte) (int, error) {
	n, err := d.in.Read(b)
	d.digest.Write(b[:n])
	return n, err
}

// ReadByte is Read for one byte.
func (d *reader) ReadByte() (byte, error) {
	c, err := d.in.ReadByte()
	if err == nil {
		d.digest.Write([]byte{c})
	}
	return c, err
}

// ReadHeader returns the header of a dump, without looking at the rest.
func ReadHeader(r io.Reader) (Header, error) {
	d := &reader{in: bufio.NewReader(r), digest: sha256.New()}
	h, err := d.header()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	return h, err
}
