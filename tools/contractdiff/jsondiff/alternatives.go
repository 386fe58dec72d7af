package jsondiff

import (
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// alternatives compares oneOf and anyOf: what the writer's alternatives allow, one of the reader's
// has to accept.
func (c *checker) alternatives(rv, wv view, r, w Schema) {
	reads, writes := rv.alternatives(r), wv.alternatives(w)
	if len(reads) == 0 {
		for _, b := range writes {
			c.accepts(r, b)
		}
		return
	}
	if len(writes) == 0 {
		writes = []Schema{w}
	}
	for i, b := range writes {
		if c.anyAccepts(reads, b) {
			continue
		}
		if len(reads) == len(writes) { // the one in the same place changed
			c.accepts(reads[i], b)
			continue
		}
		c.add(finding.Breaking, Alternative, r, b, "no alternative accepts %s", name(b))
	}
}

func (c *checker) anyAccepts(reads []Schema, b Schema) bool {
	for _, a := range reads {
		trial := &checker{reader: c.reader, level: c.level, seen: map[[2]*source.Node]bool{}}
		for pair := range c.seen {
			trial.seen[pair] = true
		}
		trial.accepts(a, b)
		if len(trial.out) == 0 {
			return true
		}
	}
	return false
}

// name returns what a schema is called in messages.
func name(s Schema) string {
	for _, key := range []string{"title", "$id", "x-parser-schema-id", "const", "type"} {
		if v := s.Node.Get(key); v != nil && v.Value != "" {
			return v.Value
		}
	}
	return "an alternative"
}
