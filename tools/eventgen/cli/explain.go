package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
)

// explain prints what would be generated, as a person reads it.
func (c *command) explain(args []string) int {
	f := c.flags("explain", "[flags] DOCUMENT...\n\nPrints what would be generated: operations, topics and messages, with their types, framing, keys and subjects, and how a\nreader tells messages apart. Nothing is written.")
	role := f.String("role", "owner", "owner, client or both, as of generate")
	reads := readingFlags(f)
	docs, status, ok := c.parse(f, args)
	if !ok {
		return status
	}
	if !isRole(*role) {
		return c.wrong("-role is owner, client or both, not %q", *role)
	}
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath, config.Role, config.Keep = "contract", model.Role(*role), true
	m, _, ds := generate.Model(disk{}, config)
	if c.tell(ds) {
		return fault
	}
	for i, p := range m.Packages {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		explainPackage(c.stdout, p)
	}
	return done
}

func explainPackage(w io.Writer, p *model.Package) {
	fmt.Fprintf(w, "%s: package %s\n", cmp.Or(p.Title, p.Document), p.Name)
	for _, group := range []struct {
		verb string
		list []model.Operation
	}{{"sends", p.Senders}, {"asks", p.Requesters}, {"receives", p.Receivers}} {
		for _, o := range group.list {
			explainOperation(w, p, group.verb, o)
		}
	}
	for _, t := range p.Topics {
		fmt.Fprintf(w, "  topic %s", t.Name)
		if t.Partitions > 0 {
			fmt.Fprintf(w, ", partitions %d", t.Partitions)
		}
		for _, s := range t.Configs {
			fmt.Fprintf(w, ", %s=%s", s.Name, s.Value)
		}
		fmt.Fprintln(w)
	}
}

func explainOperation(w io.Writer, p *model.Package, verb string, o model.Operation) {
	at := "a topic that is given at run time"
	for _, t := range p.Topics {
		if t.Const != "" && t.Const == o.Topic {
			at = t.Name
		}
	}
	if o.Address != nil {
		at = o.Address.Template
	}
	fmt.Fprintf(w, "  %s %s on %s", o.Name, verb, at)
	if o.DeadLetters != "" {
		fmt.Fprintf(w, ", dead letters to %s", o.DeadLetters)
	}
	fmt.Fprintln(w)
	for _, m := range o.Methods {
		fmt.Fprintf(w, "    %s\n", message(m.Spec))
	}
	for _, a := range o.Answers {
		fmt.Fprintf(w, "    answered by %s\n", message(a))
	}
	if verb == "receives" {
		fmt.Fprintf(w, "    a reader knows a message %s\n", o.Apart)
	}
}

// framings describes the framings of the runtime.
var framings = map[string]string{"Confluent": "the id of its schema in front", "IDInHeader": "the id of its schema in a header", "SingleObject": "the fingerprint of its schema in front", "Bare": "the payload alone"}

func message(s *model.Spec) string {
	parts := []string{s.Name + ": " + s.Value, framings[s.Framing]}
	if s.Subject != "" {
		parts = append(parts, "subject "+s.Subject)
	}
	if s.Keyed {
		key := "key " + s.Key
		if s.KeyField != "" {
			key += " = " + s.KeyField
		}
		parts = append(parts, key)
	}
	return strings.Join(parts, ", ")
}
