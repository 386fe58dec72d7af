package golden

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/cli"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var update = flag.Bool("update", false, "rewrite the generated code")

const here = "github.com/deferpay/deferpay/tools/eventgen/golden/"

var goldens = []struct {
	out    string
	config generate.Config
}{
	{"gen", generate.Config{Documents: []string{"orders/asyncapi.yaml", "store/internal.asyncapi.yaml"}, ImportPath: here + "gen", Role: model.Both}},
	{"collisions/gen", generate.Config{Documents: []string{"collisions/asyncapi.yaml"}, ImportPath: here + "collisions/gen"}},
	{"depot/gen", generate.Config{Documents: []string{"depot/asyncapi.yaml"}, ImportPath: here + "depot/gen", RefuseUnknown: true}},
	{"payments/gen", generate.Config{Documents: []string{"payments/asyncapi.yaml"}, ImportPath: here + "payments/gen"}},
	{"policies/gen", generate.Config{Documents: []string{"policies/asyncapi.yaml"}, ImportPath: here + "policies/gen"}},
	{"desks/gen", generate.Config{Documents: []string{"desks/asyncapi.yaml"}, ImportPath: here + "desks/gen", Role: model.Both}},
	{"registered/gen", generate.Config{Documents: []string{"registered/asyncapi.yaml"}, ImportPath: here + "registered/gen"}},
	{"places/gen", generate.Config{Documents: []string{"places/asyncapi.yaml"}, ImportPath: here + "places/gen", Role: model.Both}},
	{"model/gen", generate.Config{Documents: []string{"model/asyncapi.yaml"}, ImportPath: here + "model/gen", Role: model.Both}},
}

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.out, func(t *testing.T) {
			if *update {
				args := []string{"generate", "-out", g.out, "-import", g.config.ImportPath}
				if g.config.Role != "" {
					args = append(args, "-role", string(g.config.Role))
				}
				if g.config.RefuseUnknown {
					args = append(args, "-refuse-unknown")
				}
				if status := cli.Run(append(args, g.config.Documents...), os.Stdout, os.Stderr); status != 0 {
					t.Fatalf("exit status %d", status)
				}
			}
			files, ds := generate.Generate(os.DirFS("."), g.config)
			if ds.HasErrors() {
				t.Fatal(ds.Error())
			}
			for _, name := range slices.Sorted(maps.Keys(files)) {
				have, err := os.ReadFile(filepath.Join(g.out, name))
				if err != nil || string(have) != string(files[name]) {
					t.Errorf("%s/%s is not what is generated now (%v); go test ./tools/eventgen/golden -update rewrites it", g.out, name, err)
				}
			}
			for range fulltest.Choose(1, 3) {
				again, _ := generate.Generate(os.DirFS("."), g.config)
				if !maps.EqualFunc(files, again, func(a, b []byte) bool { return string(a) == string(b) }) {
					t.Fatal("a second run generates different files")
				}
			}
		})
	}
}
