// Package structure checks AsyncAPI documents against the official JSON Schemas of their version.
//
// Package generate calls it last. It returns only warnings, because package parse finds everything
// that would change the generated code, at better positions.
package structure

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	schemas "github.com/asyncapi/spec-json-schemas/v6"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

var compiled = map[string]func() (*validator.Schema, error){
	"3.0": sync.OnceValues(func() (*validator.Schema, error) { return compile("3.0.0") }),
	"3.1": sync.OnceValues(func() (*validator.Schema, error) { return compile("3.1.0") }),
}

func compile(version string) (*validator.Schema, error) {
	data, err := schemas.Get(version)
	if err != nil || data == nil {
		return nil, fmt.Errorf("no schema of AsyncAPI %s: %w", version, err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	c := validator.NewCompiler()
	name := "http://asyncapi.com/definitions/" + version + "/asyncapi.json"
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// Check returns a warning for each place of a document that violates the schema of its version. It
// returns nothing for a version that is not known.
func Check(root *source.Node) diag.List {
	version := root.Get("asyncapi").Str()
	get := compiled[version[:min(3, len(version))]]
	if get == nil {
		return nil
	}
	var out diag.List
	schema, err := get()
	if err != nil {
		out.Errorf(root.Pos, "the official schema cannot be used: %v", err)
		return out
	}
	var invalid *validator.ValidationError
	if err := schema.Validate(root.Any()); !errors.As(err, &invalid) {
		return nil
	}
	printer := message.NewPrinter(language.English)
	for _, leaf := range leaves(invalid) {
		if wrongly(leaf) {
			continue
		}
		pos := at(root, leaf.InstanceLocation)
		if more, ok := leaf.ErrorKind.(*kind.AdditionalProperties); ok {
			pos = at(root, append(leaf.InstanceLocation, more.Properties[0]))
		}
		out.Warnf(pos, "", "this violates the official schema of AsyncAPI %s: %s", version[:3], leaf.ErrorKind.LocalizedString(printer))
	}
	return out
}

// leaves returns the causes of an error. Of several alternatives it takes the one that went
// furthest, because a wrong channel is not a wrong reference.
func leaves(e *validator.ValidationError) []*validator.ValidationError {
	if len(e.Causes) == 0 {
		return []*validator.ValidationError{e}
	}
	var groups [][]*validator.ValidationError
	for _, c := range e.Causes {
		groups = append(groups, leaves(c))
	}
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		best := slices.MaxFunc(groups, func(a, b []*validator.ValidationError) int { return depth(a) - depth(b) })
		return best
	}
	return slices.Concat(groups...)
}

// depth returns how far an alternative went. One in which only a reference is missing went nowhere.
func depth(list []*validator.ValidationError) int {
	most := 0
	for _, e := range list {
		if r, ok := e.ErrorKind.(*kind.Required); ok && slices.Contains(r.Missing, "$ref") {
			return -1
		}
		most = max(most, len(e.InstanceLocation))
	}
	return most
}

// wrongly reports whether the official schema is wrong: it refuses a reference as a Kafka key, and
// requires versions of bindings that documents leave out.
func wrongly(e *validator.ValidationError) bool {
	return strings.Contains(strings.Join(e.InstanceLocation, "/"), "bindings/kafka/key")
}

func at(root *source.Node, location []string) diag.Pos {
	n := root
	for _, step := range location {
		m, _ := n.Pair(step)
		next := m.Value
		if i, err := strconv.Atoi(step); err == nil && n.Is(source.Seq) && i < len(n.Items) {
			next = n.Items[i]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n.Pos
}
