package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/fulltest"
)

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// guide is docs/eventgen.md, which a reader follows in an empty folder.
type guide struct {
	t          *testing.T
	repository string
	text       string
}

func openGuide(t *testing.T) *guide {
	t.Helper()
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(repository, "docs", "eventgen.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	return &guide{t, repository, string(text)}
}

// block returns the first block of a language that contains a text.
func (g *guide) block(language, with string) string {
	g.t.Helper()
	for _, m := range fence.FindAllStringSubmatch(g.text, -1) {
		if m[1] == language && strings.Contains(m[2], with) {
			return m[2]
		}
	}
	g.t.Fatalf("the guide has no block of %q with %q", language, with)
	return ""
}

// eventgen runs the calls of eventgen in a block of commands.
func (g *guide) eventgen(commands string) {
	g.t.Helper()
	for line := range strings.Lines(commands) {
		if args, ok := strings.CutPrefix(line, "eventgen "); ok {
			if status, stdout, stderr := run(strings.Fields(args)...); status != 0 {
				g.t.Fatalf("eventgen %s: status %d\n%s%s", args, status, stdout, stderr)
			}
		}
	}
}

// goTest runs a test in the module of the guide, in the full form alone: it compiles the module. A
// workspace takes the place of the requirement and the replacement in the guide, so that nothing is
// downloaded.
func (g *guide) goTest(name string) {
	g.t.Helper()
	if !fulltest.Requested() {
		g.t.Logf("%s is not run: it is with %s=1", name, fulltest.Variable)
		return
	}
	write(g.t, "go.mod", "module example.com/shop\n\ngo 1.26.0\n")
	write(g.t, "go.work", "go 1.26.0\n\nuse (\n\t.\n\t"+g.repository+"\n)\n")
	cmd := exec.Command("go", "test", "-count=1", "-v", "./...")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		g.t.Errorf("go test: %v\n%s", err, out)
	}
}

// TestGuide follows the guide's first document: it generates what the guide shows, and the guide's
// test passes.
func TestGuide(t *testing.T) {
	g := openGuide(t)
	write(t, "asyncapi.yaml", g.block("yaml", "title: Shop"))
	write(t, "OrderPlaced.avsc", g.block("json", "OrderPlaced"))
	g.eventgen(g.block("", "go mod init"))
	generated, err := os.ReadFile("gen/event/orderplaced.go")
	if err != nil {
		t.Fatal(err)
	}
	if want := g.block("go", "type OrderPlaced struct"); !strings.Contains(string(generated), want) {
		t.Errorf("generated is\n%s\nthe guide shows\n%s", generated, want)
	}
	write(t, "shop_test.go", g.block("go", "func TestShop("))
	g.goTest("TestShop")
}

// TestGuideStoredMessages follows the guide through a change of a stored schema.
func TestGuideStoredMessages(t *testing.T) {
	g := openGuide(t)
	write(t, "stock.yaml", g.block("yaml", "title: Stock"))
	write(t, "stock/Stored.avsc", g.block("json", `"Stored"`))
	write(t, "stock/Taken.avsc", g.block("json", `"Taken"`))
	commands := g.block("", "\neventgen generate -out gen -import example.com/shop/gen stock.yaml")
	g.eventgen(commands)

	write(t, "stock/Stored.avsc", g.block("json", "quantity"))
	status, _, stderr := run("generate", "-check", "-out", "gen", "-import", "example.com/shop/gen", "stock.yaml")
	if want := g.block("", "is not among its versions"); status != 1 || stderr != want {
		t.Fatalf("status %d\n%s\nthe guide shows\n%s", status, stderr, want)
	}
	g.eventgen(commands)
	write(t, "count_test.go", "package shop\n\nimport \"example.com/shop/gen/stock\"\n\n"+g.block("go", "type count map"))
	write(t, "stock_test.go", g.block("go", "func TestStock("))
	g.goTest("TestStock")
}
