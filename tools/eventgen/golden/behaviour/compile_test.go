package behaviour

import (
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
)

// program sends a message to a compacted topic, with arguments in place of [ARGUMENTS].
const program = `package program

import (
	"context"

	"github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen/event"
	"github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen/policiesbus"
)

func send(pub *policiesbus.Publisher) {
	var key policiesbus.ClockKey
	var text string
	_, _ = key, text
	_ = pub.TickBuried(context.Background(), [ARGUMENTS]event.Tick{}, nil)
}
`

// TestNoKeyDoesNotCompile sends to a compacted topic. The code compiles with a key of the declared
// type only.
func TestNoKeyDoesNotCompile(t *testing.T) {
	const folder = "../policies/gen"
	files := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(os.DirFS(folder), name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, arguments, want string }{
		{"with a key", "key, ", ""},
		{"without a key", "", "not enough arguments in call to pub.TickBuried"},
		{"with nil", "nil, ", "cannot use nil as policiesbus.ClockKey value"},
		{"with any text", "text, ", "cannot use text (variable of type string) as policiesbus.ClockKey value"},
		{"with another key", "event.Tick{}, ", "as policiesbus.ClockKey value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			with := maps.Clone(files)
			with["program/program.go"] = []byte(strings.Replace(program, "[ARGUMENTS]", c.arguments, 1))
			code, err := typechecktest.Parse("github.com/deferpay/deferpay/tools/eventgen/golden/policies/gen", with)
			if err != nil {
				t.Fatal(err)
			}
			switch err := typechecktest.New(t).Check(code); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("the type checker says %v, want %q", err, c.want)
			}
		})
	}
}
