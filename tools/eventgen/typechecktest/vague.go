package typechecktest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Vague returns the types that are less specific than their schemas: any and interface{}
// everywhere, and jsonvalue.Any, struct{} and structs without fields where the schema in the
// generated code is more specific.
func (c *Code) Vague() []string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(c.packages)) {
		v := &vagueness{schemas: schemasOf(c.packages[p])}
		for _, f := range c.packages[p] {
			ast.Inspect(f, func(n ast.Node) bool {
				for _, what := range v.look(n) {
					out = append(out, fmt.Sprintf("%s (%s): %s", c.fset.Position(n.Pos()), p, what))
				}
				return true
			})
		}
	}
	return out
}

// vagueness finds the vague types of a package.
type vagueness struct{ schemas *texts }

// texts are the schemas in a package.
type texts struct {
	// by the Go names of types: the schemas of payloads and those under definitions
	types map[string][]any
	props map[string][]any // by the names of properties, of all objects
}

func schemasOf(files []*ast.File) *texts {
	t := &texts{types: map[string][]any{}, props: map[string][]any{}}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || len(s.Names) != len(s.Values) {
				return true
			}
			for i, name := range s.Names {
				lit, ok := s.Values[i].(*ast.BasicLit)
				typ, isSchema := strings.CutPrefix(name.Name, "SchemaOf")
				if !ok || !isSchema || lit.Kind != token.STRING {
					continue
				}
				text, err := strconv.Unquote(lit.Value)
				var schema any
				if err == nil && json.Unmarshal([]byte(text), &schema) == nil {
					t.types[typ] = append(t.types[typ], schema)
					t.gather(schema)
				}
			}
			return true
		})
	}
	return t
}

// gather records the properties and definitions in a schema.
func (t *texts) gather(at any) {
	switch at := at.(type) {
	case []any:
		for _, it := range at {
			t.gather(it)
		}
	case map[string]any:
		props, _ := at["properties"].(map[string]any)
		required, _ := at["required"].([]any)
		for _, r := range required {
			if name := fmt.Sprint(r); props[name] == nil {
				t.props[name] = append(t.props[name], true) // it must be present, with any value
			}
		}
		for key, v := range at {
			members, _ := v.(map[string]any)
			for name, s := range members {
				switch key {
				case "properties":
					t.props[name] = append(t.props[name], s)
				case "definitions":
					t.types[name] = append(t.types[name], s)
				}
			}
			t.gather(v)
		}
	}
}

// of returns the schemas of a Go type: those with its name, and those whose name its name ends
// with, because the name of the enclosing type can precede that of a definition.
func (t *texts) of(goName string) []any {
	var all []any
	for name, schemas := range t.types {
		if strings.HasSuffix(goName, name) {
			all = append(all, schemas...)
		}
	}
	return all
}

// look returns what is wrong with a node.
func (v *vagueness) look(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.Ident:
		if n.Name == "any" {
			return []string{"any"}
		}
	case *ast.InterfaceType:
		if len(n.Methods.List) == 0 {
			return []string{"interface{}"}
		}
	case *ast.TypeSpec:
		return v.typeSpec(n)
	}
	return nil
}

func (v *vagueness) typeSpec(s *ast.TypeSpec) []string {
	t, ok := s.Type.(*ast.StructType)
	if !ok {
		if vague(s.Type) && !v.fits(s.Type, v.schemas.of(s.Name.Name)) {
			return []string{s.Name.Name + " is less specific than its schema"}
		}
		return nil
	}
	if len(t.Fields.List) == 0 {
		for _, schema := range v.schemas.types[s.Name.Name] {
			if v.described(schema) {
				return []string{s.Name.Name + " has no fields, but its schema has"}
			}
		}
	}
	var out []string
	for _, f := range t.Fields.List {
		if !vague(f.Type) || len(f.Names) == 0 {
			continue
		}
		name := ""
		if f.Tag != nil {
			tag, _ := strconv.Unquote(f.Tag.Value)
			name, _, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		}
		if name == "-" || f.Tag == nil && f.Names[0].Name != "Value" {
			continue // members without a name in the schema, or with one that no tag can have
		}
		schemas := v.schemas.props[name]
		if f.Names[0].Name == "Value" { // of a payload that is not an object
			schemas = append(slices.Clone(schemas), v.schemas.of(s.Name.Name)...)
		}
		if !v.fits(f.Type, schemas) {
			out = append(out, s.Name.Name+"."+f.Names[0].Name+" is less specific than its schema")
		}
	}
	return out
}

// vague reports whether a type has a part that can have any value.
func vague(t ast.Expr) bool {
	found := false
	ast.Inspect(t, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		found = found || ok && sel.Sel.Name == "Any"
		s, ok := n.(*ast.StructType)
		found = found || ok && len(s.Fields.List) == 0
		return true
	})
	return found
}

// fits reports whether one of the schemas is no more specific than a type.
func (v *vagueness) fits(t ast.Expr, schemas []any) bool {
	for _, s := range schemas {
		if v.fit(t, s, 0) {
			return true
		}
	}
	return false
}

func (v *vagueness) fit(t ast.Expr, schema any, depth int) bool {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok && depth < 9 {
		for _, to := range v.schemas.types[ref[strings.LastIndex(ref, "/")+1:]] {
			if v.fit(t, to, depth+1) {
				return true
			}
		}
		return false
	}
	switch t := t.(type) {
	case *ast.StarExpr:
		return v.fit(t.X, schema, depth)
	case *ast.IndexExpr: // jsonvalue.Optional
		return v.fit(t.Index, schema, depth)
	case *ast.ArrayType:
		return s["items"] == nil || v.fit(t.Elt, s["items"], depth)
	case *ast.MapType:
		props, _ := s["properties"].(map[string]any)
		return len(props) == 0 && s["patternProperties"] == nil && (s["additionalProperties"] == nil || v.fit(t.Value, s["additionalProperties"], depth))
	case *ast.StructType:
		return s["type"] == "null"
	case *ast.SelectorExpr:
		return schema == true || s != nil && !says(s)
	}
	return false
}

// says reports whether a schema has a keyword that determines the type of a value. Format and
// pattern do not, because values that are not strings conform to them.
func says(s map[string]any) bool {
	for _, key := range []string{"type", "enum", "const", "properties", "items", "allOf", "oneOf", "anyOf", "patternProperties"} {
		if s[key] != nil {
			return true
		}
	}
	return false
}

// described reports whether a schema has a field with more than one possible value.
func (v *vagueness) described(schema any) bool {
	s, _ := schema.(map[string]any)
	if fields, ok := s["fields"].([]any); ok && s["type"] == "record" {
		return len(fields) > 0
	}
	props, _ := s["properties"].(map[string]any)
	for _, p := range props {
		one, _ := p.(map[string]any)
		if ref, ok := one["$ref"].(string); ok {
			if to := v.schemas.types[ref[strings.LastIndex(ref, "/")+1:]]; len(to) > 0 {
				one, _ = to[0].(map[string]any)
			}
		}
		enum, _ := one["enum"].([]any)
		if one["type"] == "string" {
			enum = slices.DeleteFunc(slices.Clone(enum), func(value any) bool { _, text := value.(string); return !text })
		}
		if _, ok := one["const"]; !ok && len(enum) != 1 {
			return true
		}
	}
	return false
}
