package foreign

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed requirements.txt
var requirements []byte

// Python gives the interpreter of a virtual environment that has the packages of requirements.txt. Making it needs python3 and
// a package index.
func Python(ctx context.Context) (string, error) {
	dir, err := cached("python", requirements, func(dir string) error {
		list := filepath.Join(dir, "requirements.txt")
		if err := os.WriteFile(list, requirements, 0o644); err != nil {
			return err
		}
		if err := run(exec.CommandContext(ctx, "python3", "-m", "venv", dir)); err != nil {
			return err
		}
		return run(exec.CommandContext(ctx, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", list))
	})
	return filepath.Join(dir, "bin", "python"), err
}
