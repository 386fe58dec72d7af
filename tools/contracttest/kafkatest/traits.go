package kafkatest

import (
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// Traits are merged into a message as JSON Merge Patch (RFC 7396) has it: a later trait changes
// what an earlier one has, and the message changes what its traits have. Objects are merged member
// by member, anything else is replaced, and null removes a member.

// merged returns the value that several declarations make up, the last of which counts most, as
// encoding/json has it. Its references are absolute, so that it can be compiled wherever it is.
func merged(parts []specfile.Value) (any, error) {
	last := parts[len(parts)-1]
	if len(parts) == 1 || !last.Node.Is(source.Map) {
		return absolute(last)
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if !parts[i].Node.Is(source.Map) {
			parts = parts[i+1:] // an object replaces anything else
			break
		}
	}
	out := map[string]any{}
	for _, name := range memberNames(parts) {
		having := membersOf(parts, name)
		if having[len(having)-1].Node.Is(source.Null) {
			continue
		}
		v, err := merged(having)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// memberNames returns the names of the members of objects, each once.
func memberNames(parts []specfile.Value) (out []string) {
	for _, part := range parts {
		for _, name := range part.Node.Keys() {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// membersOf returns the values of a member, in their order. The value of a single declaration is
// not resolved: it may refer to itself.
func membersOf(parts []specfile.Value, name string) (out []specfile.Value) {
	for _, part := range parts {
		if v := part.Raw(name); v.Ok() {
			out = append(out, v)
		}
	}
	if len(out) > 1 {
		for i, v := range out {
			if r := v.Resolve(); r.Ok() {
				out[i] = r
			}
		}
	}
	return out
}

// absolute returns a value with the files of its references as URLs.
func absolute(v specfile.Value) (any, error) {
	switch {
	case v.Node.Get("$ref").Is(source.String):
		at, err := fileURL(v.File)
		if err != nil {
			return nil, err
		}
		ref, err := url.Parse(v.Node.Get("$ref").Value)
		if err != nil {
			return nil, err
		}
		return map[string]any{"$ref": at.ResolveReference(ref).String()}, nil
	case v.Node.Is(source.Map):
		out := map[string]any{}
		for _, name := range v.Node.Keys() {
			var err error
			if out[name], err = absolute(v.Raw(name)); err != nil {
				return nil, err
			}
		}
		return out, nil
	case v.Node.Is(source.Seq):
		out := []any{}
		for _, it := range v.Children() {
			x, err := absolute(it)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	}
	return plain(v), nil
}

// fileURL returns the URL of a file.
func fileURL(name string) (*url.URL, error) {
	file, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "file", Path: filepath.ToSlash(file)}, nil
}

// mergedHeaders returns the headers of a message that several traits, or traits and the message,
// declare.
func (s schemas) mergedHeaders(parts []specfile.Value) (*headers, error) {
	value, err := merged(parts)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	node, faults := source.Parse("headers.json", text)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	compiled, err := s.compileMerged(parts, value)
	if err != nil {
		return nil, err
	}
	whole := parts[len(parts)-1]
	whole.Node, whole.Pointer = node, ""
	h := newHeaders(compiled, whole)
	for name := range h.texts {
		var declared []specfile.Value
		for _, p := range parts {
			if v := p.Get("properties", name); v.Ok() {
				declared = append(declared, v)
			}
		}
		if len(declared) == 1 {
			h.texts[name] = declared[0] // it may be a reference
		}
	}
	return h, nil
}

// compileMerged compiles the schema that was merged of parts. Messages with the same traits, and no
// headers of their own, share it: a resource can be added under its name once.
func (s schemas) compileMerged(parts []specfile.Value, value any) (*jsonschema.Schema, error) {
	at := "merged:///"
	for _, p := range parts {
		at += url.QueryEscape(p.ID()) + "/"
	}
	if known := s.merged[at]; known != nil {
		return known, nil
	}
	if err := s.compiler.AddResource(at, value); err != nil {
		return nil, err
	}
	compiled, err := s.compiler.Compile(at)
	if err != nil {
		return nil, errors.New(oneLine(err))
	}
	s.merged[at] = compiled
	return compiled, nil
}
