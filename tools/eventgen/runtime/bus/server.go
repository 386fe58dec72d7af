package bus

import "strconv"

// Server is a server that a contract names. Parts of Host and Path in braces are variables.
type Server struct {
	Name, Host, Path, Protocol, Version string
	Registry, Vendor                    string // of the schema registry
	Variables                           []Param
}

// Address gives host and path with the variables filled in, from the values by name or else their
// defaults.
func (s *Server) Address(values map[string]string) (string, error) {
	a := Address{Template: s.Host + s.Path, Params: s.Variables}
	in := make([]string, len(s.Variables))
	for i, v := range s.Variables {
		in[i] = values[v.Name]
	}
	return a.Topic(in...)
}

// Decimal gives an integer as text.
func Decimal[I ~int64 | ~int32 | ~int](i I) string { return strconv.FormatInt(int64(i), 10) }
