// Package finding has what contractdiff reports: the differences of contracts, with their levels.
//
// Every package of contractdiff imports it. It imports none of them.
package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
)

// Level is what a finding means for those who use the contract.
type Level int

// The levels. None is above all of them: nothing reaches it.
const (
	Info     Level = iota
	Warning        // somebody should look
	Semantic       // still readable, and it means something else
	Breaking       // a consumer of the old contract can stop working
	None
)

var levels = []string{"info", "warning", "semantic", "breaking", "none"}

// String returns the name of the level.
func (l Level) String() string { return levels[l] }

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// ParseLevel returns the level of a name that -fail-on accepts.
func ParseLevel(name string) (Level, error) {
	if i := slices.Index(levels, name); i > 0 && i < int(None) {
		return Level(i), nil
	}
	return 0, fmt.Errorf("level %q is not known: the levels are breaking, semantic and warning", name)
}

// Finding is one difference. Its JSON is a promise to those who parse it.
type Finding struct {
	Level   Level  `json:"level"`
	ID      string `json:"id"`
	Kind    string `json:"kind"` // avro, asyncapi, openapi, jsonschema or gate
	File    string `json:"file"`
	Pointer string `json:"pointer"` // JSON pointer in File
	Message string `json:"message"`
	Hint    string `json:"hint"`

	Line int `json:"-"` // 0: not known
	Col  int `json:"-"`
	// Where the difference matters, such as a message of a channel. The same difference of a schema
	// that several messages use is one finding with several uses.
	Uses []string `json:"-"`
}

// Place returns file:line:col, or as much of it as is known.
func (f Finding) Place() string {
	return diag.Pos{File: f.File, Line: f.Line, Col: f.Col}.String()
}

// Side is the version of a contract in which a difference is.
type Side int

// The sides.
const (
	New Side = iota
	Old
)

// Order is who has to be deployed first because of a difference.
type Order int

// The orders.
const (
	Any Order = iota
	ConsumersFirst
	ProducersFirst
)

// Difference is one difference of two versions, before it is known which file it is in for a user.
type Difference struct {
	Level   Level
	ID      string
	Side    Side
	Pos     diag.Pos // in a file of that side
	Key     bool     // Pos is that of the key of a member
	Message string
	Hint    string
	Order   Order
}

// Merge returns the findings, each once, the most severe first and then in the order of their
// places. The uses of equal findings are joined, and become the end of the message.
func Merge(all []Finding) []Finding {
	type key struct{ id, file, pointer, message string }
	at := map[key]int{}
	out := []Finding{}
	for _, f := range all {
		k := key{f.ID, f.File, f.Pointer, f.Message}
		i, known := at[k]
		if !known {
			at[k] = len(out)
			out = append(out, f)
			continue
		}
		same := &out[i]
		same.Level = max(same.Level, f.Level)
		same.Uses = append(same.Uses[:len(same.Uses):len(same.Uses)], f.Uses...)
		if !strings.Contains(same.Hint, f.Hint) {
			same.Hint = strings.TrimPrefix(same.Hint+"; "+f.Hint, "; ")
		}
	}
	for i := range out {
		if uses := slices.Compact(slices.Sorted(slices.Values(out[i].Uses))); len(uses) > 0 {
			out[i].Message += " (" + few(uses) + ")"
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message))
	})
	return out
}

// few returns a list as text, with its first items alone if it is long.
func few(list []string) string {
	const most = 3
	if len(list) <= most+1 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// Worst returns the level of the most severe finding, and Info if there is none.
func Worst(all []Finding) Level {
	worst := Info
	for _, f := range all {
		worst = max(worst, f.Level)
	}
	return worst
}
