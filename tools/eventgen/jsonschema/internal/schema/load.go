package schema

import (
	"path"
	"regexp"
	"slices"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/schemaformat"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Loader reads schemas, each node once.
type Loader struct {
	deref    func(*source.Node) *source.Node
	Diags    diag.List
	schemas  map[*source.Node]*Schema
	Order    []*Schema // in the order in which they were read
	ids      map[string]*source.Node
	compiled map[*Schema]*validator.Schema
	openAPI  bool // the schema that is being read is in OpenAPI's format

	// returns the roots of the files in which the subtypes of a schema in a file are looked for
	roots    func(file string) []*source.Node
	families map[*source.Node]*family
	origin   map[*source.Node]*source.Node // of the nodes of a family
	commonOf map[*source.Node]string       // the name of a family, by what is common
}

// NewLoader returns a loader. deref follows the references of a node; if they lead nowhere it
// reports the fault itself and returns nil. roots returns the roots of the files in which the
// subtypes of a schema in a file are looked for; it may be nil.
func NewLoader(deref func(*source.Node) *source.Node, roots func(file string) []*source.Node) *Loader {
	return &Loader{deref: deref, schemas: map[*source.Node]*Schema{}, ids: map[string]*source.Node{}, compiled: map[*Schema]*validator.Schema{},
		roots: roots, families: map[*source.Node]*family{}, origin: map[*source.Node]*source.Node{}, commonOf: map[*source.Node]string{}}
}

// Root reads the schema of a payload in a schemaFormat.
func (l *Loader) Root(n *source.Node, schemaFormat string) *Schema {
	l.findIDs(n, 0)
	l.openAPI = schemaformat.Of(schemaFormat) == schemaformat.OpenAPI
	at := l.load(n).Alias()
	at.Target = true
	return at
}

// later are the keywords of later drafts with the hint of what to write instead. They are refused,
// not ignored.
var later = map[string]string{
	"prefixItems": "write items: [...], and additionalItems for the items after those", "dependentRequired": "write dependencies", "dependentSchemas": "write dependencies",
	"unevaluatedProperties": "write additionalProperties where the properties are", "unevaluatedItems": "write additionalItems", "minContains": "", "maxContains": "",
	"$dynamicRef": "write $ref", "$recursiveRef": "write $ref",
}

// load returns the schema of a node. It is never nil; after a fault, which is added to Diags, it is
// not to be used.
func (l *Loader) load(n *source.Node) *Schema {
	if s, ok := l.schemas[n]; ok {
		return s
	}
	s := &Schema{Node: n}
	l.schemas[n] = s
	if name, ok := l.commonOf[n]; ok {
		s.Key, s.Target = name+"Base", true
	}
	if n.Is(source.Map) {
		n = l.inFamily(n)
		s.Node, l.schemas[n] = n, s
	}
	switch {
	case !n.Is(source.Map):
	case l.openAPI:
		n = l.otherDrafts(fromOpenAPI(n))
	default:
		n = l.otherDrafts(n)
	}
	s.Node, l.schemas[n] = n, s
	switch {
	case n.Is(source.Bool):
		b := n.Value == "true"
		s.Bool = &b
		l.Order = append(l.Order, s)
	case !n.Is(source.Map):
		l.Diags.ErrorHint(n.Pos, "a schema is an object, true or false", "a schema is expected, not %s", n.Kind)
	case n.Get("$ref").Is(source.String):
		l.reference(s)
	case n.Get("$ref") != nil:
		ref := n.Get("$ref")
		l.Diags.ErrorHint(ref.Pos, "write $ref: '#/components/...', or a file", "$ref of a schema must be a string, not %s", ref.Kind)
		all := true
		s.Bool = &all
	case n.Get("schemaFormat") != nil || n.Get("schema") != nil && len(n.Pairs) == 1:
		l.multiFormat(s)
	default:
		l.Order = append(l.Order, s)
		l.keywords(s)
		if at := s.Node.Get("discriminator"); at != nil && len(s.OneOf)+len(s.AnyOf) == 0 {
			l.Diags.Warnf(at.Pos, "list its subtypes in oneOf, or refer to it in the allOf of each", "the discriminator is ignored, because the schema has no subtypes")
		}
	}
	return s
}

func (l *Loader) reference(s *Schema) {
	ref := s.Node.Get("$ref")
	target := l.byID(ref.Value)
	if target == nil {
		if target = l.deref(s.Node); target == nil {
			all := true // deref reported the fault
			s.Bool = &all
			return
		}
	}
	if !target.Is(source.Map) && !target.Is(source.Bool) {
		l.Diags.ErrorHint(ref.Pos, "a schema is an object, true or false", "$ref %q leads to %s, where a schema is expected", ref.Value, target.Kind)
		all := true
		s.Bool = &all
		return
	}
	if !l.link(s, l.load(target)) {
		return
	}
	at := s.Final()
	at.Target = true
	if at.Key == "" {
		at.Key = keyOf(ref.Value)
	}
}

// byID returns the node that a reference names by an $id, possibly followed by a pointer.
func (l *Loader) byID(ref string) *source.Node {
	if n := l.ids[ref]; n != nil {
		return n
	}
	id, pointer, _ := strings.Cut(ref, "#")
	n := l.ids[id]
	if n == nil || pointer != "" && !strings.HasPrefix(pointer, "/") {
		return nil
	}
	found, _, _ := n.Lookup(pointer)
	return found
}

// link makes s a reference to another schema. It returns false if that leads back to s.
func (l *Loader) link(s, to *Schema) bool {
	for at := to; at != nil; at = at.ref {
		if at == s {
			l.Diags.Errorf(s.Node.Pos, "this schema refers to itself")
			all := true
			s.Bool = &all
			return false
		}
	}
	s.ref = to
	return true
}

// keyOf returns the name that a $ref ends with: the last step of its pointer, or its file.
func keyOf(ref string) string {
	file, pointer, _ := strings.Cut(ref, "#")
	step := pointer[strings.LastIndex(pointer, "/")+1:]
	if step != "" && strings.Trim(step, "0123456789") != "" && step != "schema" && step != "payload" {
		return source.Unescape(step)
	}
	base := path.Base(file)
	if file == "" {
		return ""
	}
	base = strings.TrimSuffix(base, path.Ext(base))
	return strings.TrimSuffix(strings.TrimSuffix(base, ".schema"), ".json")
}

// multiFormat reads {schemaFormat, schema}. The format must be that of a JSON Schema; without one
// parse adds a warning.
func (l *Loader) multiFormat(s *Schema) {
	format, inner := s.Node.Get("schemaFormat"), s.Node.Get("schema")
	switch {
	case format != nil && !schemaformat.Of(format.Str()).IsJSONSchema():
		l.Diags.ErrorHint(format.Pos, "a JSON Schema can refer to JSON Schemas only", "schemaFormat %q is not a JSON Schema", format.Value)
	case inner == nil:
		l.Diags.Errorf(s.Node.Pos, "schemaFormat without schema")
	default:
		outer := l.openAPI
		l.openAPI = schemaformat.Of(format.Str()) == schemaformat.OpenAPI
		l.link(s, l.load(inner))
		l.openAPI = outer
	}
}

func (l *Loader) keywords(s *Schema) {
	for _, p := range s.Node.Pairs {
		if p.Key.Value == "$id" && p.Value.Is(source.String) && l.ids[p.Value.Value] == nil {
			l.ids[p.Value.Value] = s.Node
		}
	}
	for _, p := range s.Node.Pairs {
		if hint, ok := later[p.Key.Value]; ok {
			l.Diags.ErrorHint(p.Key.Pos, hint, "%s belongs to a later draft than draft-07 and is not supported", p.Key.Value)
			continue
		}
		if p.Value.Is(source.Null) && p.Key.Value != "const" && p.Key.Value != "default" {
			continue // a key of YAML without a value
		}
		switch {
		case l.annotation(s, p):
		case l.values(s, p), l.limit(s, p), l.texts(s, p), l.arrays(s, p), l.objects(s, p), l.combined(s, p):
			s.says = true
		case p.Key.Value == "nullable":
			l.Diags.Warnf(p.Key.Pos, `write type: [string, "null"]`, "nullable is not a keyword of JSON Schema and is ignored")
		}
	}
}

func (l *Loader) want(p source.Pair, what string, kinds ...source.Kind) bool {
	for _, k := range kinds {
		if p.Value.Is(k) {
			return true
		}
	}
	l.Diags.Errorf(p.Value.Pos, "%s must be %s, not %s", p.Key.Value, what, p.Value.Kind)
	return false
}

func (l *Loader) annotation(s *Schema, p source.Pair) bool {
	switch p.Key.Value {
	case "title":
		s.Title = p.Value.Str()
	case "description":
		s.Doc = p.Value.Str()
	case "default":
		s.Default = p.Value
	case "examples":
		s.Examples = p.Value.Items
	case "discriminator":
		s.Discriminator = p.Value.Str()
		if p.Value.Is(source.Map) { // as OpenAPI has it
			s.Discriminator, s.mapping = p.Value.Get("propertyName").Str(), p.Value.Get("mapping")
		}
	default:
		return false
	}
	return true
}

func (l *Loader) values(s *Schema, p source.Pair) bool {
	switch p.Key.Value {
	case "type":
		s.Types = l.types(p.Value)
	case "enum":
		if l.want(p, "a list", source.Seq) {
			s.Enum, s.IsEnum = p.Value.Items, true
		}
	case "const":
		s.Constant = p.Value
	default:
		return false
	}
	return true
}

func (l *Loader) types(n *source.Node) jsonvalue.Kind {
	list := []*source.Node{n}
	if n.Is(source.Seq) {
		list = n.Items
		if len(list) == 0 {
			l.Diags.ErrorHint(n.Pos, "leave out type to allow every value", "a list of types must have an item")
		}
	}
	var out jsonvalue.Kind
	for _, t := range list {
		k, ok := typeNames[t.Value]
		if !ok && !t.Is(source.Null) {
			l.Diags.ErrorHint(t.Pos, diag.OneOf("types", t.Value, []string{"string", "integer", "number", "boolean", "object", "array", "null"}), "there is no type %q", t.Value)
		}
		if t.Is(source.Null) { // type: [string, null] without quotes
			k = jsonvalue.Null
		}
		out |= k
	}
	return out
}

// limits are the keywords whose value is a number.
var limits = map[string]bool{"minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true, "minLength": true, "maxLength": true,
	"minItems": true, "maxItems": true, "minProperties": true, "maxProperties": true}

// limit reads a keyword whose value is a number.
func (l *Loader) limit(s *Schema, p source.Pair) bool {
	if !limits[p.Key.Value] {
		return false
	}
	numbers := map[string]**source.Node{"minimum": &s.Min, "maximum": &s.Max, "exclusiveMinimum": &s.Above, "exclusiveMaximum": &s.Below, "multipleOf": &s.MultipleOf}
	counts := map[string]**source.Node{"minLength": &s.MinLength, "maxLength": &s.MaxLength, "minItems": &s.MinItems, "maxItems": &s.MaxItems,
		"minProperties": &s.MinProperties, "maxProperties": &s.MaxProperties}
	if at := numbers[p.Key.Value]; at != nil {
		s.ForNumbers = true
		switch {
		case p.Value.Is(source.Bool):
			l.Diags.ErrorHint(p.Value.Pos, "since draft-06 it is the bound itself, not a flag of another bound, which is missing here", "%s must be a number", p.Key.Value)
		case !l.want(p, "a number", source.Int, source.Float):
		case p.Key.Value == "multipleOf" && (strings.HasPrefix(p.Value.Value, "-") || strings.Trim(p.Value.Value, "0.") == ""):
			l.Diags.Errorf(p.Value.Pos, "multipleOf must be greater than 0")
		default:
			*at = p.Value
		}
		return true
	}
	switch {
	case strings.HasSuffix(p.Key.Value, "Length"):
		s.ForStrings = true
	case strings.HasSuffix(p.Key.Value, "Items"):
		s.ForArrays = true
	default:
		s.ForObjects = true
	}
	value := *p.Value
	// 2.0 is the integer 2
	if whole, zeros, ok := strings.Cut(value.Value, "."); ok && value.Is(source.Float) && strings.Trim(zeros, "0") == "" {
		value.Kind, value.Value = source.Int, whole
	}
	if n, ok := value.Int(); !ok || n < 0 {
		l.Diags.Errorf(p.Value.Pos, "%s must be an integer that is not negative", p.Key.Value)
	} else {
		*counts[p.Key.Value] = &value
	}
	return true
}

func (l *Loader) texts(s *Schema, p source.Pair) bool {
	switch p.Key.Value {
	case "format":
		s.Format = p.Value.Str()
	case "contentEncoding":
		s.Base64 = strings.EqualFold(p.Value.Str(), "base64")
		s.ForStrings = true
	case "pattern":
		s.ForStrings = true
		if l.want(p, "a string", source.String) && l.compiles(p.Value) {
			s.Pattern = p.Value
		}
	default:
		return false
	}
	return true
}

// compiles reports whether Go can compile a pattern, and adds a warning if it cannot.
func (l *Loader) compiles(n *source.Node) bool {
	_, err := regexp.Compile(n.Value)
	if err != nil {
		l.Diags.Warnf(n.Pos, "Go's regular expressions have no look-around and no back references", "the pattern is not checked: %v", err)
	}
	return err == nil
}

func (l *Loader) arrays(s *Schema, p source.Pair) bool {
	switch p.Key.Value {
	case "items":
		if s.IsTuple = p.Value.Is(source.Seq); s.IsTuple {
			s.Tuple = l.list(p)
		} else {
			s.Items = l.load(p.Value)
		}
	case "additionalItems":
		s.AdditionalItems = l.load(p.Value)
	case "contains":
		s.Contains = l.load(p.Value)
	case "uniqueItems":
		s.Unique = p.Value.Is(source.Bool) && p.Value.Value == "true"
	default:
		return false
	}
	s.ForArrays = true
	return true
}

func (l *Loader) list(p source.Pair) []*Schema {
	if !l.want(p, "a list", source.Seq) {
		return nil
	}
	var out []*Schema
	for _, n := range p.Value.Items {
		out = append(out, l.load(n))
	}
	return out
}

func (l *Loader) objects(s *Schema, p source.Pair) bool {
	switch p.Key.Value {
	case "properties":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				s.Properties = append(s.Properties, Property{m.Key.Value, m.Key.Pos, l.load(m.Value)})
			}
		}
	case "patternProperties":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				if _, err := regexp.Compile(m.Key.Value); err != nil {
					l.Diags.ErrorHint(m.Key.Pos, "Go's regular expressions have no look-around and no back references", "this pattern cannot be checked: %v", err)
				}
				s.Patterns = append(s.Patterns, PatternProperty{m.Key, l.load(m.Value)})
			}
		}
	case "additionalProperties":
		s.Additional = l.load(p.Value)
	case "propertyNames":
		s.PropertyNames = l.load(p.Value)
	case "required":
		if p.Value.Is(source.Bool) {
			l.Diags.ErrorHint(p.Value.Pos, "list the name in required of the object", "required must be a list of names, not a boolean")
		} else if l.want(p, "a list of names", source.Seq) {
			s.Required = p.Value.Items
		}
	case "dependencies":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				d := Dependency{Name: m.Key.Value}
				if m.Value.Is(source.Seq) {
					d.Names = m.Value.Items
				} else {
					d.Schema = l.load(m.Value)
				}
				s.Dependencies = append(s.Dependencies, d)
			}
		}
	default:
		return false
	}
	s.ForObjects = true
	return true
}

func (l *Loader) combined(s *Schema, p source.Pair) bool {
	if len(p.Key.Value) > 5 {
		return false // longer than each of them
	}
	one := map[string]**Schema{"not": &s.Not, "if": &s.If, "then": &s.Then, "else": &s.Else}
	many := map[string]*[]*Schema{"allOf": &s.AllOf, "anyOf": &s.AnyOf, "oneOf": &s.OneOf}
	if at := one[p.Key.Value]; at != nil {
		*at = l.load(p.Value)
		return true
	}
	if at := many[p.Key.Value]; at != nil {
		if *at = l.list(p); len(*at) == 0 && p.Value.Is(source.Seq) {
			l.Diags.Errorf(p.Value.Pos, "%s must have an item", p.Key.Value)
		}
		return true
	}
	return false
}

// findIDs records the $id of every schema in a tree, so that a $ref can name a schema that is read
// later.
func (l *Loader) findIDs(n *source.Node, depth int) {
	if n == nil || depth > 100 {
		return
	}
	if id := n.Get("$id").Str(); id != "" && l.ids[id] == nil {
		l.ids[id] = n
	}
	for _, p := range n.Pairs {
		l.findIDs(p.Value, depth+1)
	}
	for _, it := range n.Items {
		l.findIDs(it, depth+1)
	}
}

// CheckCycles refuses schemas that contain themselves without going into a part of the value:
// checking a value against them would not end.
func (l *Loader) CheckCycles() {
	state := map[*Schema]int{} // 1: being visited, 2: visited
	var visit func(at *Schema)
	visit = func(at *Schema) {
		at = at.Final()
		if at == nil || state[at] == 2 {
			return
		}
		if state[at] == 1 {
			l.Diags.ErrorHint(at.Node.Pos, "refer to it from a property or an item", "this schema contains itself: no value can be checked against it")
			return
		}
		state[at] = 1
		for _, next := range at.inPlace() {
			visit(next)
		}
		state[at] = 2
	}
	for _, at := range l.Order {
		visit(at)
	}
}

// inPlace returns the schemas inside s that apply to the same value as s.
func (s *Schema) inPlace() []*Schema {
	out := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, []*Schema{s.Not, s.If, s.Then, s.Else})
	for _, d := range s.Dependencies {
		out = append(out, d.Schema)
	}
	return slices.DeleteFunc(out, func(o *Schema) bool { return o == nil })
}
