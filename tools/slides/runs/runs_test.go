package runs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	pictures = "../../../docs/presentation/pictures"
	redo     = "record it again: go run ./tools/slides/record -runs"
)

// kept returns the runs of which the presentation has pictures.
func kept(t *testing.T) map[string]Run {
	t.Helper()
	list := map[string]Run{}
	for _, s := range scenarios {
		data, err := os.ReadFile(filepath.Join(pictures, "runs", s.name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var r Run
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		list[s.name] = r
	}
	return list
}

func TestPicturesShowTheirRuns(t *testing.T) {
	for name, r := range kept(t) {
		for _, lang := range Languages {
			file := "run-" + name + "." + lang + ".svg"
			got, err := os.ReadFile(filepath.Join(pictures, file))
			if err != nil {
				t.Error(err)
				continue
			}
			want, err := Draw(r, lang)
			if err != nil {
				t.Error(err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%s is not the picture of its run; %s", file, redo)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(pictures, "run-*.svg"))
	if err != nil || len(files) != len(Languages)*len(scenarios) {
		t.Errorf("%d pictures of %d runs, %v", len(files), len(scenarios), err)
	}
}

// TestFreshRunIsTheSame plays every scenario on the real services and compares what they did with
// what the pictures show.
func TestFreshRunIsTheSame(t *testing.T) {
	old := kept(t)
	fresh, err := Record(t.Context(), "../../../specs", t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if len(fresh) != len(old) {
		t.Errorf("%d runs, want %d", len(fresh), len(old))
	}
	for _, r := range fresh {
		got, want := strings.Split(r.Normal(), "\n"), strings.Split(old[r.Name].Normal(), "\n")
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("%s: line %d differs; %s\nthe picture:\n%s\nnow:\n%s", r.Name, i, redo, old[r.Name].Normal(), r.Normal())
				break
			}
		}
	}
}

func TestNormalForm(t *testing.T) {
	record := func(kind Kind, from, text, detail string) Step {
		return Step{Kind: kind, From: from, To: "billing.log.v1", Text: text, Detail: detail}
	}
	base := Run{Steps: []Step{
		record(Applied, "billing-1", "@10 PurchaseAccepted", "{on} @9"),
		record(Void, "billing-2", "@11 PurchaseAccepted", "{on} @9"),
		record(Applied, "billing-2", "@12 PurchaseRefused", "{on} @10"),
	}}
	want := base.Normal()
	for name, c := range map[string]struct {
		steps []Step
		same  bool
	}{
		"other positions": {[]Step{
			record(Applied, "billing-1", "@70 PurchaseAccepted", "{on} @3"),
			record(Void, "billing-2", "@71 PurchaseAccepted", "{on} @3"),
			record(Applied, "billing-2", "@75 PurchaseRefused", "{on} @70"),
		}, true},
		"the other instance": {[]Step{
			record(Applied, "billing-2", "@10 PurchaseAccepted", "{on} @9"),
			record(Void, "billing-1", "@11 PurchaseAccepted", "{on} @9"),
			record(Applied, "billing-1", "@12 PurchaseRefused", "{on} @10"),
		}, true},
		"two void records": {[]Step{
			record(Applied, "billing-1", "@10 PurchaseAccepted", "{on} @9"),
			record(Void, "billing-2", "@11 PurchaseAccepted", "{on} @9"),
			record(Void, "billing-2", "@12 PurchaseAccepted", "{on} @9"),
			record(Applied, "billing-2", "@13 PurchaseRefused", "{on} @10"),
		}, true},
		"applied instead of void": {[]Step{base.Steps[0], record(Applied, "billing-2", "@11 PurchaseAccepted", "{on} @9"), base.Steps[2]}, false},
		"no void record":          {[]Step{base.Steps[0], base.Steps[2]}, false},
		"built on another record": {[]Step{base.Steps[0], base.Steps[1], record(Applied, "billing-2", "@12 PurchaseRefused", "{on} @9")}, false},
		"another type":            {[]Step{base.Steps[0], base.Steps[1], record(Applied, "billing-2", "@12 PurchaseAccepted", "{on} @10")}, false},
	} {
		if got := (Run{Steps: c.steps}).Normal(); (got == want) != c.same {
			t.Errorf("%s: the same is %v:\n%s", name, got == want, got)
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	lanes := []string{"sales", "billing"}
	for name, s := range map[string]Step{
		"unknown lane": {Kind: Request, From: "sales", To: "contract", Text: "x"},
		"unknown word": {Kind: Request, From: "sales", To: "billing", Text: "{nothing}"},
	} {
		if _, err := Draw(Run{Name: name, Lanes: lanes, Steps: []Step{s}}, "fr"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	svg, err := Draw(Run{Lanes: lanes, Steps: []Step{{Kind: Request, From: "sales", To: "billing", Text: "<a> & {void}"}}}, "en")
	if err != nil || !bytes.Contains(svg, []byte(">&lt;a&gt; &amp; void<")) {
		t.Errorf("%v: %s", err, svg)
	}
}
