// Package lint checks contracts against conventions. docs/contractdiff-lint.md has a section for
// each rule.
//
// The command imports it.
package lint

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/contractdiff/openapidiff"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Rule is a convention.
type Rule struct {
	ID    string
	Level finding.Level
	Text  string // what is wrong
	Hint  string
}

// Rules are the rules that there are.
var Rules = map[string]Rule{}

func rule(id string, level finding.Level, text, hint string) Rule {
	r := Rule{id, level, text, hint}
	Rules[id] = r
	return r
}

// The rules of documents.
var (
	broken      = rule("BROKEN", finding.Breaking, "the contract cannot be used", "")
	doubtful    = rule("DOUBTFUL", finding.Warning, "the contract is doubtful", "")
	noKey       = rule("NO_KEY", finding.Warning, "message %s of topic %s declares no key, so its order is not kept", "declare bindings.kafka.key")
	compacted   = rule("COMPACTED_WITHOUT_KEY", finding.Breaking, "message %s of the compacted topic %s declares no key: compaction keeps the last record of each key", "declare bindings.kafka.key")
	noDead      = rule("NO_DEAD_LETTER", finding.Warning, "operation %s does not declare what becomes of a message that cannot be handled", "declare x-dead-letter with a channel")
	noExample   = rule("NO_EXAMPLE", finding.Warning, "message %s has no example", "add one; it is checked against the schema")
	noOperation = rule("NO_OPERATION_ID", finding.Warning, "operation %s has no operationId", "name it with a verb and a noun")
	noProblem   = rule("NO_ERROR_RESPONSE", finding.Warning, "operation %s declares no response for errors", "declare the default response, or those with 4xx")
)

// linter collects the findings about one side.
type linter struct {
	side   *input.Side
	reader *input.Reader
	out    []finding.Finding
}

// Check returns what is wrong with the contracts of a side.
func Check(s *input.Side) ([]finding.Finding, error) {
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	l := &linter{side: s, reader: s.Reader()}
	var faults []error
	for _, f := range files {
		switch f.Kind {
		case input.AsyncAPI:
			l.asyncapi(f.Path)
		case input.OpenAPI:
			if _, err := openapidiff.Load(s, f.Path); err != nil {
				faults = append(faults, err)
				continue
			}
			l.openapi(f.Path)
		case input.Avro:
			l.avroFile(f.Path)
		}
	}
	return finding.Merge(l.out), errors.Join(faults...)
}

func (l *linter) add(r Rule, at diag.Pos, kind string, args ...any) {
	l.out = append(l.out, finding.Finding{Level: r.Level, ID: r.ID, Kind: kind, File: l.side.Display(at.File), Pointer: l.reader.Pointer(at), Message: fmt.Sprintf(r.Text, args...), Hint: r.Hint, Line: at.Line, Col: at.Col})
}

// diagnose adds what eventgen reports.
func (l *linter) diagnose(list diag.List, kind string) {
	for _, d := range list {
		r := broken
		if d.Severity == diag.Warning {
			r = doubtful
		}
		l.out = append(l.out, finding.Finding{Level: r.Level, ID: r.ID, Kind: kind, File: l.side.Display(d.File), Pointer: l.reader.Pointer(d.Pos), Message: l.side.Displayed(d.Message), Hint: d.Hint, Line: d.Line, Col: d.Col})
	}
}

// asyncapi checks a document: what eventgen finds, such as broken Avro, key fields that do not
// exist and examples that cannot be encoded, and the conventions.
func (l *linter) asyncapi(file string) {
	_, files, diags := generate.Model(l.side.FS, generate.Config{Documents: []string{file}, ImportPath: "example.org/gen", Raw: true})
	l.diagnose(diags, "asyncapi")
	var unused diag.List
	docs := parse.Documents(l.reader.Files, []string{file}, true, &unused)
	for _, d := range docs {
		for _, c := range d.Channels {
			l.channel(d, c)
		}
		for _, o := range d.Operations {
			if o.Action == parse.Receive && o.DeadLetter == nil && o.Channel.Kafka.Pos.IsValid() {
				l.add(noDead, o.Pos, "asyncapi", o.Name)
				l.out[len(l.out)-1].Pointer = l.reader.KeyPointer(o.Pos)
			}
		}
	}
	for _, name := range files.Local() {
		if path.Ext(name) != ".avsc" {
			l.schemas(l.reader.Open(name, diag.Pos{}), "", "asyncapi")
		}
	}
}

func (l *linter) channel(d *parse.Document, c *parse.Channel) {
	if c.File != d.File {
		return
	}
	compacts := slices.ContainsFunc(c.Kafka.Configs, func(s parse.Config) bool { return s.Name == "cleanup.policy" && s.Value != "delete" })
	for _, m := range c.Messages {
		switch {
		case !c.Kafka.Pos.IsValid() || m.Key != nil:
		case compacts:
			l.add(compacted, m.Message.Pos, "asyncapi", m.Message.Name, c.Kafka.Topic)
		case c.Kafka.Partitions != 1: // with one partition everything is in order
			l.add(noKey, m.Message.Pos, "asyncapi", m.Message.Name, c.Kafka.Topic)
		}
		if len(m.Examples) == 0 && m.Payload != nil && m.Payload.Format != parse.Raw {
			l.add(noExample, m.Message.Pos, "asyncapi", m.Message.Name)
		}
	}
}

var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}

func (l *linter) openapi(file string) {
	root := l.reader.Open(file, diag.Pos{})
	for _, p := range pairs(root.Get("paths")) {
		for _, o := range pairs(p.Value) {
			if !slices.Contains(methods, o.Key.Value) {
				continue
			}
			name := o.Key.Value + " " + p.Key.Value
			if o.Value.Get("operationId") == nil {
				l.add(noOperation, o.Value.Pos, "openapi", name)
			}
			if !slices.ContainsFunc(o.Value.Get("responses").Keys(), func(status string) bool { return status == "default" || strings.HasPrefix(status, "4") }) {
				l.add(noProblem, o.Value.Pos, "openapi", name)
			}
		}
	}
	l.schemas(root, "", "openapi")
}

func pairs(n *source.Node) []source.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}
