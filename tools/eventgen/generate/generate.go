// Package generate runs the stages of eventgen: it turns documents into files. It writes nothing.
package generate

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/emit"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/overlay"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/eventgen/structure"
)

// Config says what to generate.
type Config struct {
	Documents  []string        // paths in the file system
	ImportPath string          // of the output folder
	Role       model.Role      // the side of the operations; empty: the owner's
	Strict     bool            // warnings are errors
	Keep       bool            // a present schema that is not kept is not a fault
	Raw        bool            // a payload in an unknown format becomes bytes
	Fetch      reference.Fetch // fetches URLs; nil: only copies below vendor are read
	// path of a file with what the documents leave out; empty: there is none
	Settings string
	Overlays []string // paths of files of actions that change the documents
	Vendor   string   // folder with copies of what URLs refer to; empty: vendor beside a document
	// the symbol UNKNOWN, where it is the default of an Avro enum, is read and never written
	RefuseUnknown bool
	// returns the complete path of a file; nil: the file system has no other
	Complete func(name string) string
}

// Generate returns the files of all documents, by their paths below the output folder, and the
// diagnostics in the order of their positions. For the same input it returns the same bytes. If a
// diagnostic is an error, it returns no files.
func Generate(fsys fs.FS, c Config) (map[string][]byte, diag.List) {
	m, files, diags := Model(fsys, c)
	if diags.HasErrors() {
		return nil, diags
	}
	out, err := printAll(m, files, c, &diags)
	if err != nil {
		diags.Add(diag.Diagnostic{Message: "eventgen is at fault: " + err.Error(), Hint: "please report it with the documents"})
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return out, diags
}

// Model returns the model of all documents, for commands that need the contract but no code.
func Model(fsys fs.FS, c Config) (*model.Model, *reference.Files, diag.List) {
	var diags diag.List
	files := reference.New(fsys, c.Fetch, &diags)
	files.Copies(c.Vendor)
	overlays := overlaid(fsys, c, files, &diags)
	docs := parse.Documents(files, c.Documents, c.Raw, &diags)
	for _, o := range overlays {
		o.Unused(&diags)
	}
	settings, _ := beside(fsys, "config", c.Settings, &diags)
	parse.Settings(settings, docs, files, &diags)
	// even after errors, to report all of them at once
	m := model.Build(docs, files, model.Config{ImportPath: c.ImportPath, Role: c.Role, Keep: c.Keep}, &diags)
	for _, d := range docs {
		checkStructure(files.Open(d.File, diag.Pos{}), &diags)
	}
	if c.Strict {
		diags = diags.Strict()
	}
	return m, files, diags.Sorted()
}

// overlaid has the documents changed by overlays, and returns those that are for one of them. One
// that extends a document is for that one alone.
func overlaid(fsys fs.FS, c Config, files *reference.Files, diags *diag.List) (used []*overlay.Overlay) {
	for _, name := range c.Overlays {
		root, data := beside(fsys, "overlay", name, diags)
		o := overlay.Parse(root, diags)
		documents := c.Documents
		if o.Extends != "" {
			extended := files.Resolve(name, o.Extends)
			documents = slices.DeleteFunc(slices.Clone(documents), func(d string) bool { return path.Clean(d) != extended })
			if len(documents) == 0 {
				diags.ErrorHint(root.Get("extends").Pos, "name the document too, or leave extends out", "the overlay extends %s, which is not one of the documents", extended)
				continue
			}
		}
		used = append(used, o)
		for _, d := range documents {
			files.Edit(d, func(n *source.Node) *source.Node { return o.Apply(n, diags) }, data)
		}
	}
	return used
}

// beside returns the root and the bytes of a file that is not one of the sources; what says what it
// is. It returns nil after reporting that it cannot be read, and for the name "".
func beside(fsys fs.FS, what, name string, diags *diag.List) (*source.Node, []byte) {
	if name == "" {
		return nil, nil
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		diags.Errorf(diag.Pos{File: name}, "cannot read the %s: %v", what, err)
		return nil, nil
	}
	n, ds := source.Parse(name, data)
	diags.Add(ds...)
	return n, data
}

// checkStructure adds the violations of the official schema, except on lines that have a
// diagnostic.
func checkStructure(root *source.Node, diags *diag.List) {
	told := slices.Clone(*diags)
	for _, found := range structure.Check(root) {
		if !slices.ContainsFunc(told, func(d diag.Diagnostic) bool { return d.File == found.File && d.Line == found.Line }) {
			diags.Add(found)
		}
	}
}

// printAll prints the packages of types and those of documents.
func printAll(m *model.Model, files *reference.Files, c Config, diags *diag.List) (map[string][]byte, error) {
	sum := func(source string) string { return files.Sum(source)[:12] }
	name := names(files.Local(), c.Complete)
	out, types, err := m.Avro.Emit(avro.Config{ImportPath: c.ImportPath, Sum: sum, Name: name, RefuseUnknown: c.RefuseUnknown})
	if err != nil {
		return nil, err
	}
	config := m.JSONConfig()
	config.Sum, config.Name = sum, name
	jsons, jsonTypes, err := m.JSON.Emit(config)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, jsons)
	for name, t := range jsonTypes {
		types["JSON Schema "+name] = avro.GoType(t)
	}
	if clashes(m, types, diags); diags.HasErrors() {
		return nil, nil
	}
	buses, err := emit.Packages(m, sum, name)
	if err != nil {
		return nil, err
	}
	for at, data := range buses {
		if _, taken := out[at]; taken {
			return nil, fmt.Errorf("two files have the name %s", at)
		}
		out[at] = data
	}
	return out, nil
}

// names returns the function that names a file relative to the nearest folder that all files are
// below, so that what is generated depends neither on where they are nor on how their paths were
// typed.
func names(all []string, complete func(string) string) func(string) string {
	if complete == nil {
		complete = func(name string) string { return "/" + path.Clean(name) }
	}
	folder := func(at string) string { return strings.TrimSuffix(path.Dir(at), "/") + "/" }
	root := ""
	for i, name := range all {
		at := complete(name)
		if i == 0 {
			root = folder(at)
		}
		for root != "/" && !strings.HasPrefix(at, root) {
			root = folder(strings.TrimSuffix(root, "/"))
		}
	}
	return func(name string) string {
		if !slices.Contains(all, name) {
			return name // a URL
		}
		return strings.TrimPrefix(complete(name), root)
	}
}

// clashes refuses packages and channels with the name of a package or type of payloads.
func clashes(m *model.Model, types map[string]avro.GoType, diags *diag.List) {
	for _, full := range slices.Sorted(maps.Keys(types)) {
		t := types[full]
		for _, p := range m.Packages {
			if p.Name == t.Package {
				diags.ErrorHint(p.Pos, "name the package of the document with info.x-go-package", "the package %s is also that of the type %s", p.Name, full)
			}
		}
		for _, s := range m.Sealed {
			if s.Package == t.Package && s.Go == t.Name && s.Together {
				diags.ErrorHint(s.Pos, "give the channel another name", "the interface of the channel %s would have the name of the Avro type %s", s.Go, full)
			}
		}
	}
}
