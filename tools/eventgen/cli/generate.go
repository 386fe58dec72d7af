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

	"github.com/deferpay/deferpay/tools/eventgen/emit"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
)

func (c *command) generate(args []string) int {
	f := c.flags("generate", "-out DIR -import PATH [flags] DOCUMENT...")
	out := f.String("out", "", "folder that holds the generated packages")
	importPath := f.String("import", "", "import path of that folder")
	role := f.String("role", "owner", "owner: as the document says; client: the other side, send and receive swapped")
	check := f.Bool("check", false, "write nothing; exit status 1, and the names of the files, when those on disk differ")
	strict := f.Bool("strict", false, "warnings are errors")
	docs, status, ok := c.parse(f, args)
	switch {
	case !ok:
		return status
	case *out == "" || *importPath == "":
		return c.wrong("generate needs -out and -import")
	case *role != "owner" && *role != "client":
		return c.wrong("-role is owner or client, not %q", *role)
	}
	files, ds := generate.Generate(disk{}, generate.Config{Documents: docs, ImportPath: *importPath, Client: *role == "client", Strict: *strict})
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

// changes is what has to happen on disk. Paths are complete.
type changes struct {
	write  map[string][]byte
	remove []string
}

// compare finds the files that differ from what was generated and generated files that no longer are. It fails when a file that somebody else wrote is in the way.
func compare(out string, files map[string][]byte) (*changes, error) {
	c := &changes{write: map[string][]byte{}}
	var foreign []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(out, filepath.FromSlash(name))
		have, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.write[path] = files[name]
		case err != nil:
			return nil, err
		case bytes.Equal(have, files[name]):
		case !ours(have):
			foreign = append(foreign, path)
		default:
			c.write[path] = files[name]
		}
	}
	if len(foreign) > 0 {
		return nil, fmt.Errorf("eventgen did not write %s and will not overwrite it\n  hint: choose another -out, or move it away", strings.Join(foreign, ", "))
	}
	err := c.findStale(out, files)
	return c, err
}

func ours(data []byte) bool { return bytes.HasPrefix(data, []byte(emit.Marker)) }

// findStale looks through the folders directly below out, where packages lie.
func (c *changes) findStale(out string, files map[string][]byte) error {
	found, err := filepath.Glob(filepath.Join(out, "*", "*.go"))
	if err != nil {
		return err
	}
	for _, path := range found {
		rel, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		if _, current := files[filepath.ToSlash(rel)]; current {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if ours(data) {
			c.remove = append(c.remove, path)
		}
	}
	return nil
}

func (c *command) report(p *changes) int {
	if len(p.write) == 0 && len(p.remove) == 0 {
		return done
	}
	for _, path := range slices.Sorted(maps.Keys(p.write)) {
		fmt.Fprintf(c.stderr, "%s: differs from what the documents generate\n", path)
	}
	for _, path := range p.remove {
		fmt.Fprintf(c.stderr, "%s: is generated no more\n", path)
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
		_ = os.Remove(filepath.Dir(path)) // goes only when it is empty
	}
	return nil
}
