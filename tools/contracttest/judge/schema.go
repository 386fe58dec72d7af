package judge

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// schemaURL is the URL of a document in the JSON Schema compiler.
const schemaURL = "https://deferpay.example/document.json"

// schemaCompiler returns a compiler for the schemas of one document. Formats are asserted.
func schemaCompiler(root specfile.Value) (*jsonschema.Compiler, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(root.Node.JSON()))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(schemaURL, value); err != nil {
		return nil, err
	}
	return c, nil
}

// CheckExamples validates every example of an OpenAPI document against its schema. It returns their
// number and the faults, with their positions.
func CheckExamples(file string) (checked int, faults []string, err error) {
	root, err := specfile.NewSet().Open(file)
	if err != nil {
		return 0, nil, err
	}
	compiler, err := schemaCompiler(root)
	if err != nil {
		return 0, nil, err
	}
	w := &exampleWalk{compiler: compiler, root: root}
	w.walk(root)
	return w.checked, w.faults, nil
}

type exampleWalk struct {
	compiler *jsonschema.Compiler
	root     specfile.Value
	checked  int
	faults   []string
}

// walk checks the examples beside a schema (of parameters, headers, media types) and the examples
// of a schema.
func (w *exampleWalk) walk(v specfile.Value) {
	raw := v.Raw("schema")
	if raw.Ok() {
		w.value(raw.Pointer, v.Raw("example"))
		for _, ex := range v.Raw("examples").Members() {
			w.value(raw.Pointer, ex.Get("value"))
		}
	}
	if strings.Contains(v.Pointer, "/schemas/") || strings.HasSuffix(v.Pointer, "/schema") {
		if list := v.Raw("examples"); list.Node.Is(source.Seq) {
			for i := range list.Node.Items {
				w.value(v.Pointer, specfile.Value{File: v.File, Node: list.Node.Items[i]})
			}
		}
	}
	for _, child := range v.Children() {
		switch child.Name() {
		case "example", "examples", "value":
		default:
			if child.Node.Get("$ref").Str() == "" {
				w.walk(child)
			}
		}
	}
}

func (w *exampleWalk) value(pointer string, example specfile.Value) {
	if !example.Ok() {
		return
	}
	w.checked++
	fault := func(err error) {
		w.faults = append(w.faults, fmt.Sprintf("%s: example of %s: %s", example.Node.Pos, pointer, oneLine(err)))
	}
	schema, err := w.compiler.Compile(schemaURL + "#" + pointer)
	if err != nil {
		fault(err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(example.Node.JSON()))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		fault(err)
	}
}
