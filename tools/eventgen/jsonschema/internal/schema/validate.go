package schema

import (
	"errors"
	"path"
	"regexp"
	"strconv"

	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Validate adds a fault for everything in a value that does not conform to a schema; what names the
// value.
func (l *Loader) Validate(s *Schema, n *source.Node, what string, faults *diag.List) {
	compiled, err := l.compile(s)
	if err != nil {
		faults.Errorf(n.Pos, "%s cannot be checked: %v", what, err)
		return
	}
	var invalid *validator.ValidationError
	if err := compiled.Validate(n.Any()); errors.As(err, &invalid) {
		printer := message.NewPrinter(language.English)
		for _, leaf := range leaves(invalid) {
			at := n
			for _, step := range leaf.InstanceLocation {
				if i, err := strconv.Atoi(step); err == nil && at.Is(source.Seq) && i < len(at.Items) {
					at = at.Items[i]
				} else if next := at.Get(step); next != nil {
					at = next
				}
			}
			faults.Errorf(at.Pos, "%s does not conform to its schema: %s", what, leaf.ErrorKind.LocalizedString(printer))
		}
	} else if err != nil {
		faults.Errorf(n.Pos, "%s cannot be checked: %v", what, err)
	}
}

func leaves(e *validator.ValidationError) []*validator.ValidationError {
	if len(e.Causes) == 0 {
		return []*validator.ValidationError{e}
	}
	var out []*validator.ValidationError
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}

// compile returns the validator of a schema, which is made once.
func (l *Loader) compile(s *Schema) (*validator.Schema, error) {
	if c := l.compiled[s]; c != nil {
		return c, nil
	}
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft7)
	c.UseRegexpEngine(func(re string) (validator.Regexp, error) {
		if compiled, err := regexp.Compile(re); err == nil {
			return compiled, nil
		}
		return regexp.MustCompile(""), nil // the loader added a warning
	})
	name := "file:///" + path.Join("schemas", strconv.Itoa(len(l.compiled)))
	if err := c.AddResource(name, l.Text(s).Any()); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(name)
	if err == nil {
		l.compiled[s] = compiled
	}
	return compiled, err
}

// CheckDefaults removes each default that does not conform to its schema, and adds a warning for
// it.
func (l *Loader) CheckDefaults() {
	for _, at := range l.Order {
		if at.Default == nil || !at.says {
			continue
		}
		var faults diag.List
		if l.Validate(at, at.Default, "the default", &faults); len(faults) > 0 {
			at.Default = nil
		}
		for _, f := range faults.Warnings() {
			f.Hint = "the default is left out"
			l.Diags.Add(f)
		}
	}
}
