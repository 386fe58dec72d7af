package shape

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
)

// GoType returns the Go type of a shape. The qualifier is put before the names of declared types.
func GoType(s *Shape, qualifier string) string {
	switch s.Form {
	case Never:
		return "jsonvalue.Never"
	case Null:
		return "struct{}"
	case Basic:
		return s.Scalar.GoType
	case Nullable:
		if Nilable(s.Elem) {
			return GoType(s.Elem, qualifier)
		}
		return "*" + GoType(s.Elem, qualifier)
	case List:
		return "[]" + GoType(s.Elem, qualifier)
	case Map:
		return "map[string]" + GoType(s.Elem, qualifier)
	case Declared:
		return qualifier + s.Decl.Name
	}
	return "jsonvalue.Any"
}

// Nilable reports whether nil of the Go type can stand for null or for an absent value.
func Nilable(s *Shape) bool {
	switch s.Form {
	case List, Map:
		return true
	case Basic:
		return s.Scalar == bytesScalar
	case Declared:
		return s.Decl.Form == Union
	}
	return false
}

// GoType returns the Go type of the field.
func (f *Field) GoType(qualifier string) string {
	t := GoType(f.Shape, qualifier)
	switch {
	case !f.Optional:
		return t
	case f.Shape.Form == Nullable:
		return "jsonvalue.Optional[" + t + "]"
	case Nilable(f.Shape):
		return t
	}
	return "*" + t
}

// Present returns the condition that an optional field x has a value, and the expression of the
// value.
func (f *Field) Present(x string) (cond, value string) {
	switch {
	case f.Shape.Form == Nullable:
		return x + ".Set", x + ".Value"
	case Nilable(f.Shape):
		return x + " != nil", x
	}
	return x + " != nil", "*" + x
}

// HasCodec reports whether the type is a struct with methods that encode and decode it.
func (d *Decl) HasCodec() bool { return d.Form == Struct || d.Form == Tuple || d.Form == Wrapper }

// Member returns the Go type that implements the interface for the branch.
func (b *Branch) Member() string {
	switch {
	case b.Wrapper != "":
		return b.Wrapper
	case b.Shape.Decl.HasCodec():
		return "*" + b.Shape.Decl.Name
	}
	return b.Shape.Decl.Name
}

// Kind returns the kind of the values as the field Kind of package jsonschema's Field has it.
func (s *Shape) Kind() string {
	switch s.Form {
	case Basic:
		return s.Scalar.kind
	case Null:
		return "null"
	case List:
		return "array"
	case Map:
		return "map"
	case Declared:
		switch s.Decl.Form {
		case Struct:
			return "object"
		case Tuple:
			return "array"
		case Union:
			return "union"
		case TextEnum:
			return "enum"
		case IntEnum:
			return "integer"
		case ValueEnum:
			return "any"
		}
		return s.Decl.Value.Kind()
	}
	return "any"
}

// Checks reports whether a schema is one of those that the values of the type conform to.
func (d *Decl) Checks(s *schema.Schema) bool {
	return slices.ContainsFunc(d.Whole(), func(at Part) bool { return at.Schema == s && at.Skip == "" })
}

// Whole returns the parts without those of which a group is skipped in another part.
func (d *Decl) Whole() []Part {
	return slices.DeleteFunc(slices.Clone(d.Parts), func(at Part) bool {
		return at.Schema != nil && at.Skip == "" && slices.ContainsFunc(d.Parts, func(o Part) bool { return o.Schema == at.Schema && o.Skip != "" })
	})
}

// Always reports whether a struct always has a member.
func (d *Decl) Always(name string) bool {
	return slices.ContainsFunc(d.Fields, func(f *Field) bool { return f.Name == name && !f.Optional })
}

// Field returns the field of a member, or nil.
func (d *Decl) Field(name string) *Field {
	for _, f := range d.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}
