package jsonvalue

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue/internal/number"
)

// ValueError says which part of a value is not as its schema wants it.
type ValueError struct {
	Path string // lines[3].amount; empty for the whole
	Err  error
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap is the fault itself.
func (e *ValueError) Unwrap() error { return e.Err }

// ErrTooMuchWork means that deciding whether a value is as its schema wants it takes more steps
// than its size allows. Only values made for that come here.
var ErrTooMuchWork = errors.New("too much work for a value of this size")

// Func checks a value against a schema: false after telling why not.
type Func func(c *Check, v Value) bool

// Check checks one value. Each of its methods is a keyword of JSON Schema; as there, a keyword
// accepts a value of a kind it does not speak of.
type Check struct {
	quiet int   // deep in alternatives, where a refusal is no fault yet
	err   error // the first fault
	steps int   // left
}

const (
	stepsAtLeast = 10_000
	stepsPerNode = 200
)

// check is the error of a value against its schema.
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

// step counts; false when there are none left, which no alternative and no negation can make good.
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

// Any accepts everything.
func (c *Check) Any(Value) bool { return c.step() }

// Never accepts nothing.
func (c *Check) Never(v Value) bool { return c.fail(v, "may not be there") }

// Type wants one of the kinds.
func (c *Check) Type(v Value, k Kind) bool {
	if !c.step() {
		return false
	}
	if !v.Is(k) {
		return c.fail(v, "is %s where %s is expected", v.Kind(), k)
	}
	return true
}

// Const wants this value; literal is what Literal gave.
func (c *Check) Const(v, literal Value) bool {
	if !c.step() {
		return false
	}
	if !equal(v, literal) {
		return c.fail(v, "is not %s", literal.text())
	}
	return true
}

// Enum wants one of the items of a list.
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

// Minimum wants a number of at least that; bounds are numbers as JSON writes them, so that they are
// exact.
func (c *Check) Minimum(v Value, bound string) bool {
	return c.bound(v, bound, "below", func(o int) bool { return o >= 0 })
}

// Maximum wants a number of at most that.
func (c *Check) Maximum(v Value, bound string) bool {
	return c.bound(v, bound, "above", func(o int) bool { return o <= 0 })
}

// Above wants a number above that.
func (c *Check) Above(v Value, bound string) bool {
	return c.bound(v, bound, "not above", func(o int) bool { return o > 0 })
}

// Below wants a number below that.
func (c *Check) Below(v Value, bound string) bool {
	return c.bound(v, bound, "not below", func(o int) bool { return o < 0 })
}

// MultipleOf wants a number that is an integer times that.
func (c *Check) MultipleOf(v Value, of string) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Number && !number.MultipleOf(v.raw(), []byte(of)) {
		return c.fail(v, "%s is no multiple of %s", v.raw(), of)
	}
	return true
}

// MinLength wants a text of at least n characters.
func (c *Check) MinLength(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && v.length() < n {
		return c.fail(v, "has %d characters, fewer than %d", v.length(), n)
	}
	return true
}

// MaxLength wants a text of at most n characters.
func (c *Check) MaxLength(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && v.length() > n {
		return c.fail(v, "has %d characters, more than %d", v.length(), n)
	}
	return true
}

// Pattern wants a text that the expression matches somewhere.
func (c *Check) Pattern(v Value, re *regexp.Regexp) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && !re.Match(v.bytes()) {
		return c.fail(v, "%q does not match %s", v.bytes(), re)
	}
	return true
}

// Format wants a text of that format.
func (c *Check) Format(v Value, f Format) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == String && !f.valid(string(v.bytes())) {
		return c.fail(v, "%q is no %s", v.bytes(), f.name)
	}
	return true
}

// MinItems wants a list of at least n items.
func (c *Check) MinItems(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Array && v.Len() < n {
		return c.fail(v, "has %d items, fewer than %d", v.Len(), n)
	}
	return true
}

// MaxItems wants a list of at most n items.
func (c *Check) MaxItems(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Array && v.Len() > n {
		return c.fail(v, "has %d items, more than %d", v.Len(), n)
	}
	return true
}

// Unique wants a list of different items.
func (c *Check) Unique(v Value) bool {
	if !c.step() || v.Kind() != Array {
		return c.steps >= 0
	}
	const few = 8
	if v.Len() <= few {
		return c.differ(v)
	}
	seen := map[uint64][]Value{}
	for i, it := range v.Items() {
		h := hash(it)
		for _, other := range seen[h] {
			if equal(it, other) {
				return c.fail(v, "has %s twice, at the end as item %d", it.text(), i)
			}
		}
		seen[h] = append(seen[h], it)
	}
	return true
}

// differ compares each item of a short list with those before it.
func (c *Check) differ(v Value) bool {
	for i, it := range v.Items() {
		for j, other := range v.Items() {
			if j == i {
				break
			}
			if equal(it, other) {
				return c.fail(v, "has %s twice, at the end as item %d", it.text(), i)
			}
		}
	}
	return true
}

// Items wants every item of a list, from the given one on, to pass.
func (c *Check) Items(v Value, from int, f Func) bool {
	if !c.step() {
		return false
	}
	for i, it := range v.Items() {
		if i >= from && !f(c, it) {
			return false
		}
	}
	return true
}

// Item wants the item of that number to pass, if there is one.
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

// Contains wants an item of a list to pass.
func (c *Check) Contains(v Value, f Func) bool {
	if !c.step() || v.Kind() != Array {
		return c.steps >= 0
	}
	for _, it := range v.Items() {
		if c.holds(it, f) {
			return true
		}
	}
	return c.fail(v, "has no item of the kind that must be in it")
}

// MinProperties wants an object of at least n members.
func (c *Check) MinProperties(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Object && v.Len() < n {
		return c.fail(v, "has %d members, fewer than %d", v.Len(), n)
	}
	return true
}

// MaxProperties wants an object of at most n members.
func (c *Check) MaxProperties(v Value, n int) bool {
	if !c.step() {
		return false
	}
	if v.Kind() == Object && v.Len() > n {
		return c.fail(v, "has %d members, more than %d", v.Len(), n)
	}
	return true
}

// Required wants an object to have these members.
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

// Members wants every member of an object to pass.
func (c *Check) Members(v Value, f func(c *Check, name []byte, m Value) bool) bool {
	if !c.step() {
		return false
	}
	for name, m := range v.Members() {
		if !f(c, name, m) {
			return false
		}
	}
	return true
}

// Unknown refuses a member.
func (c *Check) Unknown(m Value) bool { return c.fail(m, "the schema has no such member") }

// Names wants the name of every member of an object to pass.
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

// Dependent wants an object that has the member to pass.
func (c *Check) Dependent(v Value, member string, f Func) bool {
	if !c.step() {
		return false
	}
	if _, ok := v.Member(member); !ok {
		return true
	}
	return f(c, v)
}

// AnyOf wants the value to pass one of the checks.
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

// OneOf wants the value to pass exactly one of the checks.
func (c *Check) OneOf(v Value, fs ...Func) bool {
	if !c.step() {
		return false
	}
	first := -1
	for i, f := range fs {
		switch {
		case !c.holds(v, f):
		case first >= 0:
			return c.fail(v, "is of the forms %d and %d at once, where it must be of one", first+1, i+1)
		default:
			first = i
		}
	}
	return first >= 0 || c.none(v, fs)
}

// Tagged is an alternative that a member tells by its value.
type Tagged struct {
	Tag string
	Func
}

// ByTag wants an object to pass the check that its member of that name tells.
func (c *Check) ByTag(v Value, member string, list ...Tagged) bool {
	if !c.step() {
		return false
	}
	m, ok := v.Member(member)
	if !ok || m.Kind() != String {
		return c.fail(v, "has no text %q, which tells what it is", member)
	}
	for _, t := range list {
		if string(m.bytes()) == t.Tag {
			return t.Func(c, v)
		}
	}
	return c.fail(m, "%s is none of the %d forms there are", m.text(), len(list))
}

// ByTag gives the number of the tag that an object's member has; -1 for none.
func (r *Reader) ByTag(v Value, member string, tags ...string) int {
	m, _ := v.Member(member)
	if m.x == nil || m.Kind() != String {
		return -1
	}
	return slices.Index(tags, string(m.bytes()))
}

// none tells why the value is of no form: by the nearest one, which is the one whose fault lies
// deepest.
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
		return c.fail(v, "is of none of the %d forms it may have", len(fs))
	}
	return c.fail(v, "is of none of the %d forms it may have; nearest: %w", len(fs), nearest)
}

// Not wants the value not to pass.
func (c *Check) Not(v Value, f Func) bool {
	if !c.step() {
		return false
	}
	if c.holds(v, f) {
		return c.fail(v, "is what it may not be")
	}
	return true
}

// If wants the value to pass the second check when it passes the first, else the third.
func (c *Check) If(v Value, cond, then, otherwise Func) bool {
	if !c.step() {
		return false
	}
	if c.holds(v, cond) {
		return then(c, v)
	}
	return otherwise(c, v)
}

// equal tells whether two values are the same in JSON: numbers by their value, objects in any
// order.
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

// hash is the same for equal values.
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

// Choose gives the number of the first check that the value passes; -1 when it passes none. A value
// that was checked before passes one.
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
