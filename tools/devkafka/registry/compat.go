package registry

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/eventgen/avro/compat"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Text is the text of an Avro schema with the texts that it refers to. A text comes after those
// that it refers to itself.
type Text struct {
	Schema     string
	References []string
}

// Checker validates Avro schemas and checks their compatibility. It is an interface so that another
// implementation can replace Avro.
type Checker interface {
	// Valid returns an error if a schema cannot be parsed.
	Valid(Text) error
	// CanRead returns an error if data written with writer cannot be read with reader.
	CanRead(reader, writer Text) error
}

// Avro is a Checker that parses schemas with twmb/avro and compares them as Apache Avro does.
type Avro struct{}

// Valid implements Checker.
func (Avro) Valid(t Text) error {
	_, err := parse(t)
	return err
}

// CanRead implements Checker.
func (Avro) CanRead(reader, writer Text) error {
	r, err := load(reader)
	if err != nil {
		return fmt.Errorf("reader schema: %w", err)
	}
	w, err := load(writer)
	if err != nil {
		return fmt.Errorf("writer schema: %w", err)
	}
	all := compat.Check(r, w).All
	if len(all) == 0 {
		return nil
	}
	texts, pointers := make([]string, len(all)), compat.Pointers(r.Node)
	for i, found := range all {
		texts[i] = fmt.Sprintf("%s: %s", found.ID, found.Message)
		if at := pointers[found.At]; at != "" {
			texts[i] += " at " + at
		}
	}
	return errors.New(strings.Join(texts, "; "))
}

// load returns a schema in the form in which compat compares it.
func load(t Text) (*schema.Type, error) {
	l := schema.Loader{Lenient: true}
	var root **schema.Type
	for _, text := range append(t.References[:len(t.References):len(t.References)], t.Schema) {
		n, err := schema.ParseNode(text)
		if err != nil {
			return nil, err
		}
		root = l.Add(n)
	}
	for _, f := range l.Link() {
		if !f.Warning {
			return nil, errors.New(f.Message)
		}
	}
	return *root, nil
}

func parse(t Text) (*avro.Schema, error) {
	cache := &avro.SchemaCache{}
	for _, ref := range t.References {
		if _, err := cache.Parse(ref); err != nil {
			return nil, fmt.Errorf("reference: %w", err)
		}
	}
	return cache.Parse(t.Schema)
}

// levels are the compatibility levels that a subject may have.
var levels = map[string]struct{ backward, forward, transitive bool }{
	"NONE":                {},
	"BACKWARD":            {backward: true},
	"BACKWARD_TRANSITIVE": {backward: true, transitive: true},
	"FORWARD":             {forward: true},
	"FORWARD_TRANSITIVE":  {forward: true, transitive: true},
	"FULL":                {backward: true, forward: true},
	"FULL_TRANSITIVE":     {backward: true, forward: true, transitive: true},
}

// incompatibilities returns the reasons why a new schema is not compatible with older ones, which
// are given oldest first, at a compatibility level.
func incompatibilities(c Checker, level string, older []version, texts func(version) Text, next Text) []string {
	rule := levels[level]
	if !rule.transitive && len(older) > 1 {
		older = older[len(older)-1:]
	}
	var out []string
	for _, v := range older {
		old := texts(v)
		if rule.backward {
			if err := c.CanRead(next, old); err != nil {
				out = append(out, fmt.Sprintf("the new schema cannot read data of version %d: %v", v.Version, err))
			}
		}
		if rule.forward {
			if err := c.CanRead(old, next); err != nil {
				out = append(out, fmt.Sprintf("version %d cannot read data of the new schema: %v", v.Version, err))
			}
		}
	}
	return out
}
