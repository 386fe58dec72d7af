// Package overlay changes documents by the actions of the OpenAPI Overlay Specification 1.0, so
// that nobody has to edit a document that is not theirs. The package that runs the stages imports
// it.
package overlay

import (
	"slices"
	"strings"

	"github.com/theory/jsonpath"
	"github.com/theory/jsonpath/spec"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Overlay is a file of actions.
type Overlay struct {
	Extends string // the document it is for, as it is written there; "": any
	actions []*action
}

// action changes the values that a target selects.
type action struct {
	at     diag.Pos
	target string
	path   *jsonpath.Path
	update *source.Node // nil: the values are removed
	hits   int          // values selected so far
}

// Parse reads a file of actions. Faults are added to the list; an action with a fault is left out.
func Parse(root *source.Node, diags *diag.List) *Overlay {
	o := &Overlay{}
	if root == nil {
		return o
	}
	if version := root.Get("overlay"); !strings.HasPrefix(version.Str(), "1.") {
		diags.ErrorHint(root.Pos, "write overlay: 1.0.0, info and actions, as the Overlay Specification says", "this is not an overlay")
		return o
	}
	for _, p := range root.Pairs {
		known := []string{"overlay", "info", "extends", "actions"}
		if !slices.Contains(known, p.Key.Value) && !strings.HasPrefix(p.Key.Value, "x-") {
			diags.ErrorHint(p.Key.Pos, diag.OneOf("keys", p.Key.Value, known), "an overlay has no key %q", p.Key.Value)
		}
	}
	o.Extends = root.Get("extends").Str()
	actions := root.Get("actions")
	if !actions.Is(source.Seq) || len(actions.Items) == 0 {
		diags.ErrorHint(root.Pos, "write actions: [{target: $.info, update: {title: Orders}}]", "the overlay has no actions")
		return o
	}
	for _, n := range actions.Items {
		if a := parse(n, diags); a != nil {
			o.actions = append(o.actions, a)
		}
	}
	return o
}

// parse returns nil after reporting a fault.
func parse(n *source.Node, diags *diag.List) *action {
	const form = "an action has a target, and update: VALUE or remove: true"
	for _, p := range n.Pairs {
		known := []string{"target", "description", "update", "remove"}
		if !slices.Contains(known, p.Key.Value) && !strings.HasPrefix(p.Key.Value, "x-") {
			diags.ErrorHint(p.Key.Pos, diag.OneOf("keys", p.Key.Value, known), "an action has no key %q", p.Key.Value)
			return nil
		}
	}
	target, remove := n.Get("target"), n.Get("remove")
	if !target.Is(source.String) {
		diags.ErrorHint(n.Pos, form, "the action has no target")
		return nil
	}
	a := &action{at: target.Pos, target: target.Value, update: n.Get("update")}
	var err error
	switch a.path, err = jsonpath.Parse(target.Value); {
	case err != nil:
		diags.ErrorHint(target.Pos, "write a JSONPath of RFC 9535, such as $.components.messages.OrderPlaced", "target %q: %v", target.Value, err)
	case remove != nil && !remove.Is(source.Bool):
		diags.ErrorHint(remove.Pos, form, "remove is %s", remove.Kind)
	case remove != nil && remove.Value == "true":
		a.update = nil // remove has precedence, as the specification says
		return a
	case a.update == nil:
		diags.ErrorHint(n.Pos, form, "the action for %s changes nothing", target.Value)
	default:
		return a
	}
	return nil
}

// Apply returns the document after the actions, each on the result of those before it. The document
// itself is not changed.
func (o *Overlay) Apply(document *source.Node, diags *diag.List) *source.Node {
	for _, a := range o.actions {
		found := a.path.SelectLocated(document.Any())
		found.Sort()
		a.hits += len(found)
		// The last first: what is removed from a list moves those behind it.
		for _, at := range slices.Backward(found.Deduplicate()) {
			if len(at.Path) == 0 && a.update == nil {
				diags.ErrorHint(a.at, "select a member of it", "the whole document cannot be removed")
				break
			}
			document = a.change(document, at.Path, document.File(), diags)
		}
	}
	return document
}

// Unused reports the actions that selected nothing in any document.
func (o *Overlay) Unused(diags *diag.List) {
	for _, a := range o.actions {
		if a.hits == 0 {
			diags.ErrorHint(a.at, "look the names up in the document; they are written as they stand there", "target %s selects nothing", a.target)
		}
	}
}

// change returns a copy of a value in which the value at a path is changed. What is on the path is
// copied, the rest shared.
func (a *action) change(n *source.Node, path spec.NormalizedPath, file string, diags *diag.List) *source.Node {
	if len(path) == 0 {
		return a.updated(n, file, diags)
	}
	remove := len(path) == 1 && a.update == nil
	switch step := path[0].(type) {
	case spec.Name:
		pairs := slices.Clone(n.Pairs)
		i := slices.IndexFunc(pairs, func(p source.Pair) bool { return p.Key.Value == string(step) })
		if remove {
			return n.WithPairs(slices.Delete(pairs, i, i+1))
		}
		pairs[i].Value = a.change(pairs[i].Value, path[1:], file, diags)
		return n.WithPairs(pairs)
	case spec.Index:
		items := slices.Clone(n.Items)
		if remove {
			return n.WithItems(slices.Delete(items, int(step), int(step)+1))
		}
		items[step] = a.change(items[step], path[1:], file, diags)
		return n.WithItems(items)
	}
	return n
}

// updated returns a value with the update merged into it.
func (a *action) updated(n *source.Node, file string, diags *diag.List) *source.Node {
	update := a.update.In(file)
	switch {
	case n.Is(source.Seq):
		return n.WithItems(append(slices.Clone(n.Items), update))
	case !n.Is(source.Map):
		diags.ErrorHint(a.at, "select the object that has it, and write the new value in update", "target %s selects %s, which cannot be updated", a.target, n.Kind)
		return n
	case !update.Is(source.Map):
		diags.ErrorHint(a.update.Pos, "write the members to change", "target %s selects an object, and update is %s", a.target, update.Kind)
		return n
	}
	return merge(n, update)
}

// merge returns an object with the members of another one: objects are merged one by one, lists are
// joined, and anything else is replaced.
func merge(under, over *source.Node) *source.Node {
	switch {
	case under.Is(source.Seq) && over.Is(source.Seq):
		return under.WithItems(slices.Concat(under.Items, over.Items))
	case !under.Is(source.Map) || !over.Is(source.Map):
		return over
	}
	pairs := slices.Clone(under.Pairs)
	for _, p := range over.Pairs {
		i := slices.IndexFunc(pairs, func(q source.Pair) bool { return q.Key.Value == p.Key.Value })
		if i < 0 {
			pairs = append(pairs, p)
			continue
		}
		pairs[i] = source.Pair{Key: p.Key, Value: merge(pairs[i].Value, p.Value)}
	}
	return under.WithPairs(pairs)
}
