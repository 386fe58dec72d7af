//go:build full

package live

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/deferpay/deferpay/tools/fetched"
)

// The version of axe-core, which checks a page against the rules of accessibility, and the SHA-512
// of its npm package.
const (
	axeVersion = "4.11.0"
	axeSum     = "ilYanEU8vxxBexpJd8cWM4ElSQq4QctCLKih0TSfjIfCQTeyH/6zVrmIJfLPrKTKJRbiG+cfnZbQIjAlJmF1jQ=="
)

// axe returns the script of axe-core. npm downloads its package once for all work trees.
func axe(t *testing.T) (script string, missing string) {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", "npm is not installed"
	}
	cache, err := fetched.Open()
	if err != nil {
		return "", err.Error()
	}
	kept := cache.Path("axe", []byte(axeVersion))
	if err := cache.Fill(kept, func(into string) error {
		cmd := exec.CommandContext(t.Context(), npm, "pack", "--silent", "--pack-destination", into, "axe-core@"+axeVersion)
		cmd.Dir = into // outside of any project
		return fetched.Run(cmd)
	}); err != nil {
		return "", err.Error()
	}
	data, err := os.ReadFile(filepath.Join(kept, "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha512.Sum512(data); base64.StdEncoding.EncodeToString(sum[:]) != axeSum {
		t.Fatalf("the package of axe-core %s in %s is not the pinned one", axeVersion, kept)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("axe.min.js is not in the package: %v", err)
		}
		if h.Name != "package/axe.min.js" {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text), ""
	}
}

// finding is a rule of accessibility that the page breaks.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct {
		Target         []any
		FailureSummary string
	}
}

// accessible fails the test if the page breaks a rule of accessibility whose impact is serious.
// Where there is no npm, it only says so.
func (b *browser) accessible(where string) {
	b.t.Helper()
	script, missing := axe(b.t)
	if missing != "" {
		b.t.Logf("%s: accessibility was not checked: %s", where, missing)
		return
	}
	// A row that fades in has less contrast until it is there.
	still := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})
	defer b.run(emulation.SetEmulatedMedia())
	b.run(still, chromedp.Evaluate(script, nil))
	var found []finding
	b.run(chromedp.Evaluate(`axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations)`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, f := range found {
		text := fmt.Sprintf("%s: %s (%s): %s", where, f.ID, f.Impact, f.Help)
		for i, n := range f.Nodes {
			if i < 4 {
				text += fmt.Sprintf("\n  %v: %s", n.Target, n.FailureSummary)
			}
		}
		if f.Impact == "serious" || f.Impact == "critical" {
			b.t.Error(text)
		} else {
			b.t.Log(text)
		}
	}
}
