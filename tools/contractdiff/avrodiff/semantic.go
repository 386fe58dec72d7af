package avrodiff

import (
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/unit"
	"github.com/deferpay/deferpay/tools/eventgen/avro/compat"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The kinds of differences in what readable data means.
const (
	DecimalScale     = "DECIMAL_SCALE_CHANGED"
	DecimalPrecision = "DECIMAL_PRECISION_CHANGED"
	TimeUnit         = "TIME_UNIT_CHANGED"
	DateTimestamp    = "DATE_TIMESTAMP_CHANGED"
	UUIDDropped      = "UUID_DROPPED"
	LogicalType      = "LOGICAL_TYPE_CHANGED"
	EnumDefault      = "ENUM_DEFAULT_REMOVED"
	EnumDefaultOther = "ENUM_DEFAULT_CHANGED"
	FieldDefault     = "FIELD_DEFAULT_CHANGED"
	TextBytes        = "TEXT_BYTES_CHANGED"
	Rounded          = "NUMBER_ROUNDED"
	UnitInName       = "UNIT_IN_NAME_CHANGED"
)

// walker visits the types that both schemas have.
type walker struct {
	seen map[[2]*schema.Type]bool
	out  []finding.Difference
}

func (w *walker) add(level finding.Level, id string, at *schema.Node, hint, format string, args ...any) {
	w.out = append(w.out, finding.Difference{Level: level, ID: id, Pos: Position(at), Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// walk compares two types of which the second one is used at a place of the new schema.
func (w *walker) walk(former, next *schema.Type, at *schema.Node) {
	pair := [2]*schema.Type{former, next}
	if w.seen[pair] {
		return
	}
	w.seen[pair] = true
	if former.Kind == schema.Union || next.Kind == schema.Union {
		w.branches(former, next, at)
		return
	}
	if former.Kind != next.Kind && len(compat.Check(next, former).All) > 0 {
		return // reported as unreadable
	}
	w.logical(former, next, at)
	w.number(former, next, at)
	if former.Kind != next.Kind {
		return
	}
	switch former.Kind {
	case schema.Array, schema.Map:
		w.walk(former.Items, next.Items, next.Items.Node)
	case schema.Enum:
		w.enum(former, next)
	case schema.Record:
		w.fields(former, next)
	}
}

// branches compares each branch of the former type with the branch that takes its place.
func (w *walker) branches(former, next *schema.Type, at *schema.Node) {
	nodes := next.Branches
	if next.Kind != schema.Union {
		nodes = []*schema.Type{next}
	}
	old := former.Branches
	if former.Kind != schema.Union {
		old = []*schema.Type{former}
	}
	for _, b := range old {
		if n := counterpart(b, nodes); n != nil {
			where := n.Node
			if next.Kind != schema.Union || where == nil {
				where = at
			}
			w.walk(b, n, where)
		}
	}
}

// counterpart returns the branch that reads values of a type: of its kind and name, or else the
// first one that can.
func counterpart(b *schema.Type, branches []*schema.Type) *schema.Type {
	for _, n := range branches {
		if n.Kind == b.Kind && schema.Unqualified(n.Name) == schema.Unqualified(b.Name) {
			return n
		}
	}
	for _, n := range branches {
		if len(compat.Check(n, b).All) == 0 {
			return n
		}
	}
	return nil
}

const newField = "keep the type, and add a field of another name, with a default, for the new one"

func (w *walker) logical(former, next *schema.Type, at *schema.Node) {
	a, b := former.Logical, next.Logical
	switch {
	case a == schema.Decimal && b == schema.Decimal:
		if former.Scale != next.Scale {
			w.add(finding.Semantic, DecimalScale, at, newField, "the scale of a decimal changed from %d to %d: the same bytes are another amount", former.Scale, next.Scale)
		}
		if former.Precision != next.Precision {
			w.add(finding.Semantic, DecimalPrecision, at, newField, "the precision of a decimal changed from %d to %d", former.Precision, next.Precision)
		}
	case a == b:
	case unitOf(a) != "" && timeline(a) == timeline(b):
		w.add(finding.Semantic, TimeUnit, at, newField, "the unit of a time changed from %s to %s: the same number is another time", unitOf(a), unitOf(b))
	case a == schema.Date && timeline(b) != "" || b == schema.Date && timeline(a) != "":
		w.add(finding.Semantic, DateTimestamp, at, newField, "%s became %s", a, b)
	case a == schema.UUID && b == "":
		w.add(finding.Semantic, UUIDDropped, at, "keep logicalType uuid", "the value need no longer be a uuid")
	default:
		w.add(finding.Semantic, LogicalType, at, newField, "the logical type changed from %s to %s", orNone(a), orNone(b))
	}
}

// sameValue reports whether two defaults are the same value, however it is written.
func sameValue(a, b *schema.Node) bool {
	x, xs := source.Parse("default.json", a.JSON(nil))
	y, ys := source.Parse("default.json", b.JSON(nil))
	return !xs.HasErrors() && !ys.HasErrors() && source.Equal(x, y)
}

func orNone(l schema.Logical) string {
	if l == "" {
		return "none"
	}
	return string(l)
}

// timeline returns what a time counts: instants, local times or times of day.
func timeline(l schema.Logical) string {
	i := strings.LastIndex(string(l), "-")
	if unitOf(l) == "" {
		return ""
	}
	return string(l)[:i]
}

// unitOf returns the unit of a time, or "".
func unitOf(l schema.Logical) string {
	switch before, unit, _ := cutLast(string(l), "-"); before {
	case "timestamp", "local-timestamp", "time":
		return unit
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// number compares what promotions do to values.
func (w *walker) number(former, next *schema.Type, at *schema.Node) {
	a, b := former.Kind, next.Kind
	switch {
	case a == schema.String && b == schema.Bytes || a == schema.Bytes && b == schema.String:
		w.add(finding.Semantic, TextBytes, at, newField, "%s became %s: bytes need not be text", a, b)
	case a == schema.Int && b == schema.Float || a == schema.Long && (b == schema.Float || b == schema.Double):
		w.add(finding.Semantic, Rounded, at, newField, "%s became %s, which rounds large numbers", a, b)
	}
}

func (w *walker) enum(former, next *schema.Type) {
	switch {
	case former.Default != "" && next.Default == "":
		w.add(finding.Semantic, EnumDefault, next.Node, "keep the default", "enum %s lost its default %s: a symbol that a reader does not know now fails", next.Name, former.Default)
	case former.Default != "" && next.Default != former.Default:
		w.add(finding.Warning, EnumDefaultOther, next.Node, "", "the default of enum %s changed from %s to %s", next.Name, former.Default, next.Default)
	}
}

func (w *walker) fields(former, next *schema.Type) {
	matched := map[*schema.Field]bool{}
	var added []*schema.Field
	written := compat.Written(former)
	for _, f := range next.Fields {
		old := written(f)
		if old == nil {
			added = append(added, f)
			continue
		}
		matched[old] = true
		if unit.Changed(old.Name, f.Name) {
			w.renamed(next, old.Name, f)
		}
		if old.Default != nil && f.Default != nil && !sameValue(old.Default, f.Default) {
			w.add(finding.Warning, FieldDefault, f.Node.Get("default"), "", "the default of field %s.%s changed: data that was written without it now has another value", next.Name, f.Name)
		}
		w.walk(old.Type, f.Type, f.Node.Get("type"))
	}
	for _, f := range added {
		for _, old := range former.Fields {
			if !matched[old] && unit.Changed(old.Name, f.Name) {
				w.renamed(next, old.Name, f)
			}
		}
	}
}

func (w *walker) renamed(t *schema.Type, former string, f *schema.Field) {
	w.add(finding.Semantic, UnitInName, f.Node, "keep the former field, and add the new one beside it with its own meaning", "field %s of %s became %s: the name has another unit or currency", former, t.Name, f.Name)
}
