package jsonschema

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

// CheckExample tells everything that keeps n from being a value of the payload.
func (r *Root) CheckExample(n *source.Node) diag.List {
	var faults diag.List
	r.set.loader.validate(r.schema, n, "the example", &faults)
	return faults
}

// validate tells everything that keeps a value from being as a schema wants it.
func (l *loader) validate(s *schema, n *source.Node, what string, faults *diag.List) {
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
			faults.Errorf(at.Pos, "%s is not as its schema wants it: %s", what, leaf.ErrorKind.LocalizedString(printer))
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

// compile makes a validator, once for each schema.
func (l *loader) compile(s *schema) (*validator.Schema, error) {
	if c := l.compiled[s]; c != nil {
		return c, nil
	}
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft7)
	c.UseRegexpEngine(func(re string) (validator.Regexp, error) {
		if compiled, err := regexp.Compile(re); err == nil {
			return compiled, nil
		}
		return regexp.MustCompile(""), nil // told when it was read
	})
	name := "file:///" + path.Join("schemas", strconv.Itoa(len(l.compiled)))
	if err := c.AddResource(name, l.text(s).Any()); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(name)
	if err == nil {
		l.compiled[s] = compiled
	}
	return compiled, err
}

// defaults tells of defaults that are not as their schema wants them.
func (s *Set) defaults() {
	for _, at := range s.loader.order {
		if at.fallback != nil && at.says {
			s.loader.validate(at, at.fallback, "the default", &s.loader.diags)
		}
	}
}
