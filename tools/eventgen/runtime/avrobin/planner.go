package avrobin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// planner compiles steps. A pair of records is compiled once, which ends recursion.
type planner struct {
	known map[pair]*step
	made  []pair // the keys of known, in order
	depth int
	work  int
}

type pair struct{ w, r *schema.Type }

// maxPlanDepth bounds how deep schemas nest without names.
const maxPlanDepth = 200

// maxPlanWork bounds how often types are compared: unions of unions of records could ask for very
// many comparisons.
const maxPlanWork = 100_000

func (c *planner) resolve(w, r *schema.Type) (*step, error) {
	c.depth++
	defer func() { c.depth-- }()
	c.work++
	if c.depth > maxPlanDepth || c.work > maxPlanWork {
		return nil, errors.New("the schemas are too deep or too entangled")
	}
	switch {
	case w.Kind == schema.Union:
		return c.writerUnion(w, r)
	case r.Kind == schema.Union:
		return c.readerUnion(w, r)
	}
	if err := sameLogical(w, r); err != nil {
		return nil, err
	}
	if w.Logical == schema.Decimal && r.Logical == schema.Decimal && (w.Kind == schema.Fixed || r.Kind == schema.Fixed) {
		return &step{op: opDecimal, size: w.Size, into: r.Size}, nil
	}
	if s := promotion(w, r); s != nil {
		return s, nil
	}
	if w.Kind != r.Kind {
		return nil, fmt.Errorf("%s cannot be read as %s", w.BranchName(), r.BranchName())
	}
	if w.Kind.Named() && !sameName(w, r) {
		return nil, fmt.Errorf("%s %s is not %s, nor one of its aliases", w.Kind, w.Name, r.Name)
	}
	switch w.Kind {
	case schema.Fixed:
		if w.Size != r.Size {
			return nil, fmt.Errorf("fixed %s has %d bytes, not %d", w.Name, w.Size, r.Size)
		}
		return &step{op: opRaw, size: w.Size}, nil
	case schema.Enum:
		return enumStep(w, r), nil
	case schema.Array, schema.Map:
		return c.itemsStep(w, r)
	}
	return c.recordStep(w, r)
}

// sameLogical refuses two logical types that give the same bytes another meaning. Decimals match
// when their precisions and scales do, the specification says, whatever holds them: bytes, or a
// fixed of any size and name.
func sameLogical(w, r *schema.Type) error {
	switch {
	case w.Logical == "" || r.Logical == "":
		return nil
	case w.Logical != r.Logical:
		return fmt.Errorf("%s is not %s", w.Logical, r.Logical)
	case w.Precision != r.Precision || w.Scale != r.Scale:
		return fmt.Errorf("decimal(%d,%d) is not decimal(%d,%d)", w.Precision, w.Scale, r.Precision, r.Scale)
	}
	return nil
}

// promotion is the step for two primitives, nil when there is none.
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

// sameName compares names as the specification does, without their namespaces; or the reader knows
// the writer's as an alias.
func sameName(w, r *schema.Type) bool {
	return schema.Unqualified(w.Name) == schema.Unqualified(r.Name) || slices.Contains(r.Aliases, w.Name)
}

func enumStep(w, r *schema.Type) *step {
	s := &step{op: opEnum, names: w.Symbols}
	fallback := slices.Index(r.Symbols, r.Default)
	for _, symbol := range w.Symbols {
		i := slices.Index(r.Symbols, symbol)
		if i < 0 {
			i = fallback
		}
		s.indices = append(s.indices, int64(i))
	}
	return s
}

func (c *planner) itemsStep(w, r *schema.Type) (*step, error) {
	item, err := c.resolve(w.Items, r.Items)
	if err != nil {
		return nil, fmt.Errorf("items: %w", err)
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
	good := 0
	for _, b := range w.Branches {
		bs, err := c.resolve(b, r)
		if err != nil {
			if first == nil {
				first = err
			}
			bs = &step{op: opFail, err: fmt.Sprintf("the writer's branch %s: %v", b.BranchName(), err)}
		} else {
			good++
		}
		s.steps = append(s.steps, part{step: bs})
	}
	if good == 0 && first != nil {
		return nil, first
	}
	return s, nil
}

// readerUnion takes the branch that is the writer's type, else the first that resolves.
func (c *planner) readerUnion(w, r *schema.Type) (*step, error) {
	exact := func(b *schema.Type) bool {
		return b.Kind == w.Kind && (!b.Kind.Named() || b.Name == w.Name)
	}
	alike := func(b *schema.Type) bool { return b.Kind == w.Kind }
	var why error // of the branch that is most like the writer's type
	for _, fits := range []func(*schema.Type) bool{exact, alike, func(*schema.Type) bool { return true }} {
		for i, b := range r.Branches {
			if !fits(b) {
				continue
			}
			s, err := c.resolve(w, b)
			if err == nil {
				return &step{op: opBranch, prefix: AppendLong(nil, int64(i)), steps: []part{{step: s}}}, nil
			}
			if why == nil && alike(b) {
				why = err
			}
		}
	}
	if why != nil {
		return nil, fmt.Errorf("%s fits no branch of the reader's union: %w", w.BranchName(), why)
	}
	return nil, fmt.Errorf("%s fits no branch of the reader's union", w.BranchName())
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
		for _, p := range c.made[before:] { // they may lead back to s, which stays unfinished
			delete(c.known, p)
		}
		c.made = c.made[:before]
		return nil, fmt.Errorf("record %s: %w", r.Name, err)
	}
	return s, nil
}

// fields fills a record's step: what is read in the writer's order, and what is written in the
// reader's.
func (c *planner) fields(s *step, w, r *schema.Type) error {
	matched := make([]*schema.Field, len(w.Fields)) // the reader's field for each of the writer's
	order := make([]part, len(r.Fields))
	for i, f := range r.Fields {
		at := find(w.Fields, f)
		if at < 0 || matched[at] != nil {
			fill, err := defaultOf(f)
			if err != nil {
				return err
			}
			order[i] = part{fill: fill, isFill: true}
			continue
		}
		matched[at] = f
		order[i] = part{at: at}
	}
	var reads []part
	for i, f := range w.Fields {
		goal := f.Type // a field to skip is read as what it is
		if matched[i] != nil {
			goal = matched[i].Type
		}
		fs, err := c.resolve(f.Type, goal)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		reads = append(reads, part{step: fs, skip: matched[i] == nil})
	}
	if merged, ok := merge(reads, order); ok {
		s.steps = merged
		return nil
	}
	s.op, s.steps, s.order = opReorder, reads, order
	return nil
}

// find is the writer's field a reader's field stands for, -1 for none: by name, else by one of the
// reader's aliases.
func find(fields []*schema.Field, f *schema.Field) int {
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if i := slices.IndexFunc(fields, func(w *schema.Field) bool { return w.Name == name }); i >= 0 {
			return i
		}
	}
	return -1
}

func defaultOf(f *schema.Field) ([]byte, error) {
	if f.Default == nil {
		return nil, fmt.Errorf("field %s: the writer has none, and it has no default", f.Name)
	}
	fill, err := schema.AppendJSON(nil, f.Type, f.Default)
	if err != nil {
		return nil, fmt.Errorf("field %s: its default %w", f.Name, err)
	}
	return fill, nil
}

// merge puts reading and writing into one sequence; false when the fields both have are in another
// order.
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
