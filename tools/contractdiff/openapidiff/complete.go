package openapidiff

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// complete returns an error if operations of a document are not compared: the library does not read
// a path item that is a reference beside other members, or whose reference leads to another one.
func complete(r *input.Reader, root *source.Node, doc *openapi3.T) error {
	c := completeness{r, map[*source.Node]bool{}}
	var shared openapi3.Callbacks
	if doc.Components != nil {
		shared = doc.Components.Callbacks
	}
	return cmp.Or(
		c.items(root.Get("paths"), doc.Paths.Map()),
		c.items(root.Get("webhooks"), doc.Webhooks),
		c.callbacks(root.Get("components").Get("callbacks"), shared))
}

type completeness struct {
	reader *input.Reader
	seen   map[*source.Node]bool // path items
}

// items checks the path items of a section, and the callbacks of their operations.
func (c completeness) items(section *source.Node, read map[string]*openapi3.PathItem) error {
	for _, p := range members(section) {
		item := read[p.Key.Value]
		if item == nil || c.seen[p.Value] {
			continue
		}
		c.seen[p.Value] = true
		operations := item.Operations()
		for _, m := range members(c.reader.Deref(p.Value)) {
			method := strings.ToUpper(m.Key.Value)
			if !methods[method] {
				continue
			}
			operation := operations[method]
			if operation == nil {
				if !reference.Is(p.Value) {
					continue
				}
				ref := p.Value.Get("$ref")
				return fmt.Errorf("%s: %s of $ref %q would not be compared; refer to the path item itself, and put nothing beside $ref", display(c.reader, ref), method, ref.Value)
			}
			if err := c.callbacks(m.Value.Get("callbacks"), operation.Callbacks); err != nil {
				return err
			}
		}
	}
	return nil
}

// callbacks checks the path items of callbacks.
func (c completeness) callbacks(section *source.Node, read openapi3.Callbacks) error {
	for _, p := range members(section) {
		callback := read[p.Key.Value]
		if callback == nil || callback.Value == nil {
			continue
		}
		if err := c.items(c.reader.Deref(p.Value), callback.Value.Map()); err != nil {
			return err
		}
	}
	return nil
}

// methods are the members of a path item that are operations.
var methods = map[string]bool{"GET": true, "PUT": true, "POST": true, "DELETE": true, "OPTIONS": true, "HEAD": true, "PATCH": true, "TRACE": true}

// members returns the members of an object, and none of anything else.
func members(n *source.Node) []source.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}
