package jsonschema

import (
	"path"
	"regexp"
	"strings"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// loader reads schemas, each node once.
type loader struct {
	deref    func(*source.Node) *source.Node
	diags    diag.List
	schemas  map[*source.Node]*schema
	order    []*schema // in the order they were met
	ids      map[string]*source.Node
	compiled map[*schema]*validator.Schema
}

// later are keywords of later drafts, which would be passed over in silence, and what to write
// instead.
var later = map[string]string{
	"prefixItems": "write items: [...]", "dependentRequired": "write dependencies", "dependentSchemas": "write dependencies",
	"unevaluatedProperties": "write additionalProperties where the properties are", "unevaluatedItems": "write additionalItems", "minContains": "", "maxContains": "",
	"$dynamicRef": "write $ref", "$recursiveRef": "write $ref",
}

// load reads the schema of a node; never nil. A fault is told, and the schema is then of no use.
func (l *loader) load(n *source.Node) *schema {
	if s, ok := l.schemas[n]; ok {
		return s
	}
	s := &schema{node: n}
	l.schemas[n] = s
	switch {
	case n.Is(source.Bool):
		b := n.Value == "true"
		s.bool = &b
		l.order = append(l.order, s)
	case !n.Is(source.Map):
		l.diags.ErrorHint(n.Pos, "a schema is an object, true or false", "a schema is expected, not %s", n.Kind)
	case n.Get("$ref").Is(source.String):
		l.reference(s)
	case n.Get("$ref") != nil:
		ref := n.Get("$ref")
		l.diags.ErrorHint(ref.Pos, "write $ref: '#/components/...', or a file", "$ref of a schema must be a string, not %s", ref.Kind)
		all := true
		s.bool = &all
	case n.Get("schemaFormat") != nil || n.Get("schema") != nil && len(n.Pairs) == 1:
		l.multiFormat(s)
	default:
		l.order = append(l.order, s)
		l.keywords(s)
	}
	return s
}

func (l *loader) reference(s *schema) {
	ref := s.node.Get("$ref")
	target := l.byID(ref.Value)
	if target == nil {
		if target = l.deref(s.node); target == nil {
			all := true // deref told what is wrong
			s.bool = &all
			return
		}
	}
	if !target.Is(source.Map) && !target.Is(source.Bool) {
		l.diags.ErrorHint(ref.Pos, "a schema is an object, true or false", "$ref %q leads to %s, where a schema is expected", ref.Value, target.Kind)
		all := true
		s.bool = &all
		return
	}
	if !l.link(s, l.load(target)) {
		return
	}
	at := s.final()
	at.target = true
	if at.key == "" {
		at.key = keyOf(ref.Value)
	}
}

// byID finds what a reference names by an $id, possibly with a pointer into it.
func (l *loader) byID(ref string) *source.Node {
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

// link makes a schema stand for another one.
func (l *loader) link(s, to *schema) bool {
	for at := to; at != nil; at = at.ref {
		if at == s {
			l.diags.Errorf(s.node.Pos, "this schema leads back to itself")
			all := true
			s.bool = &all
			return false
		}
	}
	s.ref = to
	return true
}

// keyOf is the name that a $ref ends with: the last step of its pointer, or the file.
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

// multiFormat reads {schemaFormat, schema} when the format is a JSON Schema, or is not said, of
// which parse warns.
func (l *loader) multiFormat(s *schema) {
	format, inner := s.node.Get("schemaFormat"), s.node.Get("schema")
	switch {
	case format != nil && !IsFormat(format.Str()):
		l.diags.ErrorHint(format.Pos, "a JSON Schema can refer to JSON Schemas only", "schemaFormat %q is no JSON Schema", format.Value)
	case inner == nil:
		l.diags.Errorf(s.node.Pos, "schemaFormat without schema")
	default:
		l.link(s, l.load(inner))
	}
}

// IsFormat tells whether a schemaFormat is one of JSON Schemas.
func IsFormat(schemaFormat string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(schemaFormat), ";")
	switch strings.TrimSpace(kind) {
	case "application/vnd.aai.asyncapi", "application/vnd.aai.asyncapi+json", "application/vnd.aai.asyncapi+yaml",
		"application/schema+json", "application/schema+yaml":
		return true
	}
	return false
}

func (l *loader) keywords(s *schema) {
	for _, p := range s.node.Pairs {
		if p.Key.Value == "$id" && p.Value.Is(source.String) && l.ids[p.Value.Value] == nil {
			l.ids[p.Value.Value] = s.node
		}
	}
	for _, p := range s.node.Pairs {
		if hint, ok := later[p.Key.Value]; ok {
			l.diags.ErrorHint(p.Key.Pos, hint, "%s is of a later draft than draft-07 and is not supported", p.Key.Value)
			continue
		}
		if p.Value.Is(source.Null) && p.Key.Value != "const" && p.Key.Value != "default" {
			continue // an empty line of YAML says nothing
		}
		switch {
		case l.annotation(s, p):
		case l.values(s, p), l.limit(s, p), l.texts(s, p), l.arrays(s, p), l.objects(s, p), l.combined(s, p):
			s.says = true
		case p.Key.Value == "nullable":
			l.diags.Warnf(p.Key.Pos, `write type: [string, "null"]`, "nullable is no keyword of JSON Schema and is ignored")
		}
	}
}

func (l *loader) want(p source.Pair, what string, kinds ...source.Kind) bool {
	for _, k := range kinds {
		if p.Value.Is(k) {
			return true
		}
	}
	l.diags.Errorf(p.Value.Pos, "%s must be %s, not %s", p.Key.Value, what, p.Value.Kind)
	return false
}

func (l *loader) annotation(s *schema, p source.Pair) bool {
	switch p.Key.Value {
	case "title":
		s.title = p.Value.Str()
	case "description":
		s.doc = p.Value.Str()
	case "default":
		s.fallback = p.Value
	case "examples":
		s.examples = p.Value.Items
	case "discriminator":
		s.discriminator = p.Value.Str()
		if p.Value.Is(source.Map) { // as OpenAPI has it
			s.discriminator, s.mapping = p.Value.Get("propertyName").Str(), p.Value.Get("mapping")
		}
	default:
		return false
	}
	return true
}

func (l *loader) values(s *schema, p source.Pair) bool {
	switch p.Key.Value {
	case "type":
		s.types = l.types(p.Value)
	case "enum":
		if l.want(p, "a list", source.Seq) {
			s.enum, s.isEnum = p.Value.Items, true
		}
	case "const":
		s.constant = p.Value
	default:
		return false
	}
	return true
}

func (l *loader) types(n *source.Node) jsonvalue.Kind {
	list := []*source.Node{n}
	if n.Is(source.Seq) {
		list = n.Items
		if len(list) == 0 {
			l.diags.ErrorHint(n.Pos, "leave type out where every value is meant", "a list of types names at least one")
		}
	}
	var out jsonvalue.Kind
	for _, t := range list {
		k, ok := typeNames[t.Value]
		if !ok && !t.Is(source.Null) {
			l.diags.ErrorHint(t.Pos, diag.OneOf("types", t.Value, []string{"string", "integer", "number", "boolean", "object", "array", "null"}), "there is no type %q", t.Value)
		}
		if t.Is(source.Null) { // type: [string, null] without quotes
			k = jsonvalue.Null
		}
		out |= k
	}
	return out
}

// limits are the keywords that hold a number.
var limits = map[string]bool{"minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true, "minLength": true, "maxLength": true,
	"minItems": true, "maxItems": true, "minProperties": true, "maxProperties": true}

// limit reads the keywords that hold a number.
func (l *loader) limit(s *schema, p source.Pair) bool {
	if !limits[p.Key.Value] {
		return false
	}
	numbers := map[string]**source.Node{"minimum": &s.min, "maximum": &s.max, "exclusiveMinimum": &s.above, "exclusiveMaximum": &s.below, "multipleOf": &s.multipleOf}
	counts := map[string]**source.Node{"minLength": &s.minLength, "maxLength": &s.maxLength, "minItems": &s.minItems, "maxItems": &s.maxItems,
		"minProperties": &s.minProperties, "maxProperties": &s.maxProperties}
	if at := numbers[p.Key.Value]; at != nil {
		s.nearNum = true
		switch {
		case p.Value.Is(source.Bool):
			l.diags.ErrorHint(p.Value.Pos, "since draft-06 it is the bound itself", "%s must be a number", p.Key.Value)
		case !l.want(p, "a number", source.Int, source.Float):
		case p.Key.Value == "multipleOf" && (strings.HasPrefix(p.Value.Value, "-") || strings.Trim(p.Value.Value, "0.") == ""):
			l.diags.Errorf(p.Value.Pos, "multipleOf must be above 0")
		default:
			*at = p.Value
		}
		return true
	}
	switch {
	case strings.HasSuffix(p.Key.Value, "Length"):
		s.nearText = true
	case strings.HasSuffix(p.Key.Value, "Items"):
		s.nearArray = true
	default:
		s.nearObject = true
	}
	value := *p.Value
	// 2.0
	if whole, zeros, ok := strings.Cut(value.Value, "."); ok && value.Is(source.Float) && strings.Trim(zeros, "0") == "" {
		value.Kind, value.Value = source.Int, whole
	}
	if n, ok := value.Int(); !ok || n < 0 {
		l.diags.Errorf(p.Value.Pos, "%s must be an integer of at least 0", p.Key.Value)
	} else {
		*counts[p.Key.Value] = &value
	}
	return true
}

func (l *loader) texts(s *schema, p source.Pair) bool {
	switch p.Key.Value {
	case "format":
		s.format = p.Value.Str()
	case "contentEncoding":
		s.base64 = strings.EqualFold(p.Value.Str(), "base64")
		s.nearText = true
	case "pattern":
		s.nearText = true
		if l.want(p, "a text", source.String) && l.compiles(p.Value) {
			s.pattern = p.Value
		}
	default:
		return false
	}
	return true
}

// compiles tells whether Go can check a pattern.
func (l *loader) compiles(n *source.Node) bool {
	_, err := regexp.Compile(n.Value)
	if err != nil {
		l.diags.Warnf(n.Pos, "Go's regular expressions have neither look-around nor back references", "the pattern is not checked: %v", err)
	}
	return err == nil
}

func (l *loader) arrays(s *schema, p source.Pair) bool {
	switch p.Key.Value {
	case "items":
		if s.isTuple = p.Value.Is(source.Seq); s.isTuple {
			s.tuple = l.list(p)
		} else {
			s.items = l.load(p.Value)
		}
	case "additionalItems":
		s.additionalItems = l.load(p.Value)
	case "contains":
		s.contains = l.load(p.Value)
	case "uniqueItems":
		s.unique = p.Value.Is(source.Bool) && p.Value.Value == "true"
	default:
		return false
	}
	s.nearArray = true
	return true
}

func (l *loader) list(p source.Pair) []*schema {
	if !l.want(p, "a list", source.Seq) {
		return nil
	}
	var out []*schema
	for _, n := range p.Value.Items {
		out = append(out, l.load(n))
	}
	return out
}

func (l *loader) objects(s *schema, p source.Pair) bool {
	switch p.Key.Value {
	case "properties":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				s.props = append(s.props, property{m.Key.Value, m.Key.Pos, l.load(m.Value)})
			}
		}
	case "patternProperties":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				if _, err := regexp.Compile(m.Key.Value); err != nil {
					l.diags.ErrorHint(m.Key.Pos, "Go's regular expressions have neither look-around nor back references", "this pattern cannot be checked: %v", err)
				}
				s.patterns = append(s.patterns, patternProps{m.Key, l.load(m.Value)})
			}
		}
	case "additionalProperties":
		s.additional = l.load(p.Value)
	case "propertyNames":
		s.propertyNames = l.load(p.Value)
	case "required":
		if p.Value.Is(source.Bool) {
			l.diags.ErrorHint(p.Value.Pos, "list the name under required of the object", "required must be a list of names")
		} else if l.want(p, "a list of names", source.Seq) {
			s.required = p.Value.Items
		}
	case "dependencies":
		if l.want(p, "an object", source.Map) {
			for _, m := range p.Value.Pairs {
				d := dependency{name: m.Key.Value}
				if m.Value.Is(source.Seq) {
					d.names = m.Value.Items
				} else {
					d.schema = l.load(m.Value)
				}
				s.dependencies = append(s.dependencies, d)
			}
		}
	default:
		return false
	}
	s.nearObject = true
	return true
}

func (l *loader) combined(s *schema, p source.Pair) bool {
	if len(p.Key.Value) > 5 {
		return false // longer than all of these
	}
	one := map[string]**schema{"not": &s.not, "if": &s.cond, "then": &s.then, "else": &s.otherwise}
	many := map[string]*[]*schema{"allOf": &s.allOf, "anyOf": &s.anyOf, "oneOf": &s.oneOf}
	if at := one[p.Key.Value]; at != nil {
		*at = l.load(p.Value)
		return true
	}
	if at := many[p.Key.Value]; at != nil {
		if *at = l.list(p); len(*at) == 0 && p.Value.Is(source.Seq) {
			l.diags.Errorf(p.Value.Pos, "%s must have an item", p.Key.Value)
		}
		return true
	}
	return false
}

// findIDs notes the $id of every schema in a tree, so that a $ref can name one before it is met.
func (l *loader) findIDs(n *source.Node, depth int) {
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
