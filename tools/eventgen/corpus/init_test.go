package corpus

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/starter"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// TestInit begins a program for every document, or for some in the short form, and runs go vet on
// all of them. Nearly every message is sent with a value that its schema allows. With the config of
// the program the same packages are generated, without a warning about framing.
func TestInit(t *testing.T) {
	docs := documents(t)
	all := map[string][]byte{}
	sent, left := 0, 0
	for i, d := range docs {
		if i%fulltest.Choose(12, 1) > 0 {
			continue
		}
		name := fmt.Sprintf("d%03d", i)
		config := generate.Config{Documents: []string{d.name}, ImportPath: "corpus.example/" + name + "/gen", Role: model.Both}
		m, _, diags := generate.Model(os.DirFS(d.folder), config)
		if diags.HasErrors() || len(m.Packages[0].Senders)+len(m.Packages[0].Receivers) == 0 {
			continue
		}
		start := starter.Start{Model: m, Document: d.name, Folder: "gen", ImportPath: config.ImportPath, Role: model.Both}
		program, err := start.Program()
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
			continue
		}
		files, _ := generate.Generate(os.DirFS(d.folder), config)
		for at, data := range files {
			all[name+"/gen/"+at] = data
		}
		all[name+"/main.go"] = program
		left += strings.Count(string(program), "is not sent, because")
		sent += strings.Count(string(program), "fmt.Println(\"sent ")
		sameWithConfig(t, d, config, start.Config(), files)
	}
	t.Logf("%d messages are sent, and for %d no value is known", sent, left)
	if left*20 > sent {
		t.Errorf("for %d of %d messages no value is known", left, sent+left)
	}
	if out, err := typechecktest.Go(t, typechecktest.Module(t, "corpus.example", all), "vet", "./..."); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}

// sameWithConfig generates with a config of init.
func sameWithConfig(t *testing.T, d *document, config generate.Config, text []byte, want map[string][]byte) {
	t.Helper()
	config.Settings = "eventgen.yaml"
	files, diags := generate.Generate(with{os.DirFS(d.folder), config.Settings, text}, config)
	if !maps.EqualFunc(files, want, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("%s: the config changes what is generated:\n%s\n%s", d.name, text, errorsOf(diags))
	}
	if strings.Contains(diags.Error(), "framing: confluent") {
		t.Errorf("%s: the config leaves out a framing:\n%s\n%s", d.name, text, diags.Error())
	}
}

// with is a file system with one more file.
type with struct {
	fs.FS
	name string
	data []byte
}

func (w with) Open(name string) (fs.File, error) {
	if name == w.name {
		return fstest.MapFS{name: {Data: w.data}}.Open(name)
	}
	return w.FS.Open(name)
}
