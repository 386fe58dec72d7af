package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/demo/story"
)

const printed = `  · ready

 1  It subscribes
    why <so>
    > POST   /contracts
    ok, 1 checks, 0.01 s

 2  It signs
    ok, 2 checks, 0.01 s

10  It buys
    billing.log     @4    CTR-1 PurchaseAccepted VOID

3 steps, all good.
`

func TestChosenSteps(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(printed), &out, "1,10"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`class="title" x="20" y="66"`, "It subscribes", "why &lt;so&gt;", `class="void"`, "It buys", "3 steps, all good."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "It signs") || strings.Contains(out.String(), "ready") {
		t.Error("another step is shown")
	}
	if err := run(strings.NewReader(printed), io.Discard, "1,3"); err == nil {
		t.Error("a step is missing, and no error")
	}
}

// TestCommittedRecording checks that the picture in the README is of the present story.
func TestCommittedRecording(t *testing.T) {
	data, err := os.ReadFile("../../../docs/pictures/demo.svg")
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for _, s := range story.Steps() {
		titles[s.Title] = true
	}
	var text struct {
		Lines []struct {
			Class string `xml:"class,attr"`
			Text  string `xml:",chardata"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(data, &text); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	found := 0
	for _, l := range text.Lines {
		if m := title.FindString(l.Text); m != "" && l.Class == "title" {
			found++
			if name := l.Text[len(m)-1:]; !titles[name] {
				t.Errorf("the story has no step %q", name)
			}
		}
	}
	if found == 0 {
		t.Error("the picture has no step")
	}
}
