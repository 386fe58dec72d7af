// Package openapidiff compares versions of OpenAPI documents with the library of oasdiff.
//
// Package gate imports it. It is the only one that imports oasdiff.
package openapidiff

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"reflect"
	"slices"
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
	if root.Get("swagger") != nil {
		return nil, fmt.Errorf("%s: %s is not supported, only OpenAPI 3", display(r, root.Get("swagger")), "Swagger 2")
	}
	follow(r, root, map[*source.Node]bool{})
	for _, d := range r.Diags {
		if strings.HasSuffix(d.Message, "leads back to itself") {
			return nil, r.Faults(diag.List{d})
		}
	}
	spec, at, err := read(s, file, root)
	if err != nil {
		if first := slices.IndexFunc(r.Diags, func(d diag.Diagnostic) bool { return d.Severity == diag.Error }); !at.IsValid() && first >= 0 {
			// it is that of a reference
			at, file = r.Diags[first].Pos, r.Diags[first].File
		}
		at.File = r.Display(file)
		return nil, fmt.Errorf("%s: %w", at, oneLine(err))
	}
	if spec.Spec.OpenAPI == "" || spec.Spec.Info == nil {
		return nil, fmt.Errorf("%s: this is not an OpenAPI document: it has no info", s.Display(file))
	}
	return &Document{spec, r, file}, nil
}

// read reads a document from its tree, or as the library does if it refers to others or is not
// valid. The position is that of the error, as far as it is known.
func read(s *input.Side, file string, root *source.Node) (*load.SpecInfo, diag.Pos, error) {
	var at diag.Pos
	if plain(root, map[*source.Node]bool{}) {
		layouts := map[reflect.Type]*layout{}
		spec, err := decode(newLoader(s), root, "/"+file, layouts)
		if err == nil {
			origins{"/" + file, root, layouts}.value(reflect.ValueOf(spec.Spec), source.Pair{Key: root, Value: root})
			return spec, at, nil
		}
		if left := (leftError{}); errors.As(err, &left) {
			at = left.at
		} else if ref := dangling(root, root); ref != nil {
			at = ref.Pos
		}
	}
	data, err := fs.ReadFile(s.FS, file)
	if err != nil {
		return nil, at, err
	}
	loader := newLoader(s) // one that has failed returns what it has read so far
	loader.IncludeOrigin = true
	spec, err := load.NewSpecInfoFromData(loader, data, "/"+file)
	return spec, at, err
}

// dangling returns the first reference of a plain document that leads nowhere, or nil.
func dangling(root, n *source.Node) *source.Node {
	if ref := n.Get("$ref"); ref.Is(source.String) {
		if found, _, _ := root.Lookup(strings.TrimPrefix(ref.Value, "#")); found == nil {
			return ref
		}
	}
	for _, p := range n.Pairs {
		if found := dangling(root, p.Value); found != nil {
			return found
		}
	}
	for _, it := range n.Items {
		if found := dangling(root, it); found != nil {
			return found
		}
	}
	return nil
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

func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
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
