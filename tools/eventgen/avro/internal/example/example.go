// Package example prints the examples of a contract as Go expressions and reports what is wrong
// with them.
//
// An example is plain JSON. A nullable value is the value or null. A value of a wider union is
// {"Branch": value}, or the value alone if it fits exactly one branch. Timestamps, dates, times,
// decimals and UUIDs are strings, or the number that is encoded. A duration is {"months", "days",
// "millis"}. Bytes are a string in base64, unlike in the JSON encoding of Avro, which is used for
// defaults alone. A field with a default, or one that can be null, can be left out.
//
// Package avro alone imports it.
package example

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Literal returns a value of a payload as a Go expression for a package of the user, and the import
// paths, by name, of the generated packages in it.
func Literal(l *layout.Layout, importPath string, r *layout.Payload, n *schema.Node) (expr string, imports map[string]string, faults diag.List) {
	x := &exampler{Namer: layout.NewNamer(l, importPath, nil)}
	if r.Type.Kind == schema.Record {
		expr = x.value(r.Type, n)
	} else {
		expr = x.Qualified(r.Decl.Package, r.Decl.Name) + "{Value: " + x.value(r.Type, n) + "}"
	}
	return expr, x.Imports, x.faults
}

type exampler struct {
	*layout.Namer
	faults   diag.List
	defaults bool // the node is a default, in the JSON encoding of Avro
}

func (x *exampler) fault(n *schema.Node, hint, format string, args ...any) string {
	pos, _ := n.Pos.(diag.Pos)
	x.faults.ErrorHint(pos, hint, format, args...)
	return ""
}

func (x *exampler) wrong(n *schema.Node, what, hint string) string {
	return x.fault(n, hint, "the example has %s where %s is expected", n.Kind, what)
}

// value returns the expression of n as a value of t.
func (x *exampler) value(t *schema.Type, n *schema.Node) string {
	if t.Logical != "" {
		return x.logical(t, n)
	}
	switch t.Kind {
	case schema.Null:
		if n.Kind != schema.JSONNull {
			return x.wrong(n, "null", "")
		}
		return x.GoType(t) + "{}"
	case schema.Boolean:
		if n.Kind != schema.JSONBool {
			return x.wrong(n, "a boolean", "")
		}
		return n.Value
	case schema.Int, schema.Long:
		return x.integer(t, n)
	case schema.Float, schema.Double:
		return x.float(t, n)
	case schema.String:
		if n.Kind != schema.JSONString {
			return x.wrong(n, "a string", "")
		}
		return strconv.Quote(n.Value)
	case schema.Bytes, schema.Fixed:
		return x.bytes(t, n)
	case schema.Enum:
		return x.symbol(t, n)
	case schema.Array, schema.Map:
		return x.items(t, n)
	case schema.Union:
		return x.union(t, n)
	}
	return x.record(t, n)
}

func (x *exampler) integer(t *schema.Type, n *schema.Node) string {
	bits := 64
	if t.Kind == schema.Int {
		bits = 32
	}
	if n.Kind != schema.JSONNumber {
		return x.wrong(n, "an integer", "")
	}
	if _, err := strconv.ParseInt(n.Value, 10, bits); err != nil {
		return x.fault(n, "", "%s is not an integer of %d bits", n.Value, bits)
	}
	return n.Value
}

func (x *exampler) float(t *schema.Type, n *schema.Node) string {
	special := map[string]string{"NaN": "NaN()", "Infinity": "Inf(1)", "-Infinity": "Inf(-1)"}[n.Value]
	switch {
	case n.Kind == schema.JSONNumber:
		return x.GoType(t) + "(" + n.Value + ")"
	case n.Kind == schema.JSONString && special != "":
		return x.GoType(t) + "(" + "math." + special + ")"
	}
	return x.wrong(n, "a number", "")
}

func (x *exampler) symbol(t *schema.Type, n *schema.Node) string {
	if n.Kind != schema.JSONString {
		return x.wrong(n, "a symbol of "+t.Name, diag.OneOf("symbols", "", t.Symbols))
	}
	i := slices.Index(t.Symbols, n.Value)
	if i < 0 {
		return x.fault(n, diag.OneOf("symbols", n.Value, t.Symbols), "%q is not a symbol of %s", n.Value, t.Name)
	}
	d := x.Layout.Named[t]
	return x.Qualified(d.Package, d.Constants[i])
}

// raw reads bytes: base64 in an example, characters up to U+00FF in a default.
func (x *exampler) raw(n *schema.Node) ([]byte, bool) {
	if n.Kind != schema.JSONString {
		x.wrong(n, "bytes", "write them in base64")
		return nil, false
	}
	if !x.defaults {
		b, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			x.fault(n, "write bytes in base64, padded", "%q is not base64: %v", n.Value, err)
		}
		return b, err == nil
	}
	b := []byte{}
	for _, c := range n.Value {
		if c > 0xFF {
			x.fault(n, "write a string of characters up to U+00FF", "the character %q is not a byte", c)
			return nil, false
		}
		b = append(b, byte(c))
	}
	return b, true
}

func (x *exampler) bytes(t *schema.Type, n *schema.Node) string {
	b, ok := x.raw(n)
	if !ok {
		return ""
	}
	if t.Kind == schema.Fixed && len(b) != t.Size {
		return x.fault(n, "", "there are %d bytes, but %s has %d", len(b), t.Name, t.Size)
	}
	return x.GoType(t) + "{" + hexList(b) + "}"
}

func hexList(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("%#02x", c)
	}
	return strings.Join(parts, ", ")
}

func (x *exampler) items(t *schema.Type, n *schema.Node) string {
	var out strings.Builder
	out.WriteString(x.GoType(t) + "{")
	switch {
	case t.Kind == schema.Array && n.Kind == schema.JSONArray:
		for _, it := range n.Items {
			out.WriteString(x.value(t.Items, it) + ", ")
		}
	case t.Kind == schema.Map && n.Kind == schema.JSONObject:
		for _, p := range n.Pairs {
			out.WriteString(strconv.Quote(p.Key) + ": " + x.value(t.Items, p.Value) + ", ")
		}
	case t.Kind == schema.Array:
		return x.wrong(n, "a list", "")
	default:
		return x.wrong(n, "an object", "")
	}
	return strings.TrimSuffix(out.String(), ", ") + "}"
}

func (x *exampler) record(t *schema.Type, n *schema.Node) string {
	if n.Kind != schema.JSONObject {
		return x.wrong(n, "an object ("+t.Name+")", "")
	}
	d := x.Layout.Named[t]
	var names []string
	for _, f := range t.Fields {
		names = append(names, f.Name)
	}
	for _, p := range n.Pairs {
		if !slices.Contains(names, p.Key) {
			pos, _ := p.Pos.(diag.Pos)
			x.faults.ErrorHint(pos, diag.OneOf("fields", p.Key, names), "%s has no field %q", t.Name, p.Key)
		}
	}
	var out strings.Builder
	out.WriteString(x.GoType(t) + "{\n")
	for i, f := range t.Fields {
		v := n.Get(f.Name)
		inDefault := x.defaults
		switch {
		case v != nil:
		case f.Default != nil:
			v, x.defaults = f.Default, true
		case f.Type.Kind == schema.Union && f.Type.HasNull() >= 0:
			v = &schema.Node{Kind: schema.JSONNull, Pos: n.Pos}
		default:
			x.fault(n, "", "the example has no field %q, which %s needs", f.Name, t.Name)
			continue
		}
		if expr := x.value(f.Type, v); expr != "nil" {
			out.WriteString(d.Fields[i] + ": " + expr + ",\n")
		}
		x.defaults = inDefault
	}
	return out.String() + "}"
}

func (x *exampler) union(t *schema.Type, n *schema.Node) string {
	if other, _, ok := t.Nullable(); ok {
		return x.nullable(other, n)
	}
	if n.Kind == schema.JSONNull && t.HasNull() >= 0 {
		return "nil"
	}
	b, v, ok := x.pick(t, n)
	if !ok {
		return ""
	}
	expr := x.value(b, v)
	u := x.Layout.Unions[t]
	if u == nil {
		return expr // one branch
	}
	i := slices.Index(t.Branches, b)
	switch {
	case u.Branches[i].Wrapper != "":
		return x.Qualified(u.Package, u.Branches[i].Wrapper) + "{Value: " + expr + "}"
	case b.Kind == schema.Record:
		return "&" + expr
	}
	return expr
}

func (x *exampler) nullable(t *schema.Type, n *schema.Node) string {
	if n.Kind == schema.JSONNull {
		return "nil"
	}
	expr := x.value(t, n)
	switch {
	case layout.Nilable(t) || expr == "":
		return expr
	case t.Kind == schema.Record:
		return "&" + expr
	case t.Kind.Primitive() && t.Logical == "":
		expr = x.GoType(t) + "(" + expr + ")"
	}
	return "avrobin.Ptr(" + expr + ")"
}

// pick returns the branch that n belongs to, and the value in it.
func (x *exampler) pick(t *schema.Type, n *schema.Node) (*schema.Type, *schema.Node, bool) {
	var names []string
	for _, b := range t.Branches {
		names = append(names, b.BranchName())
		if len(n.Pairs) == 1 && (n.Pairs[0].Key == b.BranchName() || b.Kind.Named() && n.Pairs[0].Key == schema.Unqualified(b.Name)) {
			return b, n.Pairs[0].Value, true
		}
	}
	var fits []*schema.Type
	for _, b := range t.Branches {
		if x.defaults && len(fits) == 1 {
			break // a default belongs to the first branch that it fits
		}
		try := &exampler{Namer: layout.NewNamer(x.Layout, x.ImportPath, x.Package), defaults: x.defaults}
		if try.value(b, n); len(try.faults) == 0 {
			fits = append(fits, b)
		}
	}
	if len(fits) == 1 {
		return fits[0], n, true
	}
	hint := `write {"` + names[len(names)-1] + `": value}; the branches are ` + strings.Join(names, ", ")
	if len(fits) == 0 {
		x.fault(n, hint, "the example fits no branch of the union")
	} else {
		x.fault(n, hint, "the example fits several branches of the union")
	}
	return nil, nil, false
}

// logical returns the expression of a value of a logical type.
func (x *exampler) logical(t *schema.Type, n *schema.Node) string {
	switch t.Logical {
	case schema.Decimal, schema.BigDecimal:
		return x.decimal(t, n)
	case schema.Duration:
		return x.duration(t, n)
	case schema.UUID:
		u, err := avrobin.ParseUUID(n.Value)
		if n.Kind != schema.JSONString || err != nil {
			return x.wrong(n, "a UUID", "")
		}
		return x.GoType(t) + "{" + hexList(u[:]) + "}"
	case schema.Date:
		return x.date(t, n)
	case schema.TimeMillis, schema.TimeMicros:
		return x.timeOfDay(t, n)
	}
	return x.timestamp(t, n)
}

// units are the units of encoded numbers.
var units = map[schema.Logical]time.Duration{
	schema.TimeMillis: time.Millisecond, schema.TimeMicros: time.Microsecond,
	schema.TimestampMillis: time.Millisecond, schema.TimestampMicros: time.Microsecond, schema.TimestampNanos: 1,
	schema.LocalTimestampMillis: time.Millisecond, schema.LocalTimestampMicros: time.Microsecond, schema.LocalTimestampNanos: 1,
}

func (x *exampler) timestamp(t *schema.Type, n *schema.Node) string {
	local := layout.LogicalTypes[t.Logical] == "LocalDateTime"
	layout, sample := time.RFC3339Nano, "2026-02-28T12:30:00Z"
	if local {
		layout, sample = "2006-01-02T15:04:05.999999999", "2026-02-28T12:30:00"
	}
	var at time.Time
	v, numberErr := strconv.ParseInt(n.Value, 10, 64)
	parsed, textErr := time.Parse(layout, n.Value)
	switch {
	case n.Kind == schema.JSONNumber && numberErr == nil:
		at = fromUnits(v, units[t.Logical])
	case n.Kind == schema.JSONString && textErr == nil:
		at = parsed.UTC()
	default:
		return x.wrong(n, "a time", "write it like "+strconv.Quote(sample))
	}
	expr := fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, %d, time.UTC)", at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond())
	if local {
		expr = "avrobin.LocalDateTimeOf(" + expr + ")"
	}
	return expr
}

func fromUnits(v int64, unit time.Duration) time.Time {
	switch unit {
	case time.Millisecond:
		return time.UnixMilli(v).UTC()
	case time.Microsecond:
		return time.UnixMicro(v).UTC()
	}
	return time.Unix(0, v).UTC()
}

func (x *exampler) date(t *schema.Type, n *schema.Node) string {
	if v, err := strconv.ParseInt(n.Value, 10, 32); n.Kind == schema.JSONNumber && err == nil {
		return fmt.Sprintf("%s(%d)", x.GoType(t), v)
	}
	at, err := time.Parse(time.DateOnly, n.Value)
	if n.Kind != schema.JSONString || err != nil {
		return x.wrong(n, "a date", `write it like "2026-02-28"`)
	}
	return fmt.Sprintf("avrobin.NewDate(%d, %d, %d)", at.Year(), at.Month(), at.Day())
}

func (x *exampler) timeOfDay(t *schema.Type, n *schema.Node) string {
	if v, err := strconv.ParseInt(n.Value, 10, 64); n.Kind == schema.JSONNumber && err == nil && v >= 0 && v < int64(24*time.Hour/units[t.Logical]) {
		return fmt.Sprintf("%s(%d)", x.GoType(t), v*int64(units[t.Logical]))
	}
	at, err := time.Parse("15:04:05.999999999", n.Value)
	if n.Kind != schema.JSONString || err != nil {
		return x.wrong(n, "a time of day", `write it like "12:30:00"`)
	}
	return fmt.Sprintf("avrobin.NewTimeOfDay(%d, %d, %d, %d)", at.Hour(), at.Minute(), at.Second(), at.Nanosecond())
}

func (x *exampler) decimal(t *schema.Type, n *schema.Node) string {
	var d avrobin.Decimal
	var err error
	switch {
	case x.defaults && t.Logical == schema.Decimal:
		b, ok := x.raw(n)
		if !ok {
			return ""
		}
		d = decimalOf(b, t.Scale)
	case n.Kind == schema.JSONString || n.Kind == schema.JSONNumber:
		d, err = avrobin.ParseDecimal(n.Value)
	default:
		return x.wrong(n, "a decimal", `write it like "12.50"`)
	}
	if err == nil && t.Logical == schema.Decimal {
		err = d.Fits(t.Precision, t.Scale)
	}
	if err != nil {
		return x.fault(n, "", "%v", err)
	}
	return fmt.Sprintf("avrobin.MustDecimal(%q)", d)
}

// decimalOf returns the decimal whose unscaled value is the two's complement b.
func decimalOf(b []byte, scale int) avrobin.Decimal {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return avrobin.NewBigDecimal(v, scale)
}

func (x *exampler) duration(t *schema.Type, n *schema.Node) string {
	const hint = `write {"months": 1, "days": 2, "millis": 3000}`
	if n.Kind != schema.JSONObject {
		b, ok := x.raw(n)
		if !ok || len(b) != 12 {
			return x.wrong(n, "a duration", hint)
		}
		le := func(i int) uint32 {
			return uint32(b[i]) | uint32(b[i+1])<<8 | uint32(b[i+2])<<16 | uint32(b[i+3])<<24
		}
		return fmt.Sprintf("%s{Months: %d, Days: %d, Millis: %d}", x.GoType(t), le(0), le(4), le(8))
	}
	out := map[string]string{"months": "0", "days": "0", "millis": "0"}
	for _, p := range n.Pairs {
		if _, known := out[p.Key]; !known || p.Value.Kind != schema.JSONNumber {
			return x.fault(n, hint, "%q is not a part of a duration", p.Key)
		}
		if _, err := strconv.ParseUint(p.Value.Value, 10, 32); err != nil {
			return x.fault(p.Value, hint, "%s is not between 0 and 4294967295", p.Value.Value)
		}
		out[p.Key] = p.Value.Value
	}
	return fmt.Sprintf("%s{Months: %s, Days: %s, Millis: %s}", x.GoType(t), out["months"], out["days"], out["millis"])
}
