package registry

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/avro"
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

// Avro is a Checker that applies the rules of schema resolution of the Avro specification.
type Avro struct{}

// Valid implements Checker.
func (Avro) Valid(t Text) error {
	_, err := parse(t)
	return err
}

// CanRead implements Checker.
func (Avro) CanRead(reader, writer Text) error {
	strict, err := withoutImpliedDefaults(reader)
	if err != nil {
		return err
	}
	r, err := parse(strict)
	if err != nil {
		return fmt.Errorf("reader schema: %w", err)
	}
	w, err := parse(writer)
	if err != nil {
		return fmt.Errorf("writer schema: %w", err)
	}
	return avro.CheckCompatibility(w, r)
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

// withoutImpliedDefaults works around an error of the library, which assumes the default null for
// every field whose type is a union that begins with null. By the specification such a field has no
// default. The order of the branches does not matter for compatibility otherwise, so null is moved
// to the end of such unions.
func withoutImpliedDefaults(t Text) (Text, error) {
	out := Text{References: make([]string, len(t.References))}
	var err error
	if out.Schema, err = nullLast(t.Schema); err != nil {
		return Text{}, err
	}
	for i := range t.References {
		if out.References[i], err = nullLast(t.References[i]); err != nil {
			return Text{}, err
		}
	}
	return out, nil
}

func nullLast(schema string) (string, error) {
	var node any
	if err := json.Unmarshal([]byte(schema), &node); err != nil {
		return "", err
	}
	visitFields(node, func(field map[string]any) {
		union, ok := field["type"].([]any)
		_, hasDefault := field["default"]
		if ok && !hasDefault && len(union) > 1 && isNull(union[0]) {
			field["type"] = append(union[1:len(union):len(union)], union[0])
		}
	})
	text, err := json.Marshal(node)
	return string(text), err
}

func isNull(branch any) bool {
	if o, ok := branch.(map[string]any); ok {
		branch = o["type"]
	}
	return branch == "null"
}

// visitFields calls visit for each field of each record in a schema.
func visitFields(node any, visit func(field map[string]any)) {
	switch n := node.(type) {
	case []any:
		for _, branch := range n {
			visitFields(branch, visit)
		}
	case map[string]any:
		fields, _ := n["fields"].([]any)
		for _, f := range fields {
			if field, ok := f.(map[string]any); ok {
				visitFields(field["type"], visit)
				visit(field)
			}
		}
		for _, inner := range []string{"type", "items", "values"} {
			visitFields(n[inner], visit)
		}
	}
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
