// Package ignore reads which findings are accepted, until when and why.
//
// The command imports it.
package ignore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Kind is the kind of findings about the list itself.
const Kind = "gate"

// List is a file of accepted findings:
//
//   - id: TOPIC_CHANGED
//     file: specs/billing/asyncapi.yaml
//     pointer: /channels/billingEvents
//     reason: no consumer has been released yet
//     expires: 2027-01-31
//
// A file is compared by its end, and a pointer by its beginning; without them all places count.
type List struct {
	name    string
	entries []*entry
}

type entry struct {
	id, file, pointer, reason string
	expires                   time.Time
	pos                       diag.Pos
	used                      bool
}

// Open reads a list. An error has every fault with its place.
func Open(name string) (*List, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the ignore file: %w", err)
	}
	n, diags := source.Parse(filepath.ToSlash(name), data)
	if diags.HasErrors() {
		return nil, diags.Err()
	}
	if !n.Is(source.Seq) {
		diags.ErrorHint(n.Pos, "write a list of entries with id, reason and expires", "the ignore file is %s", n.Kind)
		return nil, diags.Err()
	}
	l := &List{name: name}
	for _, it := range n.Items {
		l.entries = append(l.entries, read(it, &diags))
	}
	return l, diags.Err()
}

func read(n *source.Node, diags *diag.List) *entry {
	e := &entry{id: n.Get("id").Str(), file: n.Get("file").Str(), pointer: n.Get("pointer").Str(), reason: strings.TrimSpace(n.Get("reason").Str()), pos: n.Pos}
	for _, key := range n.Keys() {
		if !strings.Contains(" id file pointer reason expires ", " "+key+" ") {
			diags.ErrorHint(n.Pos, "the keys are id, file, pointer, reason and expires", "an entry has the key %q", key)
		} else if v := n.Get(key); key != "expires" && !v.Is(source.String) {
			diags.ErrorHint(v.Pos, "write it as a string", "the %s of an entry is %s", key, v.Kind)
		}
	}
	if e.id == "" {
		diags.ErrorHint(n.Pos, "add the id of the findings", "an entry has no id")
	}
	if e.reason == "" {
		diags.ErrorHint(n.Pos, "add why the findings are accepted", "an entry has no reason")
	}
	text := ""
	if v := n.Get("expires"); v != nil {
		text = v.Value
	}
	var err error
	if e.expires, err = time.Parse(time.DateOnly, text); err != nil {
		diags.ErrorHint(n.Pos, "add expires: 2027-01-31, the last day on which it counts", "an entry has no date of expiry")
	}
	return e
}

// Apply returns the findings that are not accepted at a time, and warnings about entries that are
// out of date.
func (l *List) Apply(all []finding.Finding, now time.Time) []finding.Finding {
	var out []finding.Finding
	for _, f := range all {
		if !l.accepts(f, now) {
			out = append(out, f)
		}
	}
	for _, e := range l.entries {
		warn := finding.Finding{Level: finding.Warning, Kind: Kind, File: l.name, Line: e.pos.Line, Col: e.pos.Col}
		switch {
		case e.expired(now):
			warn.ID, warn.Message = "IGNORE_EXPIRED", fmt.Sprintf("the entry for %s expired on %s", e.id, e.expires.Format(time.DateOnly))
			warn.Hint = "remove it, or give it a new date and say why"
		case !e.used:
			warn.ID, warn.Message, warn.Hint = "IGNORE_UNUSED", fmt.Sprintf("the entry for %s matches nothing", e.id), "remove it"
		default:
			continue
		}
		out = append(out, warn)
	}
	return finding.Merge(out)
}

func (e *entry) expired(now time.Time) bool { return !now.Before(e.expires.AddDate(0, 0, 1)) }

func (l *List) accepts(f finding.Finding, now time.Time) bool {
	accepted := false
	for _, e := range l.entries {
		if e.id == f.ID && endsWith(f.File, e.file) && beginsWith(f.Pointer, e.pointer) && !e.expired(now) {
			e.used, accepted = true, true
		}
	}
	return accepted
}

// endsWith reports whether a path ends with other path elements.
func endsWith(name, end string) bool {
	return name == end || end == "" || strings.HasSuffix(name, "/"+end) || strings.HasSuffix(name, ":"+end)
}

// beginsWith reports whether a pointer is at or below another one.
func beginsWith(pointer, start string) bool {
	return pointer == start || start == "" || strings.HasPrefix(pointer, start+"/")
}
