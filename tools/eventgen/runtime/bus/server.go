package bus

import "strconv"

// Server is a server of a contract. Parts of Host and Path in braces are variables.
type Server struct {
	Name, Host, Path, Protocol, Version string
	Registry, Vendor                    string // of the schema registry
	Variables                           []Param
}

// Address returns host and path with the variables replaced by the values of that name or else by
// their defaults.
func (s *Server) Address(values map[string]string) (string, error) {
	a := Address{Template: s.Host + s.Path, Params: s.Variables}
	in := make([]string, len(s.Variables))
	for i, v := range s.Variables {
		in[i] = values[v.Name]
	}
	return a.Topic(in...)
}

// Decimal returns an integer in decimal.
func Decimal[I ~int64 | ~int32 | ~int](i I) string { return strconv.FormatInt(int64(i), 10) }
