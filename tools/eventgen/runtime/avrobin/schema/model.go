package schema

import "strings"

// Kind is the kind of a type.
type Kind uint8

// The kinds of types. Ref stands for a name until Loader.Link has replaced it.
const (
	Null Kind = iota
	Boolean
	Int
	Long
	Float
	Double
	Bytes
	String
	Record
	Enum
	Array
	Map
	Fixed
	Union
	Ref
)

var kindNames = [...]string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "record", "enum", "array", "map", "fixed", "union", "name"}

// String returns the name that schemas have for the kind.
func (k Kind) String() string { return kindNames[k] }

// Named reports whether types of the kind have a name.
func (k Kind) Named() bool { return k == Record || k == Enum || k == Fixed }

// Primitive reports whether the kind is that of a primitive type.
func (k Kind) Primitive() bool { return k <= String }

// Logical is the name of a logical type of Avro 1.12; "" is none.
type Logical string

// The logical types.
const (
	Decimal              Logical = "decimal"
	BigDecimal           Logical = "big-decimal"
	UUID                 Logical = "uuid"
	Date                 Logical = "date"
	TimeMillis           Logical = "time-millis"
	TimeMicros           Logical = "time-micros"
	TimestampMillis      Logical = "timestamp-millis"
	TimestampMicros      Logical = "timestamp-micros"
	TimestampNanos       Logical = "timestamp-nanos"
	LocalTimestampMillis Logical = "local-timestamp-millis"
	LocalTimestampMicros Logical = "local-timestamp-micros"
	LocalTimestampNanos  Logical = "local-timestamp-nanos"
	Duration             Logical = "duration"
)

// Type is a schema. A named type is one value wherever it is used, so the graph may have cycles.
type Type struct {
	Kind    Kind
	Logical Logical

	Name    string   // full name of a named type, or the name in a Ref
	Aliases []string // full names
	Doc     string

	Fields    []*Field // of a record
	Error     bool     // a record written as "error"
	Symbols   []string // of an enum
	Default   string   // of an enum, "" for none
	Size      int      // of a fixed
	Precision int      // of a decimal
	Scale     int
	Items     *Type   // of an array, or the values of a map
	Branches  []*Type // of a union

	Extra []Pair // attributes without a meaning in Avro, in order
	Node  *Node  // where it was read
}

// Field is a field of a record.
type Field struct {
	Name    string
	Aliases []string
	Doc     string
	Type    *Type
	Default *Node // nil for none
	Order   string
	Extra   []Pair
	Node    *Node
}

// Namespace returns the part of a full name before its last dot.
func Namespace(fullname string) string {
	i := strings.LastIndexByte(fullname, '.')
	return fullname[:max(i, 0)]
}

// Unqualified returns the part of a full name after its last dot.
func Unqualified(fullname string) string {
	return fullname[strings.LastIndexByte(fullname, '.')+1:]
}

// Nullable returns the other branch of a union of null and one other type, in either order, and the
// index of null.
func (t *Type) Nullable() (other *Type, null int, ok bool) {
	if t.Kind != Union || len(t.Branches) != 2 {
		return nil, 0, false
	}
	for i, b := range t.Branches {
		if b.Kind == Null {
			other := t.Branches[1-i]
			return other, i, other.Kind != Null
		}
	}
	return nil, 0, false
}

// HasNull returns the index of a union's null branch, or -1.
func (t *Type) HasNull() int {
	for i, b := range t.Branches {
		if b.Kind == Null {
			return i
		}
	}
	return -1
}

// BranchName returns the name that Avro's JSON and diagnostics have for a branch: the full name, or
// the kind.
func (t *Type) BranchName() string {
	if t.Kind.Named() {
		return t.Name
	}
	return t.Kind.String()
}

// MinBytes returns the least number of bytes that a value of t takes.
func (t *Type) MinBytes() int {
	n, _ := t.minBytes(map[*Type]bool{}, map[*Type]int{})
	return n
}

// minBytes also reports whether the result is valid everywhere, or only inside the record that is
// being measured.
func (t *Type) minBytes(in map[*Type]bool, known map[*Type]int) (n int, final bool) {
	if n, ok := known[t]; ok {
		return n, true
	}
	final = true
	switch t.Kind {
	case Null:
		return 0, true
	case Float:
		return 4, true
	case Double:
		return 8, true
	case Fixed:
		return t.Size, true
	case Union:
		n = -1
		if t.HasNull() >= 0 {
			return 1, true
		}
		for _, b := range t.Branches {
			m, ok := b.minBytes(in, known)
			final = final && ok
			if n < 0 || m < n {
				n = m
			}
		}
		return 1 + max(n, 0), final
	case Record:
		if in[t] {
			return 0, false
		}
		in[t] = true
		for _, f := range t.Fields {
			m, ok := f.Type.minBytes(in, known)
			final = final && ok
			n = min(n+m, 1<<30)
		}
		delete(in, t)
		if final {
			known[t] = n
		}
		return n, final
	}
	return 1, true
}
