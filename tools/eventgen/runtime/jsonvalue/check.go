package jsonvalue

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue/internal/number"
)

// ValueError is a fault of a part of a value.
type ValueError struct {
	Path string // lines[3].amount; empty for the whole value
	Err  error
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns the fault itself.
func (e *ValueError) Unwrap() error { return e.Err }

// ErrTooMuchWork is wrapped by the error for a value whose check takes more steps than its size
// allows. Only a value that was made for the purpose does.
var ErrTooMuchWork = errors.New("too much work for a value of this size")

// Func checks a value against a schema. It returns false after it has recorded a fault in c.
type Func func(c *Check, v Value) bool

// Check checks one value. Each of its methods is a keyword of JSON Schema. As there, a keyword
// accepts values of the kinds that it does not apply to.
type Check struct {
	quiet int   // depth of alternatives, in which a refusal is not a fault
	err   error // the first fault
	steps int   // left
}

const (
	stepsAtLeast = 10_000
	stepsPerNode = 200
)

// check returns an error if a value does not conform to its schema.
func check(v Value, f Func) error {
	c := Check{steps: stepsAtLeast + stepsPerNode*len(v.x.nodes)}
	ok := f(&c, v)
	switch {
	case c.steps < 0:
		return ErrTooMuchWork
	case ok:
		return nil
	}
	return c.err
}

// step counts a step. It returns false if none are left; then no alternative and no negation can
// accept the value.
func (c *Check) step() bool { c.steps--; return c.steps >= 0 }

func (c *Check) fail(v Value, format string, args ...any) bool {
	if c.quiet == 0 && c.err == nil {
		c.err = &ValueError{v.path(), fmt.Errorf(format, args...)}
	}
	return false
}

func (c *Check) holds(v Value, f Func) bool {
	c.quiet++
	ok := f(c, v)
	c.quiet--
	return ok
}

// Any accepts any value.
func (c *Check) Any(Value) bool { return c.step() }

// Never accepts no value.
func (c *Check) Never(v Value) bool { return c.fail(v, "is not allowed") }

// Type accepts values of the kinds.
func (c *Check) Type(v Value, k Kind) bool {
	if !c.step() {
		return false
	}
	if !v.Is(k) {
		return c.fail(v, "is %s, not %s", v.Kind(), k)
	}
	return true
}

// Const accepts one value, which Literal returned.
func (c *Check) Const(v, literal Value) bool {
	if !c.step() {
		return false
	}
	if !equal(v, literal) {
		return c.fail(v, "is not %s", literal.text())
	}
	return true
}

// Enum accepts the items of a list.
func (c *Check) Enum(v, list Value) bool {
	if !c.step() {
		return false
	}
	for _, it := range list.Items() {
		if equal(v, it) {
			return true
		}
	}
	return c.fail(v, "is not one of %s", list.text())
}

func (c *Check) bound(v Value, bound, what string, ok func(order int) bool) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Number && !ok(number.Compare(v.raw(), []byte(bound))) {
		return c.fail(v, "%s is %s %s", v.raw(), what, bound)
	}
	return true
}

// Minimum accepts numbers of at least bound. Bounds are numbers in JSON, so that they are exact.
func (c *Check) Minimum(v Value, bound string) bool {
	return c.bound(v, bound, "below", func(o int) bool { return o >= 0 })
}

// Maximum accepts numbers of at most bound.
func (c *Check) Maximum(v Value, bound string) bool {
	return c.bound(v, bound, "above", func(o int) bool { return o <= 0 })
}

// Above accepts numbers above bound.
func (c *Check) Above(v Value, bound string) bool {
	return c.bound(v, bound, "not above", func(o int) bool { return o > 0 })
}

// Below accepts numbers below bound.
func (c *Check) Below(v Value, bound string) bool {
	return c.bound(v, bound, "not below", func(o int) bool { return o < 0 })
}

// MultipleOf accepts multiples of a number.
func (c *Check) MultipleOf(v Value, of string) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Number && !number.MultipleOf(v.raw(), []byte(of)) {
		return c.fail(v, "%s is not a multiple of %s", v.raw(), of)
	}
	return true
}

// MinLength accepts texts of at least n characters.
func (c *Check) MinLength(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && v.length() < n {
		return c.fail(v, "has %d characters, fewer than %d", v.length(), n)
	}
	return true
}

// MaxLength accepts texts of at most n characters.
func (c *Check) MaxLength(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && v.length() > n {
		return c.fail(v, "has %d characters, more than %d", v.length(), n)
	}
	return true
}

// Pattern accepts texts that contain a match of the expression.
func (c *Check) Pattern(v Value, p *Pattern) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && !p.Match(v.bytes()) {
		return c.fail(v, "%q does not match %s", v.bytes(), p)
	}
	return true
}

// Format accepts texts in a format.
func (c *Check) Format(v Value, f Format) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && !f.valid(string(v.bytes())) {
		return c.fail(v, "%q is not a valid %s", v.bytes(), f.name)
	}
	return true
}

// MinItems accepts lists of at least n items.
func (c *Check) MinItems(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Array && v.Len() < n {
		return c.fail(v, "has %d items, fewer than %d", v.Len(), n)
	}
	return true
}

// MaxItems accepts lists of at most n items.
func (c *Check) MaxItems(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Array && v.Len() > n {
		return c.fail(v, "has %d items, more than %d", v.Len(), n)
	}
	return true
}

// Unique accepts lists of different items.
func (c *Check) Unique(v Value) bool {
	if !c.step() || v.Kind() != Array {
		return c.steps >= 0
	}
	const few = 16
	if v.Len() <= few {
		return c.differ(v)
	}
	seen := map[uint64][]Value{}
	for i, it := range v.Items() {
		h := hash(it)
		for _, other := range seen[h] {
			if equal(it, other) {
				return c.fail(v, "has %s twice, the second time as item %d", it.text(), i)
			}
		}
		seen[h] = append(seen[h], it)
	}
	return true
}

// differ compares each item of a short list with the items before it.
func (c *Check) differ(v Value) bool {
	for i, it := range v.Items() {
		for j, other := range v.Items() {
			if j == i {
				break
			}
			if equal(it, other) {
				return c.fail(v, "has %s twice, the second time as item %d", it.text(), i)
			}
		}
	}
	return true
}

// Items accepts lists in which f accepts every item from an index on.
func (c *Check) Items(v Value, from int, f Func) bool {
	if !c.step() {
		return false
	}
	if v.Kind() != Array {
		return true
	}
	for i, n, end := v.i+1, 0, v.node().next; i < end; i, n = v.x.nodes[i].next, n+1 {
		if n >= from && !f(c, Value{v.x, i}) {
			return false
		}
	}
	return true
}

// Item accepts lists in which f accepts the item at an index, or which have no such item.
func (c *Check) Item(v Value, n int, f Func) bool {
	if !c.step() {
		return false
	}
	for i, it := range v.Items() {
		if i == n {
			return f(c, it)
		}
	}
	return true
}

// Contains accepts lists with an item that f accepts.
func (c *Check) Contains(v Value, f Func) bool {
	if !c.step() || v.Kind() != Array {
		return c.steps >= 0
	}
	for _, it := range v.Items() {
		if c.holds(it, f) {
			return true
		}
	}
	return c.fail(v, "has no item that conforms to contains")
}

// MinProperties accepts objects of at least n members.
func (c *Check) MinProperties(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Object && v.Len() < n {
		return c.fail(v, "has %d members, fewer than %d", v.Len(), n)
	}
	return true
}

// MaxProperties accepts objects of at most n members.
func (c *Check) MaxProperties(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Object && v.Len() > n {
		return c.fail(v, "has %d members, more than %d", v.Len(), n)
	}
	return true
}

// Required accepts objects with these members.
func (c *Check) Required(v Value, names ...string) bool {
	if !c.step() || v.Kind() != Object {
		return c.steps >= 0
	}
	for _, name := range names {
		if _, ok := v.Member(name); !ok {
			return c.fail(v, "has no member %q", name)
		}
	}
	return true
}

// Members accepts objects in which f accepts every member.
func (c *Check) Members(v Value, f func(c *Check, name []byte, m Value) bool) bool {
	if !c.step() {
		return false
	}
	if v.Kind() != Object {
		return true
	}
	for i, end := v.i+1, v.node().next; i < end; i = v.x.nodes[i+1].next {
		if !f(c, Value{v.x, i}.bytes(), Value{v.x, i + 1}) {
			return false
		}
	}
	return true
}

// Unknown refuses a member of an object.
func (c *Check) Unknown(m Value) bool { return c.fail(m, "the schema has no such member") }

// Names accepts objects in which f accepts the name of every member.
func (c *Check) Names(v Value, f Func) bool {
	if !c.step() {
		return false
	}
	for name := range v.names() {
		if !f(c, name) {
			return false
		}
	}
	return true
}

// Dependent accepts objects without the member, and those that f accepts.
func (c *Check) Dependent(v Value, member string, f Func) bool {
	if !c.step() {
		return false
	}
	if _, ok := v.Member(member); !ok {
		return true
	}
	return f(c, v)
}

// AnyOf accepts values that one of the checks accepts.
func (c *Check) AnyOf(v Value, fs ...Func) bool {
	if !c.step() {
		return false
	}
	for _, f := range fs {
		if c.holds(v, f) {
			return true
		}
	}
	return c.none(v, fs)
}

// OneOf accepts values that exactly one of the checks accepts.
func (c *Check) OneOf(v Value, fs ...Func) bool {
	if !c.step() {
		return false
	}
	first := -1
	for i, f := range fs {
		switch {
		case !c.holds(v, f):
		case first >= 0:
			return c.fail(v, "has the forms %d and %d, and must have only one", first+1, i+1)
		default:
			first = i
		}
	}
	return first >= 0 || c.none(v, fs)
}

// Tagged is an alternative that the value of a member selects.
type Tagged struct {
	Tag string
	Func
}

// ByTag accepts objects that the check accepts which their member of that name selects.
func (c *Check) ByTag(v Value, member string, list ...Tagged) bool {
	if !c.step() {
		return false
	}
	m, ok := v.Member(member)
	if !ok || m.Kind() != String {
		return c.fail(v, "has no text %q, which selects its form", member)
	}
	for _, t := range list {
		if string(m.bytes()) == t.Tag {
			return t.Func(c, v)
		}
	}
	return c.fail(m, "%s is not one of the %d forms", m.text(), len(list))
}

// ByTag returns the index of the tag that a member of an object has, or -1.
func (r *Reader) ByTag(v Value, member string, tags ...string) int {
	m, _ := v.Member(member)
	if m.x == nil || m.Kind() != String {
		return -1
	}
	return slices.Index(tags, string(m.bytes()))
}

// none reports that the value has none of the forms, with the fault of the nearest form, which is
// the one with the deepest fault.
func (c *Check) none(v Value, fs []Func) bool {
	if c.quiet > 0 || c.err != nil {
		return false
	}
	var nearest *ValueError
	for _, f := range fs {
		try := Check{steps: c.steps}
		f(&try, v)
		c.steps = try.steps
		if e, ok := try.err.(*ValueError); ok && (nearest == nil || len(e.Path) > len(nearest.Path)) {
			nearest = e
		}
	}
	switch {
	case nearest == nil || nearest.Path == v.path():
		return c.fail(v, "has none of the %d forms that are allowed", len(fs))
	}
	return c.fail(v, "has none of the %d forms that are allowed; nearest: %w", len(fs), nearest)
}

// Not accepts values that f refuses.
func (c *Check) Not(v Value, f Func) bool {
	if !c.step() {
		return false
	}
	if c.holds(v, f) {
		return c.fail(v, "has a form that is not allowed")
	}
	return true
}

// If accepts values that the second check accepts if the first one does, or else the third.
func (c *Check) If(v Value, cond, then, otherwise Func) bool {
	if !c.step() {
		return false
	}
	if c.holds(v, cond) {
		return then(c, v)
	}
	return otherwise(c, v)
}

// equal reports whether two values are equal in JSON. Numbers are compared by value, and the order
// of members does not matter.
func equal(a, b Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case Number:
		return number.Compare(a.raw(), b.raw()) == 0
	case String:
		return bytes.Equal(a.bytes(), b.bytes())
	case Boolean:
		return bytes.Equal(a.raw(), b.raw())
	case Array:
		return equalItems(a, b)
	case Object:
		return equalMembers(a, b)
	}
	return true
}

func equalItems(a, b Value) bool {
	j := b.i + 1
	for _, it := range a.Items() {
		if j >= b.node().next || !equal(it, Value{b.x, j}) {
			return false
		}
		j = b.x.nodes[j].next
	}
	return j >= b.node().next
}

func equalMembers(a, b Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	others := make(map[string]Value, b.Len())
	for name, m := range b.Members() {
		others[string(name)] = m
	}
	for name, m := range a.Members() {
		if o, ok := others[string(name)]; !ok || !equal(m, o) {
			return false
		}
	}
	return true
}

var seed = maphash.MakeSeed()

// hash returns a hash that is the same for equal values.
func hash(v Value) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteByte(byte(v.Kind()))
	var sum uint64 // of members, whose order does not matter
	switch v.Kind() {
	case Number:
		h.WriteString(number.Parse(v.raw()).String())
	case String:
		h.Write(v.bytes())
	case Boolean:
		h.Write(v.raw())
	case Array:
		for _, it := range v.Items() {
			fmt.Fprintf(&h, "%d,", hash(it))
		}
	case Object:
		for name := range v.names() {
			sum += maphash.Comparable(seed, [2]uint64{hash(name), hash(Value{v.x, name.i + 1})})
		}
	}
	return h.Sum64() ^ sum
}

// Choose returns the index of the first check that accepts the value, or -1. There is one for a
// value that was checked before.
func (r *Reader) Choose(v Value, fs ...Func) int {
	c := Check{quiet: 1, steps: r.steps}
	defer func() { r.steps = c.steps }()
	for i, f := range fs {
		if f(&c, v) {
			return i
		}
	}
	return -1
}

// Form is one of the forms that a value can have at once, with the members that its Go type names.
type Form struct {
	Func
	Members []string
}

// ChooseMost returns the index of the form that accepts the value and names the most of its
// members, or -1. Of two that name as many, it is the first.
func (r *Reader) ChooseMost(v Value, forms ...Form) int {
	c := Check{quiet: 1, steps: r.steps}
	defer func() { r.steps = c.steps }()
	best, most := -1, -1
	for i, f := range forms {
		if !f.Func(&c, v) {
			continue
		}
		n := 0
		for name := range v.Members() {
			if slices.Contains(f.Members, string(name)) {
				n++
			}
		}
		if n > most {
			best, most = i, n
		}
	}
	return best
}
