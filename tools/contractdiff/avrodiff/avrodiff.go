// Package avrodiff compares versions of an Avro schema: what cannot be read, by the rules of Apache
// Avro, and what can be read and means something else.
//
// Packages asyncdiff and gate import it.
package avrodiff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/avro/compat"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Mode is what versions of a schema have to be able to read.
type Mode string

// The modes of schema registries. The default is Backward: the new schema reads what the former one
// wrote.
const (
	None               Mode = "NONE"
	Backward           Mode = "BACKWARD"
	BackwardTransitive Mode = "BACKWARD_TRANSITIVE"
	Forward            Mode = "FORWARD"
	ForwardTransitive  Mode = "FORWARD_TRANSITIVE"
	Full               Mode = "FULL"
	FullTransitive     Mode = "FULL_TRANSITIVE"
)

// Modes are the modes that there are.
var Modes = []Mode{Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive, None}

// ParseMode returns the mode of a name.
func ParseMode(name string) (Mode, error) {
	if m := Mode(strings.ToUpper(name)); slices.Contains(Modes, m) {
		return m, nil
	}
	return "", fmt.Errorf("mode %q is not known: the modes are %v", name, Modes)
}

// Backward reports whether the new schema has to read what former ones wrote.
func (m Mode) Backward() bool { return strings.HasPrefix(string(m), "BACKWARD") || m.full() }

// Forward reports whether former schemas have to read what the new one writes.
func (m Mode) Forward() bool { return strings.HasPrefix(string(m), "FORWARD") || m.full() }

func (m Mode) full() bool { return strings.HasPrefix(string(m), "FULL") }

// Transitive reports whether all former versions count, and not only the last one.
func (m Mode) Transitive() bool { return strings.HasSuffix(string(m), "_TRANSITIVE") }

// Compare returns the differences of a new schema and one former version. What the mode does not
// ask for is a warning, because it decides who is deployed first.
func Compare(former, next *schema.Type, mode Mode) []finding.Difference {
	var out []finding.Difference
	if mode != None {
		backward := compat.Check(next, former)
		forward := compat.Check(former, next)
		out = append(out, unreadable(backward, mode.Backward(), finding.New, finding.ProducersFirst)...)
		out = append(out, unreadable(forward, mode.Forward(), finding.Old, finding.ConsumersFirst)...)
	}
	w := walker{seen: map[[2]*schema.Type]bool{}}
	w.walk(former, next, next.Node)
	return append(out, w.out...)
}

// unreadable returns the incompatibilities of one direction. side is that of the reader.
func unreadable(r compat.Result, required bool, side finding.Side, order finding.Order) []finding.Difference {
	var out []finding.Difference
	level := finding.Breaking
	if !required {
		level = finding.Warning
	}
	who := [...]string{"the new schema cannot read the former one's data", "the former schema cannot read the new one's data"}[side]
	for _, i := range r.All {
		out = append(out, finding.Difference{Level: level, ID: string(i.ID), Side: side, Pos: Position(i.At), Order: order,
			Message: fmt.Sprintf("%s: %s; %s", who, i.Message, r.Verdict), Hint: hint(i, side)})
	}
	return out
}

// hint returns the compatible way to make a change.
func hint(i compat.Incompatibility, side finding.Side) string {
	switch i.ID {
	case compat.MissingDefault:
		if side == finding.Old {
			return "keep the field; stop using it, and remove it when every reader has a schema without it"
		}
		return "add a default to the field; if it was renamed, add its former name to its aliases"
	case compat.MissingSymbols:
		if side == finding.Old {
			return "give the enum a default in a first release, and add the symbol in the next one"
		}
		return "keep the symbols, or give the enum a default"
	case compat.NameMismatch:
		return fmt.Sprintf("keep the name, or write \"aliases\": [%q]; readers of the former schema do not know the new name", i.Writer.Name)
	case compat.MissingBranch:
		if side == finding.Old {
			return "add a field of another name for the new type; or release readers that know the branch before it is written"
		}
		return "keep the branch"
	case compat.Ambiguous:
		return "remove one of the aliases"
	}
	return "keep the former type, and add a field of another name, with a default, for the new one"
}

// Position returns where a node was read. It is unknown if the schema was not read from a file.
func Position(n *schema.Node) diag.Pos {
	if n == nil {
		return diag.Pos{}
	}
	at, _ := n.Pos.(diag.Pos)
	return at
}
