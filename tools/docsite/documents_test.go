package main

import (
	"strings"
	"testing"
)

func TestRenderDocument(t *testing.T) {
	source := "# A title\n\n## Où l'on va : ici\n\n## Same\n\n## Same\n\n" +
		"[page](../b.md#x) [here](#same) [outside](../../go.mod) [web](https://example.org)\n\n"
	title, body, err := renderDocument("dir/a.md", source, map[string]string{"b.md": "b.html"})
	if err != nil || title != "A title" {
		t.Fatalf("%q, %v", title, err)
	}
	for _, want := range []string{
		`id="où-lon-va--ici"`, `id="same"`, `id="same-1"`, `href="../b.html#x"`, `href="#same"`, ` outside `, `href="https://example.org"`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if strings.Contains(string(body), "go.mod") {
		t.Error("a link leads out of the site")
	}
}
