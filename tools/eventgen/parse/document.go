package parse

import (
	"regexp"
	"slices"
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
	p.Begin(name)
	root := p.Open(name, diag.Pos{})
	if root == nil {
		return nil
	}
	d := &Document{File: root.File(), Pos: root.Pos, PackagePos: root.Pos}
	if !p.version(root) {
		return nil
	}
	p.fields(root, "a document", documentFields)
	p.fields(root.Get("components"), "components", componentFields)
	d.Content = p.text(root, "defaultContentType")
	if info := p.object(root, "info"); info != nil {
		d.Title, d.Description = p.text(info, "title"), p.text(info, "description")
		if d.GoPackage = p.text(info, "x-go-package"); d.GoPackage != "" {
			d.PackagePos = info.Get("x-go-package").Pos
		}
	} else {
		p.diags.Warnf(root.Pos, "add info with title and version", "the document has no info")
	}
	for _, s := range members(p.object(root, "servers")) {
		d.Servers = append(d.Servers, p.server(s.Key.Value, s.Value))
	}
	for _, c := range members(p.object(root, "channels")) {
		ch := p.channel(c.Key.Value, c.Value)
		if ch == nil || slices.Contains(d.Channels, ch) {
			continue
		}
		d.Channels = append(d.Channels, ch)
		// a fragment, which belongs to the documents that refer to it
		if p.Open(ch.File, diag.Pos{}).Get("asyncapi") == nil {
			ch.File = d.File
		}
		if ch.File == d.File {
			ch.Name = c.Key.Value
		}
	}
	for _, o := range members(p.object(root, "operations")) {
		if op := p.operation(o.Key, o.Value, d); op != nil {
			d.Operations = append(d.Operations, op)
		}
	}
	found := p.faults(func() { p.components(d, p.object(root, "components")) })
	if len(d.Channels) > 0 { // of a document that another one uses, see keep
		found.Warn(func(diag.Diagnostic) bool { return true })
	}
	p.diags.Add(found...)
	return d
}

// faults returns the diagnostics that a function adds, and leaves the list as it was.
func (p *parser) faults(read func()) diag.List {
	before := *p.diags
	*p.diags = nil
	read()
	found := *p.diags
	*p.diags = before
	return found
}

// keep reads the object at a node, and keeps its faults for again.
func (p *parser) keep(n *source.Node, read func()) {
	p.found[n] = p.faults(read)
	p.again(n)
}

// again adds the faults of the object at a node. An error that is only a warning so far, because
// nothing used the object, becomes an error.
func (p *parser) again(n *source.Node) { p.diags.Add(p.found[n]...) }

// components reads everything under components, even if nothing refers to it.
func (p *parser) components(d *Document, c *source.Node) {
	for _, m := range members(p.object(c, "messages")) {
		if msg := p.message(m.Key.Value, m.Value); msg != nil {
			d.Messages = append(d.Messages, msg)
		}
	}
	for _, s := range members(p.object(c, "schemas")) {
		if payload := p.payload(s.Value); payload != nil {
			d.Schemas = append(d.Schemas, &Component{s.Key.Value, payload})
		}
	}
	for _, ch := range members(p.object(c, "channels")) {
		p.channel(ch.Key.Value, ch.Value)
	}
	for _, s := range members(p.object(c, "servers")) {
		p.server(s.Key.Value, s.Value)
	}
	for _, section := range componentFields {
		for _, m := range members(p.object(c, section)) {
			p.Deref(m.Value) // reports a reference that leads nowhere
		}
	}
}

var serverFields = []string{"host", "protocol", "protocolVersion", "pathname", "description", "title", "summary", "variables", "security", "tags", "externalDocs", "bindings"}

func (p *parser) server(name string, at *source.Node) Server {
	n := p.Deref(at)
	p.fields(n, "a server", serverFields)
	s := Server{at: n, Name: name, Host: p.text(n, "host"), Path: p.text(n, "pathname"), Protocol: p.text(n, "protocol"), Version: p.text(n, "protocolVersion"),
		Title: p.text(n, "title"), Summary: p.text(n, "summary"), Description: p.text(n, "description")}
	for _, v := range members(p.object(n, "variables")) {
		vn := p.Deref(v.Value)
		one := Variable{Name: v.Key.Value, Default: p.word(vn, "default"), Description: p.text(vn, "description")}
		for _, e := range p.list(vn, "enum") {
			one.Enum = append(one.Enum, e.Value)
		}
		s.Variables = append(s.Variables, one)
	}
	k := p.kafka(n)
	p.fields(k, "a server's Kafka binding", []string{"schemaRegistryUrl", "schemaRegistryVendor", "bindingVersion"})
	s.Registry, s.Vendor = p.text(k, "schemaRegistryUrl"), p.text(k, "schemaRegistryVendor")
	if v := k.Get("schemaRegistryVendor"); v != nil {
		s.VendorPos = v.Pos
	}
	return s
}

// more returns sentences about tags, security, external documentation and deprecation.
func (p *parser) more(n *source.Node) []string {
	var out, tags []string
	for _, t := range p.list(n, "tags") {
		if name := p.word(p.Deref(t), "name"); name != "" {
			tags = append(tags, name)
		}
	}
	if len(tags) > 0 {
		out = append(out, "Tags: "+strings.Join(tags, ", ")+".")
	}
	var security []string
	for _, s := range p.list(n, "security") {
		if kind := p.word(p.Deref(s), "type"); kind != "" {
			security = append(security, kind)
		}
	}
	if len(security) > 0 {
		out = append(out, "Security: "+strings.Join(security, ", ")+".")
	}
	if url := p.word(p.object(n, "externalDocs"), "url"); url != "" {
		out = append(out, "See "+url+".")
	}
	if d := n.Get("deprecated"); d.Is(source.Bool) && d.Value == "true" {
		out = append(out, "Deprecated: by the contract.")
	}
	return out
}

// word returns a scalar member as text, or "" if it is absent.
func (p *parser) word(n *source.Node, name string) string {
	v := n.Get(name)
	if v == nil || v.Is(source.Map) || v.Is(source.Seq) {
		return ""
	}
	return strings.TrimSpace(v.Value)
}

// version reports whether the document has a version that this package reads.
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

// lost are fields of AsyncAPI 2 whose meaning would be lost silently, with what replaces them.
var lost = map[string]string{
	"a channel.publish":   "in AsyncAPI 3, write an operation with action: receive, and the messages under the channel",
	"a channel.subscribe": "in AsyncAPI 3, write an operation with action: send, and the messages under the channel",
	"a message.oneOf":     "in AsyncAPI 3, write each under a name of its own in messages of the channel",
	"a server.url":        "in AsyncAPI 3, write host, protocol and pathname",
}

// fields warns about members that the specification does not have, except those that are reported
// elsewhere.
func (p *parser) fields(n *source.Node, what string, known []string, elsewhere ...string) {
	for _, m := range members(n) {
		name := m.Key.Value
		if strings.HasPrefix(name, "x-") || contains(known, name) || contains(elsewhere, name) {
			continue
		}
		if name == "$ref" {
			p.diags.ErrorHint(m.Value.Pos, "write $ref: '#/components/...', or a file", "$ref of %s must be a string, not %s", what, m.Value.Kind)
			continue
		}
		if hint := lost[what+"."+name]; hint != "" {
			p.diags.ErrorHint(m.Key.Pos, hint, "%q of %s belongs to AsyncAPI 2", name, what)
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

// object returns a member that must be an object, with its references followed, or nil if it is
// absent or wrong.
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

// list returns the items of a member that must be a list.
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

// text returns a member that must be text, or "" if it is absent or wrong.
func (p *parser) text(n *source.Node, name string) string {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return ""
	}
	switch v.Kind {
	case source.String:
	case source.Map, source.Seq:
		p.diags.Errorf(v.Pos, "%s must be a string, not %s", name, v.Kind)
		return ""
	default:
		p.diags.Warnf(v.Pos, "write '"+v.Value+"'", "%s must be a string, not %s", name, v.Kind)
	}
	return strings.TrimSpace(v.Value)
}

// number returns a member that must be an integer from least to most, or 0 if it is absent or
// wrong.
func (p *parser) number(n *source.Node, name string, least, most int64) int64 {
	v := n.Get(name)
	if v == nil || v.Is(source.Null) {
		return 0
	}
	i, ok := v.Int()
	switch {
	case !ok || i < least:
		p.diags.Errorf(v.Pos, "%s must be an integer of at least %d", name, least)
	case i > most:
		p.diags.Errorf(v.Pos, "%s must be an integer of at most %d", name, most)
	default:
		return i
	}
	return 0
}

// kafka returns the kafka member of an object's bindings.
func (p *parser) kafka(n *source.Node) *source.Node {
	return p.object(p.object(n, "bindings"), "kafka")
}
