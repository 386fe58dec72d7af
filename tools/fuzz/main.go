// Command fuzz runs every fuzz target of the module, one after the other, and divides the time
// between them. The input of a failure is written to testdata/fuzz of its package, where go test
// runs it from then on.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type target struct{ pkg, name string }

func main() {
	total := flag.Duration("time", 10*time.Minute, "time for all targets together")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *total); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, total time.Duration) error {
	targets, err := discover(ctx)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no package has a fuzz target")
	}
	each := (total / time.Duration(len(targets))).Round(time.Second)
	each = max(each, time.Second)
	var failed []string
	for i, t := range targets {
		fmt.Printf("fuzz: %d of %d: %s %s, %s\n", i+1, len(targets), t.pkg, t.name, each)
		if err := fuzz(ctx, t, each); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = append(failed, t.pkg+" "+t.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failures in %s: run go test there", strings.Join(failed, ", "))
	}
	fmt.Printf("fuzz: %d targets, no failure\n", len(targets))
	return nil
}

// discover returns the fuzz targets of all packages.
func discover(ctx context.Context) ([]target, error) {
	var dirs []string
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "build" || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if dir := "./" + filepath.ToSlash(filepath.Dir(path)); strings.Contains(string(text), "\nfunc Fuzz") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, dir := range dirs {
		out, err := exec.CommandContext(ctx, "go", "test", "-list", "^Fuzz", dir).Output()
		if err != nil {
			return nil, fmt.Errorf("go test -list %s: %w\n%s", dir, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if name := strings.TrimSpace(line); strings.HasPrefix(name, "Fuzz") {
				targets = append(targets, target{dir, name})
			}
		}
	}
	return targets, nil
}

// fuzz runs one target and prints its progress.
func fuzz(ctx context.Context, t target, d time.Duration) error {
	// without the limit, go test minimizes one interesting input for a minute
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", d.String(), "-fuzzminimizetime", "2s", t.pkg)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if text := lines.Text(); text != "PASS" {
			fmt.Println("  " + text)
		}
	}
	return cmd.Wait()
}
