// Package foreignhttp judges the HTTP interfaces by third-party programs: schemathesis sends what
// the OpenAPI documents allow and what they do not, redocly checks the documents, Prism checks
// every exchange of the demo's story, and a client that openapi-python-client generates buys. Its
// test and its command install use it; nothing else does.
package foreignhttp

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/deferpay/deferpay/tools/fetched"
)

//go:embed requirements.txt package.json package-lock.json .npmrc
var lists embed.FS

// Judges are the installed programs.
type Judges struct {
	Python  string // interpreter that has schemathesis and openapi-python-client
	Modules string // node_modules with redocly and Prism
}

// Install installs the judges in the user's cache folder, unless they are there. It needs Python 3
// with venv, and Node with npm.
func Install(ctx context.Context) (Judges, error) {
	folder, err := fetched.Open()
	if err != nil {
		return Judges{}, err
	}
	requirements, err := lists.ReadFile("requirements.txt")
	if err != nil {
		return Judges{}, err
	}
	python, err := folder.Python(ctx, requirements)
	if err != nil {
		return Judges{}, fmt.Errorf("install the judges for Python: %w", err)
	}
	modules, err := node(ctx, folder)
	return Judges{python, modules}, err
}

func node(ctx context.Context, folder fetched.Folder) (string, error) {
	texts := map[string][]byte{}
	var all [][]byte
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		text, err := lists.ReadFile(name)
		if err != nil {
			return "", err
		}
		texts[name], all = text, append(all, text)
	}
	dir := folder.Path("node", all...)
	err := folder.Fill(dir, func(into string) error {
		for name, text := range texts {
			if err := os.WriteFile(filepath.Join(into, name), text, 0o644); err != nil {
				return err
			}
		}
		npm := exec.CommandContext(ctx, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = into
		return fetched.Run(npm)
	})
	if err != nil {
		return "", fmt.Errorf("install the judges for Node: %w", err)
	}
	return filepath.Join(dir, "node_modules"), nil
}
