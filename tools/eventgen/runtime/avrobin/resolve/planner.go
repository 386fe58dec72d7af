package resolve

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// planner compiles steps. A pair of records is compiled once, which ends recursion.
type planner struct {
	known  map[pair]*step
	made   []pair // the keys of known, in order
	depth  int
	work   int
	places []place
	// partial are the mismatches that only some values meet: union branches and enum symbols
	partial []Mismatch
}

type pair struct{ w, r *schema.Type }

func newPlanner() *planner { return &planner{known: map[pair]*step{}} }

// maxPlanDepth limits the depth of schemas without names.
const maxPlanDepth = 200

// maxPlanWork limits the number of pairs of types that are compared, which can be very large for
// nested unions of records.
const maxPlanWork = 100_000

// within calls f with a place added to the path.
func (c *planner) within(p place, f func() (*step, error)) (*step, error) {
	c.places = append(c.places, p)
	defer func() { c.places = c.places[:len(c.places)-1] }()
	return f()
}

// addField is the hint for types that do not resolve by any rule.
const addField = "keep the former type, and add a field of another name for the new one"

// resolve returns the step that reads a value of w as one of r. Its errors are mismatches.
func (c *planner) resolve(w, r *schema.Type) (*step, error) {
	c.depth++
	defer func() { c.depth-- }()
	c.work++
	if c.depth > maxPlanDepth || c.work > maxPlanWork {
		return nil, c.mismatch("", "the schemas are too deep or too entangled")
	}
	switch {
	case w.Kind == schema.Union:
		return c.writerUnion(w, r)
	case r.Kind == schema.Union:
		return c.readerUnion(w, r)
	}
	if reason := otherLogical(w, r); reason != "" {
		return nil, c.mismatch(addField, reason)
	}
	if w.Logical == schema.Decimal && r.Logical == schema.Decimal && (w.Kind == schema.Fixed || r.Kind == schema.Fixed) {
		return &step{op: opDecimal, size: w.Size, into: r.Size}, nil
	}
	if s := promotion(w, r); s != nil {
		return s, nil
	}
	if w.Kind != r.Kind {
		return nil, c.mismatch(addField, fmt.Sprintf("%s cannot be read as %s", w.BranchName(), r.BranchName()))
	}
	if w.Kind.Named() && !sameName(w, r) {
		return nil, c.mismatch(fmt.Sprintf(`write "aliases": [%q] in %s`, w.Name, r.Name), fmt.Sprintf("%s %s is not %s or one of its aliases", w.Kind, w.Name, r.Name))
	}
	switch w.Kind {
	case schema.Fixed:
		if w.Size != r.Size {
			return nil, c.mismatch(addField, fmt.Sprintf("fixed %s has %d bytes, not %d", w.Name, w.Size, r.Size))
		}
		return &step{op: opRaw, size: w.Size}, nil
	case schema.Enum:
		return c.enumStep(w, r), nil
	case schema.Array, schema.Map:
		return c.itemsStep(w, r)
	}
	return c.recordStep(w, r)
}

// otherLogical returns how the logical types of w and r differ if they make different values of the
// same bytes. By the specification, decimals match when their precisions and scales do, whatever
// holds them: bytes, or a fixed of any size and name.
func otherLogical(w, r *schema.Type) string {
	switch {
	case w.Logical == "" || r.Logical == "":
		return ""
	case w.Logical != r.Logical:
		return fmt.Sprintf("%s is not %s", w.Logical, r.Logical)
	case w.Precision != r.Precision || w.Scale != r.Scale:
		return fmt.Sprintf("decimal(%d,%d) is not decimal(%d,%d)", w.Precision, w.Scale, r.Precision, r.Scale)
	}
	return ""
}

// promotion returns the step for two primitives, or nil if one cannot be read as the other.
func promotion(w, r *schema.Type) *step {
	integer := w.Kind == schema.Int || w.Kind == schema.Long
	text := func(t *schema.Type) bool { return t.Kind == schema.String || t.Kind == schema.Bytes }
	switch {
	case w.Kind == schema.Null && r.Kind == schema.Null:
		return &step{op: opNull}
	case w.Kind == schema.Boolean && r.Kind == schema.Boolean:
		return &step{op: opBoolean}
	case w.Kind == schema.Int && (r.Kind == schema.Int || r.Kind == schema.Long):
		return &step{op: opInt}
	case w.Kind == schema.Long && r.Kind == schema.Long:
		return &step{op: opLong}
	case integer && r.Kind == schema.Float:
		return &step{op: opIntFloat}
	case integer && r.Kind == schema.Double:
		return &step{op: opIntDouble}
	case w.Kind == schema.Float && r.Kind == schema.Float:
		return &step{op: opRaw, size: 4}
	case w.Kind == schema.Float && r.Kind == schema.Double:
		return &step{op: opFloatWiden}
	case w.Kind == schema.Double && r.Kind == schema.Double:
		return &step{op: opRaw, size: 8}
	case text(w) && text(r):
		return &step{op: opBytes}
	}
	return nil
}

// sameName reports whether the names are equal without their namespaces, as the specification
// compares them, or the writer's name is an alias of the reader's.
func sameName(w, r *schema.Type) bool {
	return schema.Unqualified(w.Name) == schema.Unqualified(r.Name) || slices.Contains(r.Aliases, w.Name)
}

func (c *planner) enumStep(w, r *schema.Type) *step {
	s := &step{op: opEnum, names: w.Symbols}
	fallback := slices.Index(r.Symbols, r.Default)
	var unknown []string
	for _, symbol := range w.Symbols {
		i := slices.Index(r.Symbols, symbol)
		if i < 0 {
			i = fallback
		}
		if i < 0 {
			unknown = append(unknown, symbol)
		}
		s.indices = append(s.indices, int64(i))
	}
	if len(unknown) > 999 && len(c.partial) < maxPartial {
		c.partial = append(c.partial, c.mismatch("keep the symbols, or give the enum a default",
			fmt.Sprintf("enum %s has no default and not the symbols %s", r.Name, strings.Join(unknown, ", ")))...)
	}
	return s
}

func (c *planner) itemsStep(w, r *schema.Type) (*step, error) {
	item, err := c.within(place{name: "[]"}, func() (*step, error) { return c.resolve(w.Items, r.Items) })
	if err != nil {
		return nil, err
	}
	s := &step{op: opArray, least: w.Items.MinBytes(), steps: []part{{step: item}}}
	if w.Kind == schema.Map {
		s.op = opMap
		s.least++
	}
	return s, nil
}

func (c *planner) writerUnion(w, r *schema.Type) (*step, error) {
	s := &step{op: opUnion}
	var first error
	var unread []Mismatch
	for _, b := range w.Branches {
		bs, err := c.try(b, r)
		if err != nil {
			if first == nil {
				first = err
			}
			faults := err.(mismatches)
			bs = &step{op: opFail, err: fmt.Sprintf("the writer's branch %s: %s", b.BranchName(), faults[0])}
			if b.Kind == schema.Null {
				faults = c.mismatch("keep it nullable, and add a field of another name that is not", "it was nullable and no longer is")
			}
			unread = append(unread, faults...)
		}
		s.steps = append(s.steps, part{step: bs})
	}
	if len(unread) > 0 && !slices.ContainsFunc(s.steps, func(p part) bool { return p.op != opFail }) {
		return nil, first
	}
	if len(c.partial) < maxPartial {
		c.partial = append(c.partial, unread...)
	}
	return s, nil
}

// try resolves two types, and drops their partial mismatches if they do not resolve.
func (c *planner) try(w, r *schema.Type) (*step, error) {
	before := len(c.partial)
	s, err := c.resolve(w, r)
	if err != nil {
		c.partial = c.partial[:before]
	}
	return s, err
}

// readerUnion selects the branch that is the writer's type, or else the first one that resolves.
func (c *planner) readerUnion(w, r *schema.Type) (*step, error) {
	exact := func(b *schema.Type) bool {
		return b.Kind == w.Kind && (!b.Kind.Named() || b.Name == w.Name)
	}
	alike := func(b *schema.Type) bool { return b.Kind == w.Kind }
	var why mismatches // of the branch that is most like the writer's type
	for _, fits := range []func(*schema.Type) bool{exact, alike, func(*schema.Type) bool { return true }} {
		for i, b := range r.Branches {
			if !fits(b) {
				continue
			}
			s, err := c.try(w, b)
			if err == nil {
				return &step{op: opBranch, prefix: avrobin.AppendLong(nil, int64(i)), steps: []part{{step: s}}}, nil
			}
			if why == nil && alike(b) {
				why = err.(mismatches)
			}
		}
	}
	if why != nil {
		return nil, why
	}
	return nil, c.mismatch("keep the branch "+w.BranchName(), fmt.Sprintf("%s fits no branch of the union", w.BranchName()))
}

func (c *planner) recordStep(w, r *schema.Type) (*step, error) {
	if s, ok := c.known[pair{w, r}]; ok {
		return s, nil
	}
	s := &step{op: opRecord}
	before := len(c.made)
	c.known[pair{w, r}] = s
	c.made = append(c.made, pair{w, r})
	if err := c.fields(s, w, r); err != nil {
		for _, p := range c.made[before:] { // they may refer to s, which is incomplete
			delete(c.known, p)
		}
		c.made = c.made[:before]
		return nil, err
	}
	return s, nil
}

// fields completes the step of a record: what is read, in the writer's order, and what is written,
// in the reader's.
func (c *planner) fields(s *step, w, r *schema.Type) error {
	var faults mismatches
	order, matched := c.match(w, r, &faults)
	var reads []part
	for i, f := range w.Fields {
		if matched[i] == nil { // skipped: read as what it is
			fs, err := c.resolve(f.Type, f.Type)
			if err != nil {
				return err
			}
			reads = append(reads, part{step: fs, skip: true})
			continue
		}
		fs, err := c.within(place{matched[i].Name, nodeOf(matched[i])}, func() (*step, error) { return c.resolve(f.Type, matched[i].Type) })
		if err != nil {
			faults = append(faults, err.(mismatches)...)
		}
		reads = append(reads, part{step: fs})
	}
	if len(faults) > 0 {
		return faults[:min(len(faults), maxOfRecord)]
	}
	if merged, ok := merge(reads, order); ok {
		s.steps = merged
		return nil
	}
	s.op, s.steps, s.order = opReorder, reads, order
	return nil
}

// match returns where each of the reader's fields comes from, and for each of the writer's fields
// the reader's, or nil if there is none.
func (c *planner) match(w, r *schema.Type, faults *mismatches) (order []part, matched []*schema.Field) {
	order, matched = make([]part, len(r.Fields)), make([]*schema.Field, len(w.Fields))
	var missing []*schema.Field
	for i, f := range r.Fields {
		at := find(w.Fields, f)
		if at >= 0 && matched[at] == nil {
			matched[at] = f
			order[i] = part{at: at}
			continue
		}
		if f.Default == nil {
			missing = append(missing, f)
			continue
		}
		fill, err := schema.AppendJSON(nil, f.Type, f.Default)
		if err != nil {
			*faults = append(*faults, c.at(f, "", fmt.Sprintf("its default %v", err))...)
		}
		order[i] = part{fill: fill, isFill: true}
	}
	for _, f := range missing {
		hint := "add a default"
		if gone := unmatched(w, matched); len(gone) > 0 {
			hint += "; or, if the field was renamed, add its former name to its aliases (gone are " + strings.Join(gone, ", ") + ")"
		}
		*faults = append(*faults, c.at(f, hint, "it is missing in the writer's schema and has no default")...)
	}
	return order, matched
}

// at returns a mismatch of a field as a whole.
func (c *planner) at(f *schema.Field, hint, reason string) (out mismatches) {
	_, err := c.within(place{f.Name, nodeOf(f)}, func() (*step, error) { return nil, c.mismatch(hint, reason) })
	return err.(mismatches)
}

// nodeOf returns where the field was read, which is never nil.
func nodeOf(f *schema.Field) *schema.Node {
	if f.Node == nil {
		return &schema.Node{}
	}
	return f.Node
}

// unmatched returns the names of the writer's fields that no field of the reader stands for.
func unmatched(w *schema.Type, matched []*schema.Field) []string {
	var out []string
	for i, f := range w.Fields {
		if matched[i] == nil {
			out = append(out, f.Name)
		}
	}
	return out
}

// find returns the index of the writer's field that a reader's field stands for, by its name or
// else one of its aliases, or -1.
func find(fields []*schema.Field, f *schema.Field) int {
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if i := slices.IndexFunc(fields, func(w *schema.Field) bool { return w.Name == name }); i >= 0 {
			return i
		}
	}
	return -1
}

// merge returns one sequence of reads and defaults. It returns false if the fields that both
// schemas have are in another order.
func merge(reads, order []part) ([]part, bool) {
	var out []part
	next := 0
	for _, p := range order {
		if p.isFill {
			out = append(out, p)
			continue
		}
		for next < p.at && reads[next].skip {
			out = append(out, reads[next])
			next++
		}
		if next != p.at {
			return nil, false
		}
		out = append(out, reads[next])
		next++
	}
	return append(out, reads[next:]...), !slices.ContainsFunc(reads[next:], func(p part) bool { return !p.skip })
}
