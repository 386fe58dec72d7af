package shape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"reflect"
	"time"
	"unsafe"
)

var errShort = errors.New("the value is cut short")

// reader reads an encoding.
type reader struct {
	data  []byte
	known *texts
}

// texts are texts that were read before. Values that are near to each other often hold the same
// ones, such as a reference, and keep one copy of each.
type texts [1024]string

var seed = maphash.MakeSeed()

func (k *texts) text(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	slot := &k[maphash.Bytes(seed, data)%uint64(len(k))]
	if *slot != string(data) {
		*slot = string(data)
	}
	return *slot
}

func (r *reader) unsigned() (uint64, error) {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		return 0, errShort
	}
	r.data = r.data[size:]
	return n, nil
}

func (r *reader) signed() (int64, error) {
	n, size := binary.Varint(r.data)
	if size <= 0 {
		return 0, errShort
	}
	r.data = r.data[size:]
	return n, nil
}

func (r *reader) bytes(n uint64) ([]byte, error) {
	if n > uint64(len(r.data)) {
		return nil, errShort
	}
	data := r.data[:n]
	r.data = r.data[n:]
	return data, nil
}

// length reads how many elements follow, none of which is shorter than a byte unless it is empty.
// It returns -1 for a nil slice or map.
func (r *reader) length(empty bool) (int, error) {
	n, err := r.unsigned()
	if err != nil || n == 0 {
		return -1, err
	}
	if n--; !empty && n > uint64(len(r.data)) || n > math.MaxInt32 {
		return 0, errShort
	}
	return int(n), nil
}

func appendBool(dst []byte, at unsafe.Pointer) ([]byte, error) {
	if *(*bool)(at) {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (r *reader) bool() (bool, error) {
	b, err := r.bytes(1)
	if err != nil {
		return false, err
	}
	if b[0] > 1 {
		return false, fmt.Errorf("a truth value of %d", b[0])
	}
	return b[0] == 1, nil
}

func decodeBool(r *reader, at unsafe.Pointer) (err error) {
	*(*bool)(at), err = r.bool()
	return err
}

func checkBool(r *reader) error {
	_, err := r.bool()
	return err
}

func appendText(dst []byte, at unsafe.Pointer) ([]byte, error) {
	s := *(*string)(at)
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...), nil
}

func (r *reader) text() ([]byte, error) {
	n, err := r.unsigned()
	if err != nil {
		return nil, err
	}
	return r.bytes(n)
}

func decodeText(r *reader, at unsafe.Pointer) error {
	data, err := r.text()
	if err != nil {
		return err
	}
	*(*string)(at) = r.known.text(data)
	return nil
}

func checkText(r *reader) error {
	_, err := r.text()
	return err
}

func appendFloat(dst []byte, at unsafe.Pointer) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(*(*float64)(at))), nil
}

func decodeFloat(r *reader, at unsafe.Pointer) error {
	b, err := r.bytes(8)
	if err == nil {
		*(*float64)(at) = math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return err
}

func checkFloat(r *reader) error {
	_, err := r.bytes(8)
	return err
}

// appendTime appends an instant. Its location would be lost, so it has to be UTC.
func appendTime(dst []byte, at unsafe.Pointer) ([]byte, error) {
	t := (*time.Time)(at)
	if t.Location() != time.UTC {
		return dst, fmt.Errorf("the time %s is not in UTC", t)
	}
	return binary.AppendUvarint(binary.AppendVarint(dst, t.Unix()), uint64(t.Nanosecond())), nil
}

func (r *reader) time() (seconds, nanos int64, err error) {
	if seconds, err = r.signed(); err != nil {
		return 0, 0, err
	}
	n, err := r.unsigned()
	if err != nil {
		return 0, 0, err
	}
	if n >= uint64(time.Second) {
		return 0, 0, fmt.Errorf("%d nanoseconds in a second", n)
	}
	return seconds, int64(n), nil
}

func decodeTime(r *reader, at unsafe.Pointer) error {
	seconds, nanos, err := r.time()
	if err == nil {
		*(*time.Time)(at) = time.Unix(seconds, nanos).UTC()
	}
	return err
}

func checkTime(r *reader) error {
	_, _, err := r.time()
	return err
}

func checkSigned(t reflect.Type) func(*reader) error {
	return func(r *reader) error {
		n, err := r.signed()
		if err == nil && t.OverflowInt(n) {
			err = fmt.Errorf("%d is no %s", n, t)
		}
		return err
	}
}

func checkUnsigned(t reflect.Type) func(*reader) error {
	return func(r *reader) error {
		n, err := r.unsigned()
		if err == nil && t.OverflowUint(n) {
			err = fmt.Errorf("%d is no %s", n, t)
		}
		return err
	}
}

func signed(t reflect.Type) (func([]byte, unsafe.Pointer) ([]byte, error), func(*reader, unsafe.Pointer) error) {
	if t.Kind() == reflect.Int64 {
		return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
				return binary.AppendVarint(dst, *(*int64)(at)), nil
			}, func(r *reader, at unsafe.Pointer) (err error) {
				*(*int64)(at), err = r.signed()
				return err
			}
	}
	return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return binary.AppendVarint(dst, reflect.NewAt(t, at).Elem().Int()), nil
		}, func(r *reader, at unsafe.Pointer) error {
			n, err := r.signed()
			if err != nil {
				return err
			}
			v := reflect.NewAt(t, at).Elem()
			if v.OverflowInt(n) {
				return fmt.Errorf("%d is no %s", n, t)
			}
			v.SetInt(n)
			return nil
		}
}

func unsigned(t reflect.Type) (func([]byte, unsafe.Pointer) ([]byte, error), func(*reader, unsafe.Pointer) error) {
	return func(dst []byte, at unsafe.Pointer) ([]byte, error) {
			return binary.AppendUvarint(dst, reflect.NewAt(t, at).Elem().Uint()), nil
		}, func(r *reader, at unsafe.Pointer) error {
			n, err := r.unsigned()
			if err != nil {
				return err
			}
			v := reflect.NewAt(t, at).Elem()
			if v.OverflowUint(n) {
				return fmt.Errorf("%d is no %s", n, t)
			}
			v.SetUint(n)
			return nil
		}
}
