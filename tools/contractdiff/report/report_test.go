package report

import (
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
)

// TestInvisibleCharacters writes texts of a contract, which may come from anybody.
func TestInvisibleCharacters(t *testing.T) {
	all := []finding.Finding{{Level: finding.Breaking, ID: "X", File: "a.yaml", Message: "a pattern [\u202e\n::error::\x1b[31m]", Hint: "<b>|"}}
	for _, format := range []string{"text", "github", "markdown", "junit"} {
		var b strings.Builder
		if err := Write(&b, format, all, finding.Semantic); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\u202e\x1b") || strings.Contains(b.String(), "\n::error::") || !strings.Contains(b.String(), `\u202e`) {
			t.Errorf("%s: %q", format, b.String())
		}
	}
}

// TestGrouped joins the findings of one place for people alone.
func TestGrouped(t *testing.T) {
	one := finding.Finding{Level: finding.Breaking, ID: "X", File: "a.yaml", Line: 3, Message: "GET /a: gone"}
	two := one
	two.Message = "GET /b: gone"
	for format, want := range map[string]int{"text": 1, "markdown": 1, "json": 2, "github": 2, "junit": 2} {
		var b strings.Builder
		if err := Write(&b, format, []finding.Finding{one, two}, finding.Semantic); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), ": gone"); n != want {
			t.Errorf("%s: %d\n%s", format, n, &b)
		}
	}
}
