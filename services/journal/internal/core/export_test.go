package core

import "fmt"

// Check returns an error that names a contradiction within the core, nil if there is none. Tests
// call it after every step.
func (c *Core[S, B]) Check() error {
	waiting := 0
	for s, sp := range c.specs {
		waiting += len(sp.waiting)
		switch {
		case sp.stream != s:
			return fmt.Errorf("%s: filed under %s", sp.stream, s)
		case len(sp.flights) == 0 && len(sp.waiting) > 0:
			return fmt.Errorf("%s: %d commands wait for nothing", s, len(sp.waiting))
		case len(sp.flights) == 0 && sp.on:
			return fmt.Errorf("%s: speculation on nothing", s)
		}
		for i, f := range sp.flights {
			if c.flights[f.attempt] != f {
				return fmt.Errorf("%s: a flight that is over", s)
			}
			if i > 0 && sp.flights[i-1].seq >= f.seq {
				return fmt.Errorf("%s: flights out of order", s)
			}
		}
	}
	if waiting != c.waiting {
		return fmt.Errorf("%d commands wait, but %d are counted", waiting, c.waiting)
	}
	return nil
}
