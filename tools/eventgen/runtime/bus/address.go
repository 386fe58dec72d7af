package bus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Address is the address of a channel with parameters. Generated code fills it in.
type Address struct {
	Template string // with the names of parameters in braces
	Params   []Param
}

// Param is a parameter of an address.
type Param struct {
	Name    string
	Enum    []string
	Default string
}

// Topic returns the address with its parameters replaced by values in the order of Params.
func (a *Address) Topic(values ...string) (string, error) {
	var errs []error
	pairs := make([]string, 0, 2*len(values))
	for i, p := range a.Params {
		v := values[i]
		if v == "" {
			v = p.Default
		}
		switch {
		case v == "":
			errs = append(errs, fmt.Errorf("parameter %s is empty", p.Name))
		case len(p.Enum) > 0 && !slices.Contains(p.Enum, v):
			errs = append(errs, fmt.Errorf("parameter %s is %q, not one of %q", p.Name, v, p.Enum))
		}
		pairs = append(pairs, "{"+p.Name+"}", v)
	}
	if err := errors.Join(errs...); err != nil {
		return "", Permanentf("address %s %w: %w", a.Template, ErrInvalid, err)
	}
	return strings.NewReplacer(pairs...).Replace(a.Template), nil
}

// Move returns the topic at another address that has the same values of parameters as a topic of a.
// The other address must have no parameter that a does not have.
func (a *Address) Move(topic string, to *Address) (string, error) {
	values, err := a.Parse(topic)
	if err != nil {
		return "", Permanentf("%w: %w", ErrInvalid, err)
	}
	moved := make([]string, len(to.Params))
	for i, p := range to.Params {
		if k := slices.IndexFunc(a.Params, func(o Param) bool { return o.Name == p.Name }); k >= 0 {
			moved[i] = values[k]
		}
	}
	return to.Topic(moved...)
}

// Parse returns the values of the parameters in a topic, in the order of Params.
func (a *Address) Parse(topic string) ([]string, error) {
	values := make([]string, len(a.Params))
	rest, template := topic, a.Template
	for {
		before, after, more := strings.Cut(template, "{")
		if !strings.HasPrefix(rest, before) {
			return nil, fmt.Errorf("topic %q does not match the address %s", topic, a.Template)
		}
		rest = rest[len(before):]
		if !more {
			break
		}
		var name string
		name, template, _ = strings.Cut(after, "}")
		next, _, _ := strings.Cut(template, "{")
		end := len(rest)
		if next != "" {
			if end = strings.Index(rest, next); end < 0 {
				return nil, fmt.Errorf("topic %q does not match the address %s", topic, a.Template)
			}
		}
		i := slices.IndexFunc(a.Params, func(p Param) bool { return p.Name == name })
		if v := rest[:end]; v == "" || values[i] != "" && values[i] != v {
			return nil, fmt.Errorf("topic %q does not match the address %s", topic, a.Template)
		}
		values[i], rest = rest[:end], rest[end:]
	}
	if rest != "" {
		return nil, fmt.Errorf("topic %q does not match the address %s", topic, a.Template)
	}
	for i, p := range a.Params {
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, values[i]) {
			return nil, fmt.Errorf("topic %q: parameter %s is %q, not one of %q", topic, p.Name, values[i], p.Enum)
		}
	}
	return values, nil
}
