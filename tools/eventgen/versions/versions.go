// Package versions checks the versions of stored schemas that documents list under x-versions, and
// adds present schemas to the files that hold such lists.
//
// Package model calls Check, and the command "versions keep" calls Append.
package versions

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// Unkept is a present schema that is not among the versions of its message.
type Unkept struct {
	Message string
	Pos     diag.Pos // of x-versions
	File    string   // that holds the list; empty: the list is part of another file
	Schema  string
}

// checker checks the versions of the messages of one call.
type checker struct {
	root  func(*parse.Payload) *avro.Root
	read  map[*parse.Message][]*avro.Version // former versions
	diags *diag.List
}

// Check checks the versions that messages list, adds the former ones to the Avro schemas that root
// returns for payloads, and returns the present schemas that are not listed. root returns nil for a
// payload that is not Avro.
func Check(docs []*parse.Document, root func(*parse.Payload) *avro.Root, diags *diag.List) []Unkept {
	c := &checker{root: root, read: map[*parse.Message][]*avro.Version{}, diags: diags}
	var unkept []Unkept
	all := messages(docs)
	c.ownTypes(all)
	for _, m := range all {
		r := c.root(m.Payload)
		if m.Versions == nil || r == nil {
			continue
		}
		list, kept := c.message(m, r)
		c.read[m] = list
		if !kept {
			unkept = append(unkept, Unkept{Message: m.Name, Pos: m.Versions.Pos, File: m.Versions.File, Schema: r.SchemaText()})
		}
	}
	for _, d := range docs {
		for _, channel := range d.Channels {
			c.channel(channel)
		}
	}
	for _, m := range all {
		for _, v := range c.read[m] {
			c.root(m.Payload).AddFormer(v)
		}
	}
	return unkept
}

// Refuse reports present schemas that are not listed, and the command that adds them.
func Refuse(unkept []Unkept, docs []*parse.Document, diags *diag.List) {
	var files []string
	for _, d := range docs {
		files = append(files, d.File)
	}
	command := "eventgen versions keep " + strings.Join(files, " ")
	for _, u := range unkept {
		hint := "run " + command
		if u.File == "" {
			hint = "move the list to a file of its own, x-versions: {$ref: versions/" + u.Message + ".json}, and run " + command
		}
		diags.ErrorHint(u.Pos, hint, "the present schema of message %s is not among its versions", u.Message)
	}
}

// messages returns the messages of documents, each once.
func messages(docs []*parse.Document) []*parse.Message {
	var out []*parse.Message
	seen := map[*parse.Message]bool{}
	add := func(m *parse.Message) {
		if !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	for _, d := range docs {
		for _, c := range d.Channels {
			for _, m := range c.Messages {
				add(m.Message)
			}
		}
		for _, m := range d.Messages {
			add(m)
		}
	}
	return out
}

// message reads and checks the versions of one message. It returns the former ones, and reports
// whether the present one is listed; it also does if a version cannot be read.
func (c *checker) message(m *parse.Message, r *avro.Root) (former []*avro.Version, kept bool) {
	present := r.Version()
	seen := map[uint64]*avro.Version{}
	good := true
	for i, n := range m.Versions.List {
		what := fmt.Sprintf("version %d of message %s", i+1, m.Name)
		v, faults := avro.ReadVersion(n)
		for _, f := range faults {
			f.Message = what + ": " + f.Message
			c.diags.Add(f)
		}
		if v == nil {
			good = false
			continue
		}
		fp := v.Fingerprint()
		if first := seen[fp]; first != nil {
			c.sameFingerprint(v.Pos, what, fmt.Sprintf("the version at %s", first.Pos), first, v)
			continue
		}
		seen[fp] = v
		if fp == r.Fingerprint() {
			if _, differs := v.Difference(present); differs {
				c.sameFingerprint(present.Pos, "the present schema of message "+m.Name, fmt.Sprintf("its version at %s", v.Pos), v, present)
			}
			continue
		}
		for _, f := range r.Unreadable(v) {
			f.Message = fmt.Sprintf("%s (%s) cannot be read: %s", what, v.Pos, f.Message)
			c.diags.Add(f)
		}
		former = append(former, v)
	}
	return former, seen[r.Fingerprint()] != nil || !good
}

// sameFingerprint refuses a version that readers could not tell from an earlier one.
func (c *checker) sameFingerprint(pos diag.Pos, what, other string, first, second *avro.Version) {
	path, differs := first.Difference(second)
	if !differs {
		c.diags.ErrorHint(pos, "remove one of them; a change of docs, aliases or defaults alone does not make another version", "%s has the fingerprint of %s", what, other)
		return
	}
	where := ""
	if path != "" {
		where = " of field " + path
	}
	c.diags.ErrorHint(pos, "readers cannot tell the two apart: keep the former logical type, and add a field of another name for the new one",
		"%s differs from %s in the logical type%s only, which the fingerprint does not include", what, other, where)
}

// channel refuses two messages of a channel that have a version in common.
func (c *checker) channel(channel *parse.Channel) {
	of := map[uint64]*parse.ChannelMessage{}
	for _, m := range channel.Messages {
		if r := c.root(m.Payload); r != nil && m.Versions != nil {
			of[r.Fingerprint()] = m
		}
	}
	for _, m := range channel.Messages {
		for _, v := range c.read[m.Message] {
			other := of[v.Fingerprint()]
			if other == nil {
				of[v.Fingerprint()] = m
			} else if other.Message != m.Message {
				c.diags.ErrorHint(v.Pos, "readers cannot tell which message it is: keep it with the message that was written with it", "a version of message %s is also one of message %s of channel %s", m.Name, other.Name, channel.Name)
			}
		}
	}
}

// ownTypes refuses a message with former versions whose schema uses a type that a message without
// them uses too: a change for one would be a new version of the other.
func (c *checker) ownTypes(all []*parse.Message) {
	public := map[string]*parse.Message{}
	for _, m := range all {
		if m.Versions != nil {
			continue
		}
		for _, r := range c.avroRoots(m) {
			for _, t := range r.Types(nil) {
				if public[t.Name] == nil {
					public[t.Name] = m
				}
			}
		}
	}
	for _, m := range all {
		if m.Versions == nil {
			continue
		}
		for _, r := range c.avroRoots(m) {
			for _, t := range r.Types(func(name string) bool { return public[name] != nil }) {
				if other := public[t.Name]; other != nil {
					c.diags.ErrorHint(t.Pos, fmt.Sprintf("define a type of its own for message %s, in another namespace, so that %s can change without a new version of what is stored", m.Name, t.Name),
						"message %s, which has x-versions, uses the type %s of message %s (%s), which has none", m.Name, t.Name, other.Name, other.Pos)
				}
			}
		}
	}
}

// avroRoots returns the Avro schemas of a message's payload and key.
func (c *checker) avroRoots(m *parse.Message) []*avro.Root {
	var out []*avro.Root
	payloads := []*parse.Payload{m.Payload}
	if m.Key != nil {
		payloads = append(payloads, m.Key.Payload)
	}
	for _, p := range payloads {
		if r := c.root(p); r != nil && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}
