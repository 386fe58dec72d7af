package foreign

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed avro.xml
var avroPOM []byte

// Java gives a command that runs a source file, as a single-file program of Java 17 or newer, with Apache Avro on its class
// path. Making the class path needs Maven and a repository.
func Java(ctx context.Context, file string) (*exec.Cmd, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("no Java, which must be 17 or newer: %w", err)
	}
	dir, err := cached("avro", avroPOM, func(dir string) error {
		pom := filepath.Join(dir, "pom.xml")
		if err := os.WriteFile(pom, avroPOM, 0o644); err != nil {
			return err
		}
		return run(exec.CommandContext(ctx, "mvn", "--quiet", "--batch-mode", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "jars")))
	})
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, java, "-cp", filepath.Join(dir, "jars", "*"), file), nil
}
