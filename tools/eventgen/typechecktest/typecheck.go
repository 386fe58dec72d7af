// Package typechecktest checks generated code for tests of the generator, which alone import it. It
// type-checks code without building it, which takes milliseconds for a package, lists what code
// declares, finds types that are too vague, and runs the go command on code in a module of its own.
package typechecktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"sync"
	"testing"
)

// Checker type-checks generated code. It loads each package that generated code imports only once.
// It is not safe for concurrent use.
type Checker struct {
	known types.Importer
}

// allowed are the packages that generated code may import, apart from its own.
var allowed = []string{"github.com/deferpay/deferpay/tools/eventgen/runtime/...", "github.com/ThreeDotsLabs/watermill/message", "github.com/google/uuid",
	"context", "errors", "fmt", "math", "math/big", "regexp", "slices", "strconv", "strings", "time"}

// shared is the checker of the test binary.
var shared = sync.OnceValues(load)

// New returns the checker of the test binary. The first call builds the packages that generated
// code may import.
func New(t testing.TB) *Checker {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func load() (*Checker, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, allowed...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	exports := map[string]string{} // import path -> file
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ ImportPath, Export string }
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		exports[p.ImportPath] = p.Export
	}
	return &Checker{importer.ForCompiler(token.NewFileSet(), "gc", func(p string) (io.ReadCloser, error) {
		if exports[p] == "" {
			return nil, fmt.Errorf("generated code may not import %s", p)
		}
		return os.Open(exports[p])
	})}, nil
}

// Code is parsed generated code.
type Code struct {
	importPath string
	packages   map[string][]*ast.File // by import path
	fset       *token.FileSet
}

// Parse parses generated files, whose paths are below importPath.
func Parse(importPath string, files map[string][]byte) (*Code, error) {
	c := &Code{importPath, map[string][]*ast.File{}, token.NewFileSet()}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(c.fset, name, files[name], parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p := path.Join(importPath, path.Dir(name))
		c.packages[p] = append(c.packages[p], f)
	}
	return c, nil
}

// Check returns the error that the compiler would report, or nil if the code compiles.
func (c *Checker) Check(code *Code) error {
	i := &imports{known: c.known, code: code, done: map[string]*types.Package{}}
	for _, p := range slices.Sorted(maps.Keys(code.packages)) {
		if _, err := i.Import(p); err != nil {
			return err
		}
	}
	return nil
}

// imports imports packages of the generated code by checking them, and others from their export
// data.
type imports struct {
	known types.Importer
	code  *Code
	done  map[string]*types.Package
}

// Import implements types.Importer.
func (i *imports) Import(p string) (*types.Package, error) {
	if done := i.done[p]; done != nil {
		return done, nil
	}
	files := i.code.packages[p]
	if files == nil {
		return i.known.Import(p)
	}
	config := types.Config{Importer: i}
	pkg, err := config.Check(p, i.code.fset, files, nil)
	if err != nil {
		return nil, err
	}
	i.done[p] = pkg
	return pkg, nil
}
