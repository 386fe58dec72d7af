// Package chromium runs a Chromium that is installed on the machine, for what prints or checks
// pages. Tools and their tests import it; services never do.
package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Path returns the path of a Chromium or Chrome.
func Path() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is not installed (Debian and Ubuntu: apt-get install chromium)")
}

// Profile returns a new folder for the profile of a browser, and a function that removes it. A
// process of a browser may write to its profile after the browser has ended, so a file may be left
// behind in the folder of temporary files. That is no error.
func Profile() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "deferpay-chromium-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// Run opens a page without a window, and returns what the browser printed and what it logged. The
// arguments come after those that every run has. It returns an error if Path does, and if the
// browser does not end with status 0.
func Run(ctx context.Context, url string, args ...string) (printed, logged []byte, err error) {
	path, err := Path()
	if err != nil {
		return nil, nil, err
	}
	profile, remove, err := Profile()
	if err != nil {
		return nil, nil, err
	}
	defer remove()
	// Chromium has no sandbox for root. It opens our own pages alone.
	all := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--user-data-dir=" + profile}, args...)
	cmd := exec.CommandContext(ctx, path, append(all, url)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w\n%s", path, err, errs.Bytes())
	}
	return out.Bytes(), errs.Bytes(), nil
}
