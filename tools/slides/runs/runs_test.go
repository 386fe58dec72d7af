package runs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/fulltest"
)

const (
	pictures = "../../../docs/presentation/pictures"
	redo     = "record it again: go run ./tools/slides/record -runs"
)

// kept returns the runs of which the presentation has pictures.
func kept(t *testing.T) map[string]Run {
	t.Helper()
	all, err := Read(pictures)
	if err != nil || len(all) != len(scenarios) {
		t.Fatalf("%d runs of %d scenarios, %v", len(all), len(scenarios), err)
	}
	list := map[string]Run{}
	for _, r := range all {
		list[r.Name] = r
	}
	return list
}

func TestPicturesShowTheirRuns(t *testing.T) {
	all, err := Read(pictures)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Files(all)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range want {
		if got, err := os.ReadFile(filepath.Join(pictures, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s is not the picture of its run, %v; draw it again: go run ./tools/slides/record -redraw", name, err)
		}
	}
	for _, pattern := range []string{"run-*.svg", "slide-*.svg", "runs/*.json"} {
		files, err := filepath.Glob(filepath.Join(pictures, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			if name, _ := filepath.Rel(pictures, f); want[name] == nil {
				t.Errorf("%s is of no scenario", name)
			}
		}
	}
}

// TestSlideForm checks what is left of a run on a slide: every record and message of the lanes that
// are shown, in fewer rows.
func TestSlideForm(t *testing.T) {
	r := Run{Lanes: []string{"manager", "contract", contractLog, contractFacts, "billing", billingLog}, Steps: []Step{
		{Kind: Request, From: "manager", To: "contract", Text: "PATCH"},
		{Kind: Applied, From: "contract", To: contractLog, Text: "Suspended"},
		{Kind: Event, From: contractLog, To: contractFacts, Text: "ContractSuspended"},
		{Kind: Applied, From: "billing", To: billingLog, Via: contractFacts, Text: "ContractObserved"},
		{Kind: Void, From: "billing", To: billingLog, Text: "PurchaseAccepted"},
	}}
	folded := form{fold: true}.of(r)
	if got, want := strings.Join(folded.Lanes, " "), "manager contract contract.facts.v1 billing"; got != want {
		t.Errorf("lanes %s, want %s", got, want)
	}
	if got := rowsOf(folded); !slices.Equal(got, []int{0, 1, 2, 2, 3}) {
		t.Errorf("rows %v: the record shares the row of its message, and nothing else does", got)
	}
	if got := rowsOf(r); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("rows %v of the whole run", got)
	}
	less := form{hidden: []string{"manager", "contract", contractLog}}.of(r)
	if len(less.Steps) != 3 || less.Steps[0] != (Step{Kind: Arrival, From: contractFacts, Text: "ContractSuspended"}) || less.Steps[2].Kind != Void {
		t.Errorf("without contract: %+v", less.Steps)
	}
}

// TestFreshRunIsTheSame plays every scenario on the real services and compares what they did with
// what the pictures show.
func TestFreshRunIsTheSame(t *testing.T) {
	fulltest.Only(t, "it plays every scenario on real processes")
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
