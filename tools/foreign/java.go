package foreign

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/deferpay/deferpay/tools/fetched"
)

//go:embed avro.xml
var avroPOM []byte

// Java returns a command that runs a source file as a single-file program of Java 17 or newer, with
// Apache Avro on its class path. The first call needs Maven and a repository, for the class path.
func (c Clients) Java(ctx context.Context, file string) (*exec.Cmd, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("no Java, which must be 17 or newer: %w", err)
	}
	dir := c.folder.Path("avro", avroPOM)
	err = c.folder.Fill(dir, func(into string) error {
		pom := filepath.Join(into, "pom.xml")
		if err := os.WriteFile(pom, avroPOM, 0o644); err != nil {
			return err
		}
		return fetched.Run(exec.CommandContext(ctx, "mvn", "--quiet", "--batch-mode", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(into, "jars")))
	})
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, java, "-cp", filepath.Join(dir, "jars", "*"), file), nil
}
