package report

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
)

// TestInvisibleCharacters writes texts of a contract, which may come from anybody.
func TestInvisibleCharacters(t *testing.T) {
	all := []finding.Finding{{Level: finding.Breaking, ID: "X", File: "a\n::error::\x1b\u202e.yaml", Pointer: "/a\n::error::\x1b\u202e", Message: "a pattern [\u202e\n::error::\x1b[31m]", Hint: "<b>|"}}
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

// TestAnnotations escapes what ends a property or a message of a workflow command.
func TestAnnotations(t *testing.T) {
	all := []finding.Finding{{Level: finding.Breaking, ID: "X", File: "50%,a.yaml", Line: 3, Col: 7, Message: "100% of\r\na: b", Hint: "h"}}
	var b strings.Builder
	if err := Write(&b, "github", all, finding.Semantic); err != nil {
		t.Fatal(err)
	}
	want := "::error file=50%25%2Ca.yaml,line=3,col=7,title=breaking X::100%25 of\\r\\na: b%0Ahint: h\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// TestMarkdown shows names of a contract as they are, whatever they mean in Markdown.
func TestMarkdown(t *testing.T) {
	for message, want := range map[string]string{
		"the type of `q` was `array<a|b>`":          "the type of `q` was `array<a|b>`",
		"a|b_c_d *e* [f](g) <b>h</b> &amp; ~~i~~":   `a|b\_c\_d \*e\* \[f\](g) &lt;b&gt;h&lt;/b&gt; &amp;amp; \~\~i\~\~`,
		"a backtick ` alone, from @team in #5 \\ 6": "a backtick \\` alone, from &#64;team in \\#5 \\\\ 6",
		"two ``": "two `  `",
	} {
		f := finding.Finding{Level: finding.Breaking, ID: "A_B", File: "a`b.yaml", Line: 2, Col: 1, Pointer: "/p``q`", Message: message, Hint: message}
		var b strings.Builder
		if err := Write(&b, "markdown", []finding.Finding{f}, finding.Semantic); err != nil {
			t.Fatal(err)
		}
		if line := "- **A_B** ``` a`b.yaml:2:1 /p``q` ```: " + want + "\n  - " + want + "\n"; !strings.HasSuffix(b.String(), "\n\n"+line) {
			t.Errorf("%s\nwant %s", &b, line)
		}
	}
}

// TestMachineFormats reads what programs read: JSON with the members that are promised, and XML.
func TestMachineFormats(t *testing.T) {
	all := []finding.Finding{
		{Level: finding.Breaking, ID: "X", Kind: "avro", File: "a\x00\"&<.yaml", Pointer: "/a\ufffe]]>", Message: "m\x01\n<>&'\"", Hint: "\u2028"},
		{Level: finding.Info, ID: "Y", Kind: "gate"},
	}
	var b strings.Builder
	if err := Write(&b, "json", all, finding.Semantic); err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	if err := json.Unmarshal([]byte(b.String()), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v\n%s", err, &b)
	}
	for i, f := range all {
		want := map[string]string{"level": f.Level.String(), "id": f.ID, "kind": f.Kind, "file": f.File, "pointer": f.Pointer, "message": f.Message, "hint": f.Hint}
		if !maps.Equal(list[i], want) {
			t.Errorf("%q, want %q", list[i], want)
		}
	}
	b.Reset()
	if err := Write(&b, "junit", all, finding.Semantic); err != nil {
		t.Fatal(err)
	}
	var read suite
	if err := xml.Unmarshal([]byte(b.String()), &read); err != nil || read.Tests != 2 || read.Failures != 1 {
		t.Errorf("%v\n%s", err, &b)
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
