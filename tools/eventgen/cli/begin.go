package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/starter"
)

// begin is the command init: it writes a config, a program, and the packages that it uses.
func (c *command) begin(args []string) int {
	f := c.flags("init", "[flags] DOCUMENT\n\nBegins a program for a document: "+starter.ConfigFile+" with what it says and leaves out, "+starter.ProgramFile+", which sends and receives its\nmessages, and the generated packages below gen. Files that exist are not overwritten.")
	out := f.String("out", ".", "folder of the program")
	importPath := f.String("import", "", "import path of that folder; by default it follows from the go.mod in it or above it")
	role := f.String("role", "", "owner, client or both, as of generate; by default owner if it receives what it sends, and else both")
	force := f.Bool("force", false, "overwrite "+starter.ConfigFile+" and "+starter.ProgramFile)
	reads := readingFlags(f)
	docs, status, ok := c.parse(f, args)
	switch {
	case !ok:
		return status
	case len(docs) > 1:
		return c.wrong("init begins with one document\n  hint: generate has several in one call")
	case *role != "" && !isRole(*role):
		return c.wrong("-role is owner, client or both, not %q", *role)
	}
	if *importPath == "" {
		found, err := importPathOf(*out)
		if err != nil {
			return c.failed(err)
		}
		*importPath = found
	}
	if err := module.CheckImportPath(*importPath); err != nil {
		return c.wrong("-import: %v\n  hint: as in example.com/shop", err)
	}
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath, config.Role = path.Join(*importPath, "gen"), model.Role(*role)
	m, _, ds := generate.Model(disk{}, config)
	if !ds.HasErrors() && *role == "" && !starter.Alone(m) {
		config.Role = model.Both
		m, _, ds = generate.Model(disk{}, config)
	}
	if ds.HasErrors() {
		c.tell(ds)
		return fault
	}
	files, ds := generate.Generate(disk{}, config)
	if c.tell(ds) {
		return fault
	}
	s := starter.Start{Model: m, Document: relative(*out, docs[0]), Folder: "gen", ImportPath: config.ImportPath, Role: config.Role, Flags: reads.flags(*out)}
	if err := c.start(*out, s, files, *force); err != nil {
		return c.failed(err)
	}
	return done
}

// start writes the files of a program and the generated ones, or none of them.
func (c *command) start(out string, s starter.Start, generated map[string][]byte, force bool) error {
	program, err := s.Program()
	if err != nil {
		return fmt.Errorf("eventgen is at fault: %w", err)
	}
	own := map[string][]byte{filepath.Join(out, starter.ConfigFile): s.Config(), filepath.Join(out, starter.ProgramFile): program}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, err := os.Lstat(name); err == nil && !force {
			return fmt.Errorf("%s exists\n  hint: name another folder with -out, or overwrite it with -force", name)
		}
	}
	plan, err := compare(filepath.Join(out, "gen"), generated)
	if err != nil {
		return err
	}
	maps.Copy(plan.write, own)
	if err := plan.carryOut(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		fmt.Fprintln(c.stdout, "wrote", name)
	}
	fmt.Fprintf(c.stdout, "wrote %s: %d files\n", filepath.Join(out, "gen"), len(generated))
	return nil
}

// importPathOf returns the import path of a folder, from the module that it belongs to.
func importPathOf(folder string) (string, error) {
	at, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	for below := ""; ; at, below = filepath.Dir(at), path.Join(filepath.Base(at), below) {
		data, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && modfile.ModulePath(data) != "" {
			return path.Join(modfile.ModulePath(data), below), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if filepath.Dir(at) == at {
			return "", fmt.Errorf("%s is in no Go module\n  hint: run go mod init example.com/NAME there, or name the import path with -import", folder)
		}
	}
}

// relative returns a path as it is named from a folder.
func relative(folder, name string) string {
	from, err := filepath.Abs(folder)
	to, err2 := filepath.Abs(name)
	if rel, err3 := filepath.Rel(from, to); errors.Join(err, err2, err3) == nil {
		return filepath.ToSlash(rel)
	}
	return name
}

// flags returns the flags of reading that were set, as they are written in a folder.
func (r reading) flags(folder string) []string {
	var out []string
	for _, o := range *r.overlays {
		out = append(out, "-overlay", relative(folder, o))
	}
	if *r.vendor != "" {
		out = append(out, "-vendor", relative(folder, *r.vendor))
	}
	if *r.remote {
		out = append(out, "-allow-remote")
	}
	if *r.raw {
		out = append(out, "-allow-raw")
	}
	return slices.DeleteFunc(out, func(s string) bool { return strings.TrimSpace(s) == "" })
}
