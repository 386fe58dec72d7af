package parse

import (
	"regexp"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// The fields of each kind of object in AsyncAPI 3.
var (
	documentFields  = []string{"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
	channelFields   = []string{"address", "messages", "title", "summary", "description", "servers", "parameters", "tags", "externalDocs", "bindings"}
	operationFields = []string{"action", "channel", "title", "summary", "description", "security", "tags", "externalDocs", "bindings", "traits", "messages", "reply"}
	messageFields   = []string{"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "tags", "externalDocs", "bindings", "examples", "traits"}
	componentFields = []string{"schemas", "servers", "channels", "operations", "messages", "securitySchemes", "serverVariables", "parameters", "correlationIds", "replies",
		"replyAddresses", "externalDocs", "tags", "operationTraits", "messageTraits", "serverBindings", "channelBindings", "operationBindings", "messageBindings"}
)

var version3 = regexp.MustCompile(`^3\.(\d+)\.\d+(-.*)?$`)

func (p *parser) document(name string) *Document {
	root := p.Open(name, diag.Pos{})
	if root == nil {
		return nil
	}
	d := &Document{File: root.Pos.File, Pos: root.Pos}
	if !p.version(root) {
		return nil
	}
	p.fields(root, "a document", documentFields)
	p.fields(root.Get("components"), "components", componentFields)
	if info := p.object(root, "info"); info != nil {
		d.Title, d.Description = p.text(info, "title"), p.text(info, "description")
		d.GoPackage = p.text(info, "x-go-package")
	} else {
		p.diags.Warnf(root.Pos, "give info with title and version", "the document has no info")
	}
	for _, c := range members(p.object(root, "channels")) {
		if ch := p.channel(c.Key.Value, c.Value); ch != nil {
			d.Channels = append(d.Channels, ch)
		}
	}
	for _, o := range members(p.object(root, "operations")) {
		if op := p.operation(o.Key, o.Value, d); op != nil {
			d.Operations = append(d.Operations, op)
		}
	}
	return d
}

// version says whether the document is one that this package reads.
func (p *parser) version(root *source.Node) bool {
	v := root.Get("asyncapi")
	switch {
	case !root.Is(source.Map) || v == nil:
		p.diags.ErrorHint(root.Pos, "an AsyncAPI document begins with asyncapi: 3.0.0", "this is not an AsyncAPI document")
		return false
	case strings.HasPrefix(v.Value, "2."):
		p.diags.ErrorHint(v.Pos, "convert it: npx @asyncapi/cli convert FILE --target-version 3.0.0", "AsyncAPI %s is not supported, only 3.x", v.Value)
		return false
	}
	m := version3.FindStringSubmatch(v.Value)
	if m == nil {
		p.diags.ErrorHint(v.Pos, "write asyncapi: 3.0.0", "AsyncAPI version %q is not supported, only 3.x", v.Value)
		return false
	}
	if m[1] != "0" && m[1] != "1" {
		p.diags.Warnf(v.Pos, "", "AsyncAPI %s is newer than 3.1, which is the newest known here", v.Value)
	}
	return true
}

func members(n *source.Node) []source.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

// fields warns of members that the specification does not know.
func (p *parser) fields(n *source.Node, what string, known []string) {
	for _, m := range members(n) {
		name := m.Key.Value
		if strings.HasPrefix(name, "x-") || contains(known, name) {
			continue
		}
		p.diags.Warnf(m.Key.Pos, diag.OneOf("fields", name, known), "unknown field %q of %s", name, what)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// object gives a member that must be an object, with its references followed; nil when it is absent or wrong.
func (p *parser) object(n *source.Node, name string) *source.Node {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return nil
	}
	if v = p.Deref(v); v == nil {
		return nil
	}
	if !v.Is(source.Map) {
		p.diags.Errorf(v.Pos, "%s must be an object, not %s", name, v.Kind)
		return nil
	}
	return v
}

// list gives the items of a member that must be a list.
func (p *parser) list(n *source.Node, name string) []*source.Node {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return nil
	}
	if !v.Is(source.Seq) {
		p.diags.Errorf(v.Pos, "%s must be a list, not %s", name, v.Kind)
		return nil
	}
	return v.Items
}

// text gives a member that must be text; "" when it is absent or wrong.
func (p *parser) text(n *source.Node, name string) string {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return ""
	}
	if !v.Is(source.String) {
		p.diags.Errorf(v.Pos, "%s must be a string, not %s", name, v.Kind)
		return ""
	}
	return strings.TrimSpace(v.Value)
}

// number gives a member that must be an integer not below least; 0 when it is absent or wrong.
func (p *parser) number(n *source.Node, name string, least int64) int64 {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return 0
	}
	i, ok := v.Int()
	if !ok || i < least {
		p.diags.Errorf(v.Pos, "%s must be an integer of at least %d", name, least)
		return 0
	}
	return i
}

// unsupported refuses members that change what is generated, but not yet here.
func (p *parser) unsupported(n *source.Node, what string, names ...string) {
	for _, name := range names {
		m, ok := n.Pair(name)
		if ok && !m.Value.Is(source.Null) && (len(m.Value.Pairs) > 0 || len(m.Value.Items) > 0) {
			p.diags.ErrorHint(m.Key.Pos, "leave it out; nothing can be generated for it", "%s of %s is not supported yet", name, what)
		}
	}
}

// kafka gives the kafka member of an object's bindings.
func (p *parser) kafka(n *source.Node) *source.Node {
	return p.object(p.object(n, "bindings"), "kafka")
}
