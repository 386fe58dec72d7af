// Package openapidiff compares versions of OpenAPI documents with the library of oasdiff.
//
// Package gate imports it. It is the only one that imports oasdiff.
package openapidiff

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"reflect"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Kind is the kind of the findings.
const Kind = "openapi"

// levels are the levels of oasdiff.
var levels = map[checker.Level]finding.Level{checker.ERR: finding.Breaking, checker.WARN: finding.Warning, checker.INFO: finding.Info}

// Document is a document as oasdiff reads it.
type Document struct {
	spec   *load.SpecInfo
	reader *input.Reader
	file   string
}

// Load reads a document of a side.
func Load(s *input.Side, file string) (*Document, error) {
	r := s.Reader()
	root := r.Open(file, diag.Pos{})
	if err := r.Err(); err != nil {
		return nil, err
	}
	if err := version(r, root); err != nil {
		return nil, err
	}
	follow(r, root, map[*source.Node]bool{})
	for _, d := range r.Diags {
		if strings.HasSuffix(d.Message, "leads back to itself") {
			// it is none in an example, which is any value
			if err := locate(s, file); err != nil {
				return nil, err
			}
		}
	}
	spec, err := read(s, file, root)
	if err != nil {
		return nil, cmp.Or(locate(s, file), fmt.Errorf("%s: %w", display(r, root), oneLine(err)))
	}
	if spec.Spec.Info == nil {
		return nil, fmt.Errorf("%s: this is not an OpenAPI document: it has no info", display(r, root))
	}
	if err := complete(r, root, spec.Spec); err != nil {
		return nil, err
	}
	return &Document{spec, r, file}, nil
}

// version returns an error if a document is of a version that the library does not read.
func version(r *input.Reader, root *source.Node) error {
	is := root.Get("openapi")
	switch {
	case root.Get("swagger") != nil:
		return fmt.Errorf("%s: %s is not supported, only OpenAPI 3", display(r, root.Get("swagger")), "Swagger 2")
	case is == nil || is.Kind == source.Null:
		return fmt.Errorf("%s: this is not an OpenAPI document: it has no version", display(r, root))
	case (is.Is(source.Int) || is.Is(source.Float)) && strings.HasPrefix(is.Value, "3"):
		return fmt.Errorf("%s: the version of OpenAPI is a number: put it in quotes", display(r, is))
	case is.Str() != "3" && !strings.HasPrefix(is.Str(), "3."):
		return fmt.Errorf("%s: OpenAPI %s is not supported, only OpenAPI 3", display(r, is), is.JSON())
	}
	return nil
}

// read reads a document from its tree, or as the library does if it refers to others or is not
// valid.
func read(s *input.Side, file string, root *source.Node) (*load.SpecInfo, error) {
	if plain(root, map[*source.Node]bool{}) {
		layouts := map[reflect.Type]*layout{}
		spec, err := decode(newLoader(s), root, "/"+file, layouts)
		if err == nil {
			origins{"/" + file, root, layouts}.value(reflect.ValueOf(spec.Spec), source.Pair{Key: root, Value: root})
			return spec, nil
		}
	}
	data, err := fs.ReadFile(s.FS, file)
	if err != nil {
		return nil, err
	}
	loader := newLoader(s) // one that has failed returns what it has read so far
	loader.IncludeOrigin = true
	return load.NewSpecInfoFromData(loader, data, "/"+file)
}

// newLoader returns a loader that reads the files of a side.
func newLoader(s *input.Side) *openapi3.Loader {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	loader.ReadFromURIFunc = func(_ *openapi3.Loader, at *url.URL) ([]byte, error) {
		if at.Scheme != "" || at.Host != "" {
			return nil, fmt.Errorf("%s is remote, which is not read", at)
		}
		return fs.ReadFile(s.FS, strings.TrimPrefix(at.Path, "/"))
	}
	return loader
}

// follow follows every $ref of a tree, of which the reader remembers the faults. The library reads
// references that lead back to themselves as values that are not there.
func follow(r *input.Reader, n *source.Node, seen map[*source.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	if n.Get("$ref").Is(source.String) {
		r.Deref(n)
	}
	for _, p := range n.Pairs {
		follow(r, p.Value, seen)
	}
	for _, it := range n.Items {
		follow(r, it, seen)
	}
}

func display(r *input.Reader, n *source.Node) string {
	at := n.Pos
	at.File = r.Display(at.File)
	return at.String()
}

// oneLine returns an error of the library in one line, without the two parsers that it tried.
func oneLine(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, cause, found := strings.Cut(text, "while decoding JSON: "); found {
		text = cause
	}
	return errors.New(text)
}

// Compare returns everything that oasdiff finds, and how parameters are written, which it does not
// check.
func Compare(former, next *Document) (out []finding.Finding, err error) {
	changes, operations, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), former.spec, next.spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", next.reader.Display(next.file), oneLine(err))
	}
	words := checker.NewDefaultLocalizer()
	config := checker.NewConfig(checker.GetAllChecks())
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(config, changes, operations, checker.INFO) {
		f := finding.Finding{Level: levels[c.GetLevel()], ID: c.GetId(), Kind: Kind, Message: c.GetUncolorizedText(words), Hint: c.GetComment(words)}
		if c.GetPath() != "" {
			f.Message = strings.TrimSpace(c.GetOperation()+" "+c.GetPath()) + ": " + f.Message
		}
		place(&f, c, former, next)
		out = append(out, f)
	}
	return append(out, serializations(changes, next)...), nil
}

// place sets the place of a finding: that of the change in the new document, or else in the former
// one, or else the operation.
func place(f *finding.Finding, c checker.Change, former, next *Document) {
	d, at := next, c.GetRevisionSource()
	if at == nil && c.GetBaseSource() != nil {
		d, at = former, c.GetBaseSource()
	}
	f.File = d.reader.Display(d.file)
	if at != nil && at.Line > 0 {
		file := d.file
		if at.File != "" {
			file = strings.TrimPrefix(at.File, "/")
		}
		f.File, f.Line, f.Col = d.reader.Display(file), at.Line, at.Column
		f.Pointer = d.reader.Pointer(diag.Pos{File: file, Line: at.Line, Col: at.Column})
	}
	if f.Pointer == "" && c.GetPath() != "" {
		f.Pointer = "/paths/" + source.Escape(c.GetPath())
		if c.GetOperation() != "" {
			f.Pointer += "/" + strings.ToLower(c.GetOperation())
		}
	}
}
