// Package input finds and classifies contracts: files and folders, in the working tree or as they
// were at a commit of git.
//
// The command and package gate import it.
package input

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Kind is a kind of contract.
type Kind string

// The kinds of contracts.
const (
	Avro     Kind = "avro"
	AsyncAPI Kind = "asyncapi"
	OpenAPI  Kind = "openapi"
)

// Side is one version of the contracts.
type Side struct {
	FS    fs.FS
	Label string // put before the names of files, if it is not empty: v0.1.0

	root string // of the files: a file or a folder in FS
	name string // of root, as it was typed
	file bool   // root is a file

	fromRoot bool // FS begins at the root of the machine

	// absent returns an error if the contracts of a commit are not in the repository: those of a
	// submodule, or of what a symbolic link leads to. It is nil for other sides.
	absent func(at string, isSubmodule bool) error
}

// File is a contract.
type File struct {
	Path string // in FS
	Rel  string // relative to the folder; the base name of a single file
	Kind Kind
}

// Open returns the file or the folder of a name in the working tree.
func Open(name string) (*Side, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	volume := filepath.VolumeName(abs)
	root := filepath.ToSlash(strings.TrimPrefix(abs, volume))
	side, err := newSide(os.DirFS(volume+"/"), strings.TrimPrefix(root, "/"), filepath.ToSlash(name), "")
	if err != nil {
		return nil, err
	}
	side.fromRoot = true
	return side, nil
}

// In returns the file or the folder of a name in a file system. With a label, names of files begin
// with it.
func In(fsys fs.FS, root, label string) (*Side, error) { return newSide(fsys, root, root, label) }

func newSide(fsys fs.FS, root, name, label string) (*Side, error) {
	if root == "" {
		root = "."
	}
	info, err := fs.Stat(fsys, root)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file or folder", display(label, name))
		}
		return nil, fmt.Errorf("%s: %w", display(label, name), err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: this is neither a regular file nor a folder", display(label, name))
	}
	return &Side{FS: regular{fsys}, Label: label, root: path.Clean(root), name: path.Clean(name), file: !info.IsDir()}, nil
}

func display(label, name string) string {
	if label == "" {
		return name
	}
	return label + ":" + name
}

// IsFile reports whether the side is one file.
func (s *Side) IsFile() bool { return s.file }

// Display returns the name of a file of FS as a user knows it: relative to what was typed.
func (s *Side) Display(file string) string {
	base := s.root
	if s.file {
		base = path.Dir(s.root)
	}
	rel, err := filepath.Rel(filepath.FromSlash("/"+base), filepath.FromSlash("/"+file))
	if err != nil {
		return file
	}
	dir := s.name
	if s.file {
		dir = path.Dir(s.name)
	}
	return display(s.Label, path.Join(dir, filepath.ToSlash(rel)))
}

// skipped are folders that have no contracts of their own. What was released before is compared
// with, and is not itself the present contract.
var skipped = []string{"node_modules", "vendor", "released"}

// Files returns the contracts of the side, sorted. Other files of a folder are skipped; a single
// file has to be a contract.
func (s *Side) Files() ([]File, error) {
	if s.file {
		kind, err := s.Classify(s.root)
		if err != nil {
			return nil, err
		}
		if kind == "" {
			return nil, fmt.Errorf("%s: this is neither Avro, AsyncAPI nor OpenAPI", s.Display(s.root))
		}
		return []File{{s.root, path.Base(s.root), kind}}, nil
	}
	var out []File
	err := s.walk(func(at string) error {
		kind, err := s.Classify(at)
		if err == nil && kind != "" {
			out = append(out, File{at, strings.TrimPrefix(strings.TrimPrefix(at, s.root), "/"), kind})
		}
		return err
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: there is no contract in this folder", display(s.Label, s.name))
	}
	return out, err
}

func mayBeContract(name string) bool {
	return slices.Contains([]string{".avsc", ".json", ".yaml", ".yml"}, strings.ToLower(path.Ext(name)))
}

// Classify returns the kind of a file by its content, and "" for a file that is no contract.
func (s *Side) Classify(name string) (Kind, error) {
	if info, err := fs.Stat(s.FS, name); err == nil && !info.Mode().IsRegular() {
		return "", nil // a pipe would be waited for
	}
	data, err := fs.ReadFile(s.FS, name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Display(name), err)
	}
	if strings.EqualFold(path.Ext(name), ".avsc") {
		return Avro, nil
	}
	if kind := known(data); kind != "" {
		return kind, nil
	}
	if !s.file && !maybe(data) {
		return "", nil // whatever else is in the folder may be broken
	}
	n, faults := source.Parse(name, data)
	if err := faults.Err(); err != nil {
		return "", s.Faults(faults)
	}
	switch {
	case n.Get("asyncapi") != nil && (n.Get("openapi") != nil || n.Get("swagger") != nil):
		return "", s.both(name)
	case n.Get("asyncapi") != nil:
		return AsyncAPI, nil
	case n.Get("openapi") != nil, n.Get("swagger") != nil:
		return OpenAPI, nil
	case n.Get("type") != nil && (n.Get("name") != nil && slices.Contains([]string{"record", "enum", "fixed", "error"}, n.Get("type").Str())):
		return Avro, nil
	}
	return "", nil
}

func (s *Side) both(name string) error {
	return fmt.Errorf("%s:1:1: this is both AsyncAPI and OpenAPI: write each document into a file of its own", s.Display(name))
}

// known returns the kind of a document whose first lines make it certain, without parsing it.
func known(data []byte) Kind {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	found := topLevel.FindSubmatch(data)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		found = firstMember.FindSubmatch(data)
	}
	switch {
	case found == nil:
		return ""
	case string(found[1]) == "asyncapi" && !bytes.Contains(data, []byte("openapi")) && !bytes.Contains(data, []byte("swagger")):
		return AsyncAPI
	case string(found[1]) != "asyncapi" && !bytes.Contains(data, []byte("asyncapi")):
		return OpenAPI
	}
	return "" // it may be both
}

// topLevel finds the member of YAML by which most documents are known, and firstMember that of
// JSON, whose indentation means nothing.
var (
	topLevel    = regexp.MustCompile(`(?m)^["']?(asyncapi|openapi|swagger)["']?\s*:`)
	firstMember = regexp.MustCompile(`^\s*\{\s*["']?(asyncapi|openapi|swagger)["']?\s*:`)
)

// maybe reports whether a file may be a contract although known does not find its kind. It may if
// it has a word of a contract anywhere, or is in UTF-16.
func maybe(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || avroType.Match(data) {
		return true
	}
	for _, word := range []string{"asyncapi", "openapi", "swagger"} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	return false
}

// avroType finds what may be the type of a named Avro type, in JSON or in YAML of any shape.
var avroType = regexp.MustCompile(`\btype["']?\s*:\s*["']?(?:record|enum|fixed|error)\b`)

// Displayed returns a text with the names of files of FS in it as a user knows them.
func (s *Side) Displayed(text string) string {
	top, _, below := strings.Cut(s.root, "/")
	if !below {
		return text
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if strings.HasPrefix(w, top+"/") {
			words[i] = s.Display(strings.TrimRight(w, ":,;")) + w[len(strings.TrimRight(w, ":,;")):]
		}
	}
	return strings.Join(words, " ")
}

// Faults returns the errors of a list with the names of files as a user knows them.
func (s *Side) Faults(list diag.List) error {
	var out diag.List
	for _, d := range list {
		if d.Severity == diag.Error {
			if d.File != "" {
				d.Hint = strings.ReplaceAll(d.Hint, d.File+":", s.Display(d.File)+":")
				d.File = s.Display(d.File)
				d.Message = s.Displayed(d.Message)
			}
			out.Add(d)
		}
	}
	return out.Err()
}
