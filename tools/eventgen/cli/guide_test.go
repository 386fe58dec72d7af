package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// A stranger follows the guide: the first document generates what the guide shows of it, and the
// guide's test of it passes.
func TestGuide(t *testing.T) {
	repository, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(repository, "docs", "eventgen.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind, with string) string {
		for _, m := range fence.FindAllStringSubmatch(string(guide), -1) {
			if m[1] == kind && strings.Contains(m[2], with) {
				return m[2]
			}
		}
		t.Fatalf("the guide has no block of %q with %q", kind, with)
		return ""
	}
	t.Chdir(t.TempDir())
	write(t, "asyncapi.yaml", block("yaml", "title: Shop"))
	write(t, "OrderPlaced.avsc", block("json", "OrderPlaced"))
	_, command, _ := strings.Cut(block("", "go mod init"), "\neventgen ")
	command, _, _ = strings.Cut(command, "\n")
	if status, stdout, stderr := run(strings.Fields(command)...); status != 0 {
		t.Fatalf("eventgen %s: status %d\n%s%s", command, status, stdout, stderr)
	}
	generated, err := os.ReadFile("gen/event/orderplaced.go")
	if err != nil {
		t.Fatal(err)
	}
	if want := block("go", "type OrderPlaced struct"); !strings.Contains(string(generated), want) {
		t.Errorf("generated is\n%s\nthe guide shows\n%s", generated, want)
	}
	write(t, "shop_test.go", block("go", "func TestShop("))
	write(t, "go.mod", "module example.com/shop\n\ngo 1.26.0\n")
	write(t, "go.work", "go 1.26.0\n\nuse (\n\t.\n\t"+repository+"\n)\n") // instead of the guide's requirement and replacement, so that nothing is fetched
	cmd := exec.Command("go", "test", "-count=1", "-v", "./...")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestShop") {
		t.Errorf("go test: %v\n%s", err, out)
	}
}
