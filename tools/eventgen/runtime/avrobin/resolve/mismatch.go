package resolve

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Mismatch is a part of a writer's schema that cannot be read as the reader's schema asks.
type Mismatch struct {
	Field  string // path in the reader's schema: lines[].amount; empty for the whole value
	Reason string
	Hint   string // what to change in the reader's schema
	Pos    any    // of the reader's field, as in its schema.Node; nil for the whole value
}

func (m Mismatch) String() string {
	if m.Field == "" {
		return m.Reason
	}
	return "field " + m.Field + ": " + m.Reason
}

// Check returns every reason why a value of the writer's schema cannot be read with the reader's
// schema. It is stricter than NewPlan: union branches and enum symbols that the reader does not
// know are reported too.
func Check(writer, reader *schema.Type) []Mismatch {
	c := newPlanner()
	_, err := c.resolve(writer, reader)
	all, _ := err.(mismatches)
	var out []Mismatch
	told := map[string]bool{} // a type that is used twice is compared twice if it does not resolve
	for _, m := range append(all, c.partial...) {
		if !told[m.String()] {
			told[m.String()] = true
			out = append(out, m)
		}
	}
	return out
}

// Limits on how many mismatches are kept, because a schema from a registry may have any number.
const (
	maxOfRecord = 50
	maxPartial  = 1000
)

// mismatches is the error of schemas that do not resolve.
type mismatches []Mismatch

func (ms mismatches) Error() string {
	texts := make([]string, len(ms))
	for i, m := range ms {
		texts[i] = m.String()
	}
	return strings.Join(texts, "; ")
}

// place is a field on the way to the types that are being resolved; or, without a node, the items
// of an array or a map.
type place struct {
	name string
	node *schema.Node
}

// mismatch returns a reason why the types at the present place do not resolve.
func (c *planner) mismatch(hint, reason string) mismatches {
	m := Mismatch{Reason: reason, Hint: hint}
	var path strings.Builder
	for _, p := range c.places {
		if p.node != nil {
			m.Pos = p.node.Pos
			if path.Len() > 0 {
				path.WriteByte('.')
			}
		}
		path.WriteString(p.name)
	}
	m.Field = path.String()
	return mismatches{m}
}
