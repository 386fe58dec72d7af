// Package emit prints the model as Go, with one template for each kind of file.
//
// It makes no decisions: the model determines the content of each file. Package generate imports
// it.
package emit

import (
	"cmp"
	"embed"
	"fmt"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

//go:embed templates/*.tmpl
var templates embed.FS

var tmpl = template.Must(template.New("").Funcs(template.FuncMap{
	"comment":     gofile.Comment,
	"quote":       strconv.Quote,
	"unexport":    goname.Unexported,
	"constrained": func(s parse.Scalar) bool { return rules(s) != "" },
	"rules":       rules,
}).ParseFS(templates, "templates/*.tmpl"))

// Packages returns the files of the documents' packages, and those that the documents add to
// packages of Avro types, by their paths below the output folder. Sum returns the hash of a source,
// and name its name in the headers.
func Packages(m *model.Model, sum, name func(source string) string) (map[string][]byte, error) {
	files := map[string]gofile.File{}
	for _, p := range m.Packages {
		files[path.Join(p.Name, "doc.go")] = gofile.Doc(p.Name, comment(p, name), "handshake.Version3", []string{p.Document}, sum)
		for part, needed := range parts(p) {
			if !needed {
				continue
			}
			body, err := execute(part, struct {
				*model.Package
				Several bool
			}{p, len(p.Receivers) > 1})
			if err != nil {
				return nil, err
			}
			files[path.Join(p.Name, part+".go")] = gofile.File{Package: p.Name, Sources: []string{p.Document}, Imports: p.Imports, Body: body}
		}
	}
	for _, s := range m.Sealed {
		body, err := execute("sealed", s)
		if err != nil {
			return nil, err
		}
		files[path.Join(s.Package, strings.ToLower(s.Go)+"_sealed.go")] = gofile.File{Package: s.Package, Sources: s.Sources, Body: body}
	}
	return printed(files, name)
}

// comment returns the comment of a package.
func comment(p *model.Package, name func(source string) string) string {
	what := cmp.Or(p.Title, name(p.Document))
	if p.Role == model.Client {
		what += " from the side of a client: it receives what the document says is sent, and sends what is received"
	}
	return fmt.Sprintf("Package %s sends and receives the messages of %s.\n\n%s", p.Name, what, p.Doc)
}

// parts returns the templates of a package's files, and whether the package needs them.
func parts(p *model.Package) map[string]bool {
	return map[string]bool{
		"topics":    len(p.Topics)+len(p.Addresses) > 0,
		"messages":  len(p.Specs) > 0,
		"publisher": len(p.Senders)+len(p.Requesters) > 0,
		"servers":   len(p.Servers) > 0,
		"handler":   len(p.Receivers) > 0,
		"codec":     len(p.Framed) > 0,
		"examples":  len(p.Examples) > 0,
	}
}

func execute(name string, data any) (string, error) {
	var b strings.Builder
	err := tmpl.ExecuteTemplate(&b, name+".tmpl", data)
	return b.String(), err
}

func printed(files map[string]gofile.File, source func(string) string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, f := range files {
		var err error
		if out[name], err = f.Named(source).Print(); err != nil {
			return nil, fmt.Errorf("generated %s: %w", name, err)
		}
	}
	return out, nil
}

// rules returns the constraints of a text as fields of bus.Header.
func rules(s parse.Scalar) string {
	var out []string
	add := func(name, value string) { out = append(out, name+": "+value) }
	if s.Const != "" {
		add("Const", strconv.Quote(s.Const))
	}
	if len(s.Enum) > 0 {
		add("Enum", fmt.Sprintf("%#v", s.Enum))
	}
	if s.MinLength > 0 {
		add("MinLength", strconv.FormatInt(s.MinLength, 10))
	}
	if s.MaxLength > 0 {
		add("MaxLength", strconv.FormatInt(s.MaxLength, 10))
	}
	if s.Pattern != "" {
		add("Pattern", strconv.Quote(s.Pattern))
	}
	if s.Format == "date-time" || s.Format == "uuid" {
		add("Format", strconv.Quote(s.Format))
	}
	return strings.Join(out, ", ")
}
