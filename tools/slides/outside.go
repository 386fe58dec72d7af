package slides

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/deferpay/deferpay/tools/chromium"
	"github.com/deferpay/deferpay/tools/fetched"
)

// reveal is the package of reveal.js.
var reveal = fetched.Package{Name: "reveal.js", Version: "6.0.2", Sum: "258220e43f5aa31a1a2de6fce0ef8ebc0c2c2967486af56010349cc6d6045c50" +
	"93eade9342b84db5282881c8dd0a974bb168258499f7cf21377d43b0887e4a12"}

// revealFiles are the files of the package that a deck loads, by their names in the site, and the
// licence that goes with them.
var revealFiles = map[string]string{
	"package/dist/reset.css":  "reveal/reset.css",
	"package/dist/reveal.css": "reveal/reveal.css",
	"package/dist/reveal.js":  "reveal/reveal.js",
	"package/LICENSE":         "reveal/LICENSE",
}

// AddReveal writes the files of reveal.js into the folder of the presentation.
func AddReveal(ctx context.Context, dir string) error {
	files, err := reveal.Files(ctx, slices.Collect(maps.Keys(revealFiles))...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "reveal"), 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, revealFiles[name]), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

// PDF prints a page of Site, which is a file, and returns an error unless the PDF has the given
// number of pages.
func PDF(ctx context.Context, page, pdf string, pages int) error {
	absolute, err := filepath.Abs(page)
	if err != nil {
		return err
	}
	if _, _, err := chromium.Run(ctx, "file://"+absolute, "--no-pdf-header-footer", "--print-to-pdf="+pdf); err != nil {
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
