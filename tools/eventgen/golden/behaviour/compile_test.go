package behaviour

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is a package, which costs no linking; it sends what stands between its brackets to a
// compacted topic.
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

// Code that sends to a compacted topic without a key, or with text that nobody declared to be one,
// does not compile; with a key it does.
func TestNoKeyDoesNotCompile(t *testing.T) {
	for _, c := range []struct{ name, arguments, want string }{
		{"with a key", "key, ", ""},
		{"without a key", "", "not enough arguments in call to pub.TickBuried"},
		{"with nil", "nil, ", "cannot use nil as policiesbus.ClockKey value"},
		{"with any text", "text, ", "cannot use text (variable of type string) as policiesbus.ClockKey value"},
		{"with another key", "event.Tick{}, ", "as policiesbus.ClockKey value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := compile(t, strings.Replace(program, "[ARGUMENTS]", c.arguments, 1))
			if c.want == "" && out != "" || !strings.Contains(out, c.want) {
				t.Errorf("the compiler says %q, want %q", out, c.want)
			}
		})
	}
}

// compile gives what the compiler says of a program, which it sees as a package of this module
// without there being one.
func compile(t *testing.T, src string) string {
	t.Helper()
	dir := t.TempDir()
	file, overlay := filepath.Join(dir, "program.go"), filepath.Join(dir, "overlay.json")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here, "program", "program.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{file: []byte(src), overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "./program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}
