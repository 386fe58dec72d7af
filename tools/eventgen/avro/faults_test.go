package avro

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// TestFaults compares the faults of the schemas in each archive with the file want of the archive.
func TestFaults(t *testing.T) {
	archives, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := txtar.Parse(data)
			got := faultsOf(t, a)
			var want string
			var rest []txtar.File
			for _, f := range a.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					rest = append(rest, f)
				}
			}
			if *update {
				a.Files = append(rest, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func faultsOf(t *testing.T, a *txtar.Archive) string {
	s := NewSet()
	lookup := map[string]*source.Node{}
	for _, f := range a.Files {
		switch {
		case f.Name == "want":
		case path.Dir(f.Name) == "lookup":
			lookup[strings.TrimSuffix(path.Base(f.Name), ".avsc")] = parse(t, f.Name, f.Data)
		default:
			s.AddRoot(parse(t, f.Name, f.Data), strings.TrimSuffix(f.Name, path.Ext(f.Name)))
		}
	}
	s.Lookup(func(fullname, _ string) *source.Node { return lookup[fullname] })
	faults := s.Resolve()
	if len(faults) == 0 {
		return "none\n"
	}
	return faults.Error() + "\n"
}
