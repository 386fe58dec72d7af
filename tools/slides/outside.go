package slides

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/deferpay/deferpay/tools/fetched"
)

// The version of reveal.js, and the SHA-512 of its npm package.
const (
	revealVersion = "6.0.2"
	revealSum     = "258220e43f5aa31a1a2de6fce0ef8ebc0c2c2967486af56010349cc6d6045c50" +
		"93eade9342b84db5282881c8dd0a974bb168258499f7cf21377d43b0887e4a12"
)

// revealFiles are the files of the package that a deck loads, by their names in the site, and the
// licence that goes with them.
var revealFiles = map[string]string{
	"package/dist/reset.css":  "reveal/reset.css",
	"package/dist/reveal.css": "reveal/reveal.css",
	"package/dist/reveal.js":  "reveal/reveal.js",
	"package/LICENSE":         "reveal/LICENSE",
}

// AddReveal writes the files of reveal.js into the folder of the presentation. npm downloads its
// package once for all work trees. A package with another sum than the pinned one is an error.
func AddReveal(ctx context.Context, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("npm is not installed (Debian and Ubuntu: apt-get install npm)")
	}
	cache, err := fetched.Open()
	if err != nil {
		return err
	}
	kept := cache.Path("reveal", []byte(revealVersion))
	if err := cache.Fill(kept, func(into string) error {
		cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--pack-destination", into, "reveal.js@"+revealVersion)
		cmd.Dir = into // outside of any project
		return fetched.Run(cmd)
	}); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(kept, "reveal.js-"+revealVersion+".tgz"))
	if err != nil {
		return err
	}
	if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != revealSum {
		return fmt.Errorf("the package of reveal.js %s in %s has the sum %x, which is not the pinned one", revealVersion, kept, sum)
	}
	return unpack(data, dir)
}

func unpack(archive []byte, dir string) error {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	left := len(revealFiles)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		name, ok := revealFiles[h.Name]
		if !ok {
			continue
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, "reveal"), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
		left--
	}
	if left > 0 {
		return fmt.Errorf("%d files are missing in the package of reveal.js", left)
	}
	return nil
}

// chromium returns the path of a Chromium or Chrome.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
}

var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

// PDF prints a page of Site, which is a file, and returns an error unless the PDF has the given
// number of pages.
func PDF(ctx context.Context, page, pdf string, pages int) error {
	browser, err := chromium()
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "deferpay-chromium-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	absolute, err := filepath.Abs(page)
	if err != nil {
		return err
	}
	// Chromium has no sandbox for root. It reads our own file, offline.
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--user-data-dir="+profile, "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+absolute)
	if err := fetched.Run(cmd); err != nil {
		return err
	}
	data, err := os.ReadFile(pdf)
	if err != nil {
		return err
	}
	if n := len(pdfPage.FindAll(data, -1)); n != pages {
		return fmt.Errorf("%s has %d pages for %d slides", pdf, n, pages)
	}
	return nil
}
