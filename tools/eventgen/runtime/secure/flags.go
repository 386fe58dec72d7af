package secure

import (
	"flag"
	"fmt"
	"strconv"
)

// Flags is a Declarer for a flag set of the standard library. The value of the environment variable
// is the default of the flag.
type Flags struct {
	flags  *flag.FlagSet
	getenv func(string) string
	err    error
}

// NewFlags returns a Declarer for a flag set.
func NewFlags(flags *flag.FlagSet, getenv func(string) string) *Flags {
	return &Flags{flags: flags, getenv: getenv}
}

// Err returns the first fault of the environment. Call it after the flags were declared.
func (f *Flags) Err() error { return f.err }

// String implements Declarer.
func (f *Flags) String(p *string, name, env, def, usage string) {
	if text := f.getenv(env); text != "" {
		def = text
	}
	f.flags.StringVar(p, name, def, usage+" ["+env+"]")
}

// Bool implements Declarer.
func (f *Flags) Bool(p *bool, name, env string, def bool, usage string) {
	if text := f.getenv(env); text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			f.err = fmt.Errorf("environment variable %s: %q is neither true nor false", env, text)
		}
		def = on
	}
	f.flags.BoolVar(p, name, def, usage+" ["+env+"]")
}

// Secret implements Declarer.
func (f *Flags) Secret(p *Secret, env string) { *p = Secret(f.getenv(env)) }
