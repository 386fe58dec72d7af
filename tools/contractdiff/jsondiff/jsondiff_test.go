package jsondiff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// read returns a schema in flow style. References lead to its definitions.
func read(t *testing.T, text string) Schema {
	t.Helper()
	n, ds := source.Parse("s.yaml", []byte(text))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	var s Schema
	s.Node = n
	s.Deref = func(at *source.Node) *source.Node {
		if ref := at.Get("$ref").Str(); ref != "" {
			found, _, _ := n.Lookup(strings.TrimPrefix(ref, "#"))
			return found
		}
		return at
	}
	return s
}

// TestCompare compares a former version with a new one, of values that the application sends: what
// readers of the former version do not accept is breaking.
func TestCompare(t *testing.T) {
	object := func(properties, more string) string {
		return "{type: object, properties: {" + properties + "}" + more + "}"
	}
	for name, c := range map[string]struct{ former, next, want string }{
		"the same":                       {object("a: {type: string}", ""), object("a: {type: string}", ""), ""},
		"annotations":                    {"{type: string}", "{type: string, title: T, description: D, examples: [x], x-y: 1}", ""},
		"moved into definitions":         {object("a: {type: string}", ""), object("a: {$ref: '#/definitions/A'}", ", definitions: {A: {type: string}}"), ""},
		"wrapped in allOf":               {object("a: {type: string}", ""), "{allOf: [{type: object}, {properties: {a: {type: string}}}]}", ""},
		"another order":                  {object("a: {type: string}, b: {type: integer}", ", required: [a, b]"), object("b: {type: integer}, a: {type: string}", ", required: [b, a]"), ""},
		"an optional property":           {object("a: {type: string}", ""), object("a: {type: string}, b: {type: string}", ""), ""},
		"a property of a closed object":  {object("a: {type: string}", ", additionalProperties: false"), object("a: {type: string}, b: {type: string}", ", additionalProperties: false"), "warning " + Closed},
		"a required property":            {object("a: {type: string}", ""), object("a: {type: string}", ", required: [a]"), "warning " + Required},
		"no longer required":             {object("a: {type: string}", ", required: [a]"), object("a: {type: string}", ""), "breaking " + Required},
		"a required property is gone":    {object("a: {type: string}", ", required: [a]"), object("", ""), "breaking " + Required},
		"another type":                   {"{type: string}", "{type: integer}", "breaking " + Type + ", warning " + Type},
		"integer to number":              {"{type: integer}", "{type: number}", "breaking " + Type},
		"nullable":                       {"{type: string}", "{type: [string, 'null']}", "breaking " + Type},
		"no type":                        {"{type: string}", "{}", "breaking " + Type},
		"a value of an enum":             {"{enum: [A, B]}", "{enum: [A, B, C]}", "breaking " + Enum},
		"a value of an enum is gone":     {"{enum: [A, B]}", "{enum: [A]}", "warning " + Enum},
		"another constant":               {"{const: A}", "{const: B}", "breaking " + Enum + ", warning " + Enum},
		"longer texts":                   {"{type: string, maxLength: 5}", "{type: string, maxLength: 9}", "breaking " + Limit},
		"shorter texts":                  {"{type: string, maxLength: 9}", "{type: string, maxLength: 5}", "warning " + Limit},
		"smaller numbers":                {"{type: number, minimum: 0}", "{type: number, minimum: -1}", "breaking " + Limit},
		"a limit that limits nothing":    {"{type: array, minItems: 0}", "{type: array}", ""},
		"another pattern":                {"{type: string, pattern: a}", "{type: string, pattern: b}", "breaking " + Pattern + ", warning " + Pattern},
		"items":                          {"{type: array, items: {type: string}}", "{type: array, items: {type: integer}}", "breaking " + Type + ", warning " + Type},
		"another alternative":            {"{oneOf: [{type: string}]}", "{oneOf: [{type: string}, {type: integer}]}", "breaking " + Alternative},
		"alternatives in another order":  {"{oneOf: [{type: string}, {type: integer}]}", "{oneOf: [{type: integer}, {type: string}]}", ""},
		"an alternative is gone":         {"{anyOf: [{type: string}, {type: integer}]}", "{anyOf: [{type: string}]}", "warning " + Alternative},
		"nothing is allowed any more":    {object("a: true", ""), object("a: false", ""), "warning " + Nothing},
		"a keyword that is not compared": {"{if: {const: 1}, then: {const: 1}}", "{if: {const: 2}, then: {const: 1}}", "warning " + Keyword + ", warning " + Keyword},
		"date to date-time":              {"{type: string, format: date}", "{type: string, format: date-time}", "semantic " + DateTime},
		"uuid dropped":                   {"{type: string, format: uuid}", "{type: string}", "semantic " + UUIDDropped},
		"a format is added":              {"{type: string}", "{type: string, format: email}", "warning " + Format},
		"another default":                {"{type: string, default: a}", "{type: string, default: b}", "warning " + Default},
		"cents to euros":                 {object("amountCents: {type: integer}", ""), object("amountEuros: {type: integer}", ""), "semantic " + UnitInName},
		"a schema that contains itself":  {"{properties: {next: {$ref: '#'}, v: {type: string}}}", "{properties: {next: {$ref: '#'}, v: {type: integer}}}", "breaking " + Type + ", warning " + Type},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range Compare(read(t, c.former), read(t, c.next), Sent) {
				got = append(got, d.Level.String()+" "+d.ID)
				if (d.Pos == diag.Pos{}) {
					t.Errorf("%+v has no place", d)
				}
			}
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

// TestNothingSilent changes keywords that are not compared in detail, wherever they are.
func TestNothingSilent(t *testing.T) {
	for _, k := range []struct{ former, next string }{
		{"if: {required: [a]}, then: {required: [b]}", "if: {required: [a]}, then: {required: [c]}"},
		{"if: {required: [a]}, else: {required: [b]}", "if: {required: [z]}, else: {required: [b]}"},
		{"not: {const: 1}", "not: {const: 2}"},
		{"contains: {const: 1}", "contains: {const: 2}"},
		{"contains: {const: 1}, minContains: 1", "contains: {const: 1}, minContains: 2"},
		{"contains: {const: 1}, maxContains: 3", "contains: {const: 1}, maxContains: 2"},
		{"dependentRequired: {a: [b]}", "dependentRequired: {a: [c]}"},
		{"dependentSchemas: {a: {required: [b]}}", "dependentSchemas: {a: {required: [c]}}"},
		{"dependencies: {a: [b]}", "dependencies: {a: [b, c]}"},
		{"patternProperties: {'^x': {type: string}}", "patternProperties: {'^x': {type: integer}}"},
		{"propertyNames: {pattern: a}", "propertyNames: {pattern: b}"},
		{"unevaluatedProperties: false", "unevaluatedProperties: {type: string}"},
		{"prefixItems: [{type: string}]", "prefixItems: [{type: integer}]"},
		{"items: [{type: string}], additionalItems: false", "items: [{type: string}], additionalItems: {type: string}"},
		{"contentMediaType: image/png", "contentMediaType: image/gif"},
		{"discriminator: a", "discriminator: b"},
		{"maximum: 5, exclusiveMaximum: true", "maximum: 5, exclusiveMaximum: false"},
		{"allOf: [{pattern: a}, {pattern: b}]", "allOf: [{pattern: c}, {pattern: b}]"},
		{"allOf: [{minimum: 1}, {minimum: 5}]", "allOf: [{minimum: 1}, {minimum: 6}]"},
		{"allOf: [{minimum: 5}, {minimum: 1}]", "allOf: [{minimum: 6}, {minimum: 1}]"},
		{"allOf: [{properties: {a: {minimum: 1}}}, {properties: {a: {pattern: x}}}]", "allOf: [{properties: {a: {minimum: 1}}}, {properties: {a: {pattern: y}}}]"},
		{"allOf: [{properties: {a: {minimum: 1}}}, {properties: {a: {pattern: x}}}]", "allOf: [{properties: {a: {minimum: 1}}}]"},
		{"allOf: [{additionalProperties: {type: string}}, {additionalProperties: false}]", "allOf: [{additionalProperties: {type: integer}}, {additionalProperties: false}]"},
	} {
		for _, around := range []string{
			"{%s}", "{properties: {p: {%s}}}", "{type: array, items: {%s}}", "{oneOf: [{%s}]}", "{additionalProperties: {%s}}",
			"{allOf: [{%s}, {title: T}]}", "{allOf: [{%s}, {if: {const: 7}, then: {const: 7}, not: {const: 8}, contains: {const: 9}, pattern: z}]}",
		} {
			former, next := fmt.Sprintf(around, k.former), fmt.Sprintf(around, k.next)
			if all := Compare(read(t, former), read(t, next), Sent); len(all) == 0 || finding.Warning > worst(all) {
				t.Errorf("%s\nto %s: %+v", former, next, all)
			}
			if all := Compare(read(t, former), read(t, former), Sent); len(all) > 0 {
				t.Errorf("%s has differences from itself: %+v", former, all)
			}
		}
	}
}

func worst(all []finding.Difference) (level finding.Level) {
	for _, d := range all {
		level = max(level, d.Level)
	}
	return level
}

// TestNamesOfKeywords compares schemas whose properties are named like keywords. They are names
// wherever they stand, so a change of a property's schema counts, and one of its description does
// not.
func TestNamesOfKeywords(t *testing.T) {
	names := slices.Concat(annotations, compared, sets, maps, schemas, []string{"$ref", "$anchor", "x-own", "discriminator"})
	const schema = "{type: string, description: D., minLength: 1}"
	words, limit := strings.NewReplacer("D.", "E."), strings.NewReplacer("minLength: 1", "minLength: 2")
	for _, c := range []struct {
		part           string // of a schema, with a name
		harmless, harm *strings.Replacer
	}{
		{"properties: {'%s': " + schema + "}", words, limit},
		{"patternProperties: {'%s': " + schema + "}", words, limit},
		{"dependentSchemas: {'%s': " + schema + "}", words, limit},
		{"dependencies: {'%s': " + schema + "}", words, limit},
		{"items: {$ref: '#/$defs/%[1]s'}, $defs: {'%[1]s': " + schema + "}", words, limit},
		{"items: {$ref: '#/definitions/%[1]s'}, definitions: {'%[1]s': " + schema + "}", words, limit},
		{"dependentRequired: {'%s': [a, b]}", strings.NewReplacer("a, b", "b, a"), strings.NewReplacer("a, b", "a, c")},
		{"dependencies: {'%s': [a, b]}", strings.NewReplacer("a, b", "b, a"), strings.NewReplacer("a, b", "a, c")},
		{"required: [a, '%s']", strings.NewReplacer("[a, ", "[a, a, "), strings.NewReplacer("[a, ", "[")},
		{"const: {'%s': 1}", strings.NewReplacer("1", "1.0"), strings.NewReplacer("1", "2")},
		{"enum: [{'%s': 1}, 7]", strings.NewReplacer("7", "7, 7"), strings.NewReplacer("1", "2")},
		{"default: {'%s': 1}", strings.NewReplacer("1", "1.0"), strings.NewReplacer("1", "2")},
		{"examples: [{'%s': 1}], minLength: 1", strings.NewReplacer("examples: [", "examples: [3, "), limit},
		{"example: {'%s': 1}, minLength: 1", strings.NewReplacer("': 1}", "': 2}"), limit},
	} {
		for _, around := range []string{"{%s}", "{properties: {title: {%s}}}", "{not: {%s}}", "{if: {%s}}", "{then: {%s}}", "{else: {%s}}", "{contains: {%s}}", "{propertyNames: {%s}}",
			"{allOf: [{%s}, {pattern: a}]}", "{oneOf: [{%s}]}", "{anyOf: [{%s}]}", "{items: {%s}}", "{prefixItems: [{%s}]}", "{additionalProperties: {%s}}",
			"{unevaluatedProperties: {%s}}", "{patternProperties: {default: {%s}}}", "{not: {properties: {enum: {%s}}}}", "{if: {dependentSchemas: {title: {%s}}}}"} {
			if strings.Contains(c.part, "/") && around != "{%s}" {
				continue // the definition is at the top
			}
			for _, name := range names {
				former := fmt.Sprintf(around, fmt.Sprintf(c.part, name))
				if all := Compare(read(t, former), read(t, c.harmless.Replace(former)), Sent); len(all) > 0 {
					t.Errorf("%s\nto %s: %+v", former, c.harmless.Replace(former), all)
				}
				if all := Compare(read(t, former), read(t, c.harm.Replace(former)), Sent); len(all) == 0 {
					t.Errorf("%s\nto %s: nothing", former, c.harm.Replace(former))
				}
			}
		}
	}
}

// TestRole holds that what is received is judged from the other side.
func TestRole(t *testing.T) {
	former, next := read(t, "{type: object, properties: {a: {type: string}}}"), read(t, "{type: object, properties: {a: {type: string}}, required: [a]}")
	for role, want := range map[Role]string{Sent: "warning", Received: "breaking", Sent | Received: "breaking"} {
		all := Compare(former, next, role)
		if len(all) != 1 || all[0].Level.String() != want || all[0].ID != Required {
			t.Errorf("role %d: %+v", role, all)
		}
	}
}
