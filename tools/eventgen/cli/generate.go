package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/model"
)

func (c *command) generate(args []string) int {
	f := c.flags("generate", "-out DIR -import PATH [flags] DOCUMENT...")
	out := f.String("out", "", "folder that holds the generated packages")
	importPath := f.String("import", "", "import path of that folder")
	role := f.String("role", "owner", "owner: the application that the document describes; client: the other side, with send and receive swapped; both: a package for each side")
	check := f.Bool("check", false, "write nothing; if files on disk differ, print their names and exit with 1")
	strict := f.Bool("strict", false, "warnings are errors")
	unknown := f.Bool("refuse-unknown", false, "the symbol UNKNOWN, where it is the default of an Avro enum, can be read and not written")
	reads := readingFlags(f)
	docs, status, ok := c.parse(f, args)
	switch {
	case !ok:
		return status
	case *out == "" || *importPath == "":
		return c.wrong("generate needs -out and -import")
	case !isRole(*role):
		return c.wrong("-role is owner, client or both, not %q", *role)
	}
	if err := module.CheckImportPath(*importPath); err != nil {
		return c.wrong("-import: %v\n  hint: the module's path and the folder, as in example.com/shop/gen", err)
	}
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath, config.Role, config.Strict, config.RefuseUnknown = *importPath, model.Role(*role), *strict, *unknown
	files, ds := generate.Generate(disk{}, config)
	if c.tell(ds) {
		return fault
	}
	plan, err := compare(*out, files)
	if err != nil {
		return c.failed(err)
	}
	if *check {
		return c.report(plan)
	}
	if err := plan.carryOut(); err != nil {
		return c.failed(err)
	}
	return done
}

func isRole(s string) bool {
	return slices.Contains([]model.Role{model.Owner, model.Client, model.Both}, model.Role(s))
}

// changes are the files to write and to remove. Their paths are complete.
type changes struct {
	write  map[string][]byte
	remove []string
}

// compare finds files that differ from what was generated, and files that are no longer generated.
// An error is returned if the folder, or a folder below it for a package, has a file that eventgen
// did not write.
func compare(out string, files map[string][]byte) (*changes, error) {
	c := &changes{write: map[string][]byte{}}
	packages := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(out, filepath.FromSlash(name))
		packages[filepath.Dir(path)] = true
		c.write[path] = files[name]
	}
	foreign, folders, err := c.lookAt(out)
	if err != nil {
		return nil, err
	}
	for _, dir := range folders {
		others, _, err := c.lookAt(dir)
		if err != nil {
			return nil, err
		}
		if packages[dir] {
			foreign = append(foreign, others...)
		}
	}
	if len(foreign) > 0 {
		return nil, fmt.Errorf("%s contains files that eventgen did not write: %s\n  hint: choose a folder of its own for -out, or move these files", out, strings.Join(foreign, ", "))
	}
	return c, nil
}

// lookAt compares the files of one folder. It returns those that eventgen did not write, and the
// folders in it. Names that begin with a dot and a folder that does not exist are ignored.
func (c *changes) lookAt(dir string) (foreign, folders []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: %w\n  hint: -out has to be a folder; it is created if it does not exist", dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if e.IsDir() {
			folders = append(folders, path)
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		want, current := c.write[path]
		switch {
		case current && bytes.Equal(have, want):
			delete(c.write, path)
		case !ours(have):
			foreign = append(foreign, path)
		case !current:
			c.remove = append(c.remove, path)
		}
	}
	return foreign, folders, nil
}

func ours(data []byte) bool { return bytes.HasPrefix(data, []byte(gofile.Marker)) }

func (c *command) report(p *changes) int {
	if len(p.write) == 0 && len(p.remove) == 0 {
		return done
	}
	for _, path := range slices.Sorted(maps.Keys(p.write)) {
		fmt.Fprintf(c.stderr, "%s: differs from what the documents generate\n", path)
	}
	for _, path := range p.remove {
		fmt.Fprintf(c.stderr, "%s: is no longer generated\n", path)
	}
	fmt.Fprintln(c.stderr, "  hint: run eventgen generate without -check")
	return fault
}

func (p *changes) carryOut() error {
	for _, path := range slices.Sorted(maps.Keys(p.write)) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, p.write[path], 0o644); err != nil {
			return err
		}
	}
	for _, path := range p.remove {
		if err := os.Remove(path); err != nil {
			return err
		}
		_ = os.Remove(filepath.Dir(path)) // is removed only if it is empty
	}
	return nil
}
