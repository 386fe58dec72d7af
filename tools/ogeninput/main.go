// Command ogeninput writes the OpenAPI document that ogen reads to generate a server, from the
// published document. The published document lists every status and code that an operation may
// answer, and the headers that it needs. A server generated from that would have a type for each
// answer, and a text of its own for a missing header. The handlers of the services return a problem
// as an error instead, and answer for a missing header themselves. So in the written document
//
//   - the answers of an operation that are not a success are one shared response, `default`, with a
//     problem document and every header that one of them has;
//   - header parameters are optional;
//   - there are no links, which ogen does not read.
//
// Nothing else differs. Only `make generate` and `make check` call it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ogeninput OPENAPI.yaml OUTPUT.yaml")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "ogeninput:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	data, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	if data, err = derive(data); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644)
}

// derive returns the document for ogen.
func derive(published []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(published, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("the document is empty")
	}
	d := derivation{root: doc.Content[0], headers: &yaml.Node{Kind: yaml.MappingNode}}
	if err := d.operations(); err != nil {
		return nil, err
	}
	components := get(d.root, "components")
	for _, p := range pairs(get(components, "parameters")) {
		optional(p.value)
	}
	for _, r := range pairs(get(components, "responses")) {
		if isProblem(r.value) {
			remove(get(components, "responses"), r.key)
		} else {
			remove(r.value, "links")
		}
	}
	remove(components, "links")
	set(get(components, "responses"), problemName, d.shared())
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

const (
	problemName = "Problem"
	problemType = "application/problem+json"
)

// derivation is a document on its way to what ogen reads.
type derivation struct {
	root    *yaml.Node
	headers *yaml.Node // of all problems
}

// operations replaces the problems of every operation.
func (d *derivation) operations() error {
	for _, path := range pairs(get(d.root, "paths")) {
		for _, op := range pairs(path.value) {
			responses := get(op.value, "responses")
			if responses == nil {
				continue
			}
			for _, p := range items(get(op.value, "parameters")) {
				optional(p)
			}
			if err := d.responses(responses); err != nil {
				return fmt.Errorf("%s %s: %w", strings.ToUpper(op.key), path.key, err)
			}
		}
	}
	return nil
}

func (d *derivation) responses(responses *yaml.Node) error {
	for _, r := range pairs(responses) {
		if strings.HasPrefix(r.key, "2") {
			remove(r.value, "links")
			continue
		}
		response := d.resolve(r.value)
		if !isProblem(response) {
			return fmt.Errorf("the answer %s is neither a success nor a problem document", r.key)
		}
		d.collect(get(response, "headers"))
		remove(responses, r.key)
	}
	set(responses, "default", mapping("$ref", scalar("#/components/responses/"+problemName)))
	return nil
}

// collect takes the headers of a problem that no other one had so far.
func (d *derivation) collect(headers *yaml.Node) {
	for _, h := range pairs(headers) {
		if get(d.headers, h.key) != nil {
			continue
		}
		header := *d.resolve(h.value)
		header.Content = append([]*yaml.Node(nil), header.Content...)
		remove(&header, "required")
		set(d.headers, h.key, &header)
	}
}

// shared returns the response that stands for every problem.
func (d *derivation) shared() *yaml.Node {
	schema := mapping("$ref", scalar("#/components/schemas/Problem"))
	return mapping("description", scalar("Not done. A problem document (RFC 9457) with the cause and what to do."),
		"headers", d.headers, "content", mapping(problemType, mapping("schema", schema)))
}

// resolve returns the target of a reference within the document, or the node itself.
func (d *derivation) resolve(n *yaml.Node) *yaml.Node {
	ref := get(n, "$ref")
	if ref == nil {
		return n
	}
	to := d.root
	for _, step := range strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/") {
		to = get(to, step)
	}
	return to
}

func isProblem(response *yaml.Node) bool { return get(get(response, "content"), problemType) != nil }

// optional makes a header parameter optional.
func optional(parameter *yaml.Node) {
	if in := get(parameter, "in"); in != nil && in.Value == "header" {
		remove(parameter, "required")
	}
}
