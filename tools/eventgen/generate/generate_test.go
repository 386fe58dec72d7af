package generate

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics")

// TestDiagnostics runs every case in testdata: an archive of input files and the expected
// diagnostics, "want". The documents are the files whose names contain asyncapi. The comment of the
// archive describes the case; a line that begins with "flags:" sets client, both, strict or raw.
// The file "api" is optional and lists the exported declarations, without those that all types
// have. The generated code must compile.
func TestDiagnostics(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	more, err2 := filepath.Glob("testdata/*/*.txtar")
	if cases = append(cases, more...); err != nil || err2 != nil || len(more) == 0 {
		t.Fatal(cases, err, err2)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), "testdata/"), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fsys, config := fstest.MapFS{}, Config{ImportPath: "example.com/gen"}
			for _, f := range a.Files {
				if f.Name == "want" || f.Name == "api" {
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				if strings.Contains(f.Name, "asyncapi") {
					config.Documents = append(config.Documents, f.Name)
				}
			}
			for line := range strings.Lines(string(a.Comment)) {
				if flags, ok := strings.CutPrefix(line, "flags:"); ok {
					config.Strict, config.Raw = strings.Contains(flags, "strict"), strings.Contains(flags, "raw")
					for _, role := range []model.Role{model.Client, model.Both} {
						if strings.Contains(flags, string(role)) {
							config.Role = role
						}
					}
				}
			}
			files, ds := Generate(fsys, config)
			if ds.HasErrors() != (files == nil) {
				t.Errorf("there are %d files, and errors: %t", len(files), ds.HasErrors())
			}
			for _, d := range ds {
				if d.Col == 0 && len(fsys) > 0 {
					t.Errorf("a diagnostic has no position: %s", d)
				}
			}
			code := compiles(t, config.ImportPath, files)
			if vague := code.Vague(); len(vague) > 0 {
				t.Errorf("types are less specific than their schemas:\n%s", strings.Join(vague, "\n"))
			}
			compare(t, a, "want", ds.Error()+"\n")
			if slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == "api" }) {
				compare(t, a, "api", api(code, files))
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// compiles parses generated files and fails the test unless they would compile.
func compiles(t *testing.T, importPath string, files map[string][]byte) *typechecktest.Code {
	t.Helper()
	code, err := typechecktest.Parse(importPath, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := typechecktest.New(t).Check(code); err != nil {
		t.Errorf("the generated code does not compile: %v", err)
	}
	return code
}

// compare compares a file of an archive with got, or replaces it with -update.
func compare(t *testing.T, a *txtar.Archive, name, got string) {
	t.Helper()
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		a.Files, i = append(a.Files, txtar.File{Name: name}), len(a.Files)
	}
	if *update {
		a.Files[i].Data = []byte(got)
	}
	if string(a.Files[i].Data) != got {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, a.Files[i].Data)
	}
}

// always are the declarations of every type and package, which the archives do not list.
var always = []string{"AppendAvro", "DecodeAvro", "WriteAvro", "ReadAvro", "AvroType", "Validate", "JSONType", "AppendJSON", "DecodeJSON", "UnmarshalJSON", "MarshalJSON",
	"SchemaOf", "NameOf", "FingerprintOf", "String()", "NewPublisher", "NewRequester", "type Publisher ", "type Requester ", "Subjects()", "Topics()", "Servers()", "Requester) Close("}

// api returns the exported declarations of generated code, and the rows of the tables of topics,
// addresses and servers.
func api(code *typechecktest.Code, files map[string][]byte) string {
	lines := slices.DeleteFunc(code.API(), func(l string) bool {
		return slices.ContainsFunc(always, func(c string) bool { return strings.Contains(l, c) })
	})
	for _, name := range slices.Sorted(maps.Keys(files)) {
		base := filepath.Base(name)
		_, body, _ := strings.Cut(string(files[name]), "[]bus.Server{\n")
		if base == "topics.go" {
			body = string(files[name])
		}
		for line := range strings.Lines(body) {
			if base == "servers.go" && strings.Contains(line, ":") || base == "topics.go" && strings.Contains(line, "{Name: ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// BenchmarkOwnDocuments generates from the documents of this repository, which should take less
// than 200 ms.
func BenchmarkOwnDocuments(b *testing.B) {
	c := Config{ImportPath: "example.com/gen", Documents: ownDocuments}
	for b.Loop() {
		if _, ds := Generate(os.DirFS("../../.."), c); len(ds) > 0 {
			b.Fatal(ds.Error())
		}
	}
}
