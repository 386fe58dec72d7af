package schema

import (
	"strconv"
)

// Canonical returns the Parsing Canonical Form of the specification: names, structure and order,
// but no logical types.
func (t *Type) Canonical() []byte { return t.appendCanonical(nil, map[string]bool{}) }

func (t *Type) appendCanonical(dst []byte, seen map[string]bool) []byte {
	switch {
	case t.Kind.Primitive():
		return appendQuoted(dst, t.Kind.String())
	case t.Kind == Union:
		dst = append(dst, '[')
		for i, b := range t.Branches {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = b.appendCanonical(dst, seen)
		}
		return append(dst, ']')
	case t.Kind == Array:
		return append(t.Items.appendCanonical(append(dst, `{"type":"array","items":`...), seen), '}')
	case t.Kind == Map:
		return append(t.Items.appendCanonical(append(dst, `{"type":"map","values":`...), seen), '}')
	case seen[t.Name]:
		return appendQuoted(dst, t.Name)
	}
	seen[t.Name] = true
	dst = appendQuoted(append(dst, `{"name":`...), t.Name)
	// an error is a record here, as in Java
	dst = appendQuoted(append(dst, `,"type":`...), t.Kind.String())
	switch t.Kind {
	case Record:
		dst = append(dst, `,"fields":[`...)
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(append(dst, `{"name":`...), f.Name)
			dst = append(f.Type.appendCanonical(append(dst, `,"type":`...), seen), '}')
		}
		dst = append(dst, ']')
	case Enum:
		dst = appendStrings(append(dst, `,"symbols":`...), t.Symbols)
	case Fixed:
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(t.Size), 10)
	}
	return append(dst, '}')
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, s)
	}
	return append(dst, ']')
}

const crcEmpty = 0xc15d213aa4d7a795

var crcTable = func() (table [256]uint64) {
	for i := range table {
		fp := uint64(i)
		for range 8 {
			fp = fp>>1 ^ crcEmpty&-(fp&1)
		}
		table[i] = fp
	}
	return table
}()

// CRC64 returns the CRC-64-AVRO of the specification.
func CRC64(data []byte) uint64 {
	fp := uint64(crcEmpty)
	for _, b := range data {
		fp = fp>>8 ^ crcTable[byte(fp)^b]
	}
	return fp
}

// Fingerprint returns the CRC-64-AVRO of the canonical form.
func (t *Type) Fingerprint() uint64 { return CRC64(t.Canonical()) }

// Text returns the schema with all types that it uses, with docs and defaults, as it is registered.
func (t *Type) Text() string {
	return string(t.appendText(nil, "", map[string]bool{}))
}

func (t *Type) appendText(dst []byte, namespace string, seen map[string]bool) []byte {
	switch {
	case t.Kind == Union:
		dst = append(dst, '[')
		for i, b := range t.Branches {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = b.appendText(dst, namespace, seen)
		}
		return append(dst, ']')
	case t.Kind.Named() && seen[t.Name]:
		return appendQuoted(dst, t.reference(namespace))
	case t.Kind.Primitive() && t.Logical == "" && len(t.Extra) == 0:
		return appendQuoted(dst, t.Kind.String())
	case t.Kind.Named():
		return t.appendNamed(dst, namespace, seen)
	}
	dst = appendQuoted(append(dst, `{"type":`...), t.Kind.String())
	switch t.Kind {
	case Array:
		dst = t.Items.appendText(append(dst, `,"items":`...), namespace, seen)
	case Map:
		dst = t.Items.appendText(append(dst, `,"values":`...), namespace, seen)
	}
	dst = t.appendLogical(dst)
	return append(appendExtra(dst, t.Extra), '}')
}

// reference returns the name as it is written in a namespace, so that every parser finds it.
func (t *Type) reference(namespace string) string {
	if Namespace(t.Name) == namespace {
		return Unqualified(t.Name)
	}
	return t.Name
}

func (t *Type) appendNamed(dst []byte, namespace string, seen map[string]bool) []byte {
	seen[t.Name] = true
	kind := t.Kind.String()
	if t.Error {
		kind = "error"
	}
	dst = appendQuoted(append(dst, `{"type":`...), kind)
	dst = appendQuoted(append(dst, `,"name":`...), Unqualified(t.Name))
	if own := Namespace(t.Name); own != namespace {
		dst = appendQuoted(append(dst, `,"namespace":`...), own)
	}
	if t.Doc != "" {
		dst = appendQuoted(append(dst, `,"doc":`...), t.Doc)
	}
	if len(t.Aliases) > 0 {
		dst = appendStrings(append(dst, `,"aliases":`...), t.Aliases)
	}
	switch t.Kind {
	case Record:
		dst = append(dst, `,"fields":[`...)
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = f.appendText(dst, Namespace(t.Name), seen)
		}
		dst = append(dst, ']')
	case Enum:
		dst = appendStrings(append(dst, `,"symbols":`...), t.Symbols)
		if t.Default != "" {
			dst = appendQuoted(append(dst, `,"default":`...), t.Default)
		}
	case Fixed:
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(t.Size), 10)
	}
	dst = t.appendLogical(dst)
	return append(appendExtra(dst, t.Extra), '}')
}

func (t *Type) appendLogical(dst []byte) []byte {
	if t.Logical == "" {
		return dst
	}
	dst = appendQuoted(append(dst, `,"logicalType":`...), string(t.Logical))
	if t.Logical == Decimal {
		dst = strconv.AppendInt(append(dst, `,"precision":`...), int64(t.Precision), 10)
		dst = strconv.AppendInt(append(dst, `,"scale":`...), int64(t.Scale), 10)
	}
	return dst
}

func appendExtra(dst []byte, extra []Pair) []byte {
	for _, p := range extra {
		dst = append(appendQuoted(append(dst, ','), p.Key), ':')
		dst = p.Value.JSON(dst)
	}
	return dst
}

func (f *Field) appendText(dst []byte, namespace string, seen map[string]bool) []byte {
	dst = appendQuoted(append(dst, `{"name":`...), f.Name)
	dst = f.Type.appendText(append(dst, `,"type":`...), namespace, seen)
	if f.Doc != "" {
		dst = appendQuoted(append(dst, `,"doc":`...), f.Doc)
	}
	if f.Default != nil {
		dst = f.Default.JSON(append(dst, `,"default":`...))
	}
	if f.Order != "" {
		dst = appendQuoted(append(dst, `,"order":`...), f.Order)
	}
	if len(f.Aliases) > 0 {
		dst = appendStrings(append(dst, `,"aliases":`...), f.Aliases)
	}
	return append(appendExtra(dst, f.Extra), '}')
}
