package artifacts

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maven runs one goal of the dependency plugin on a pom. Maven's own configuration says which
// repositories are used.
func (c Cache) maven(ctx context.Context, pom []byte, goal string, args ...string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("mvn, which downloads Kafka and the registry, is not installed: install Maven 3 (Debian and Ubuntu: apt install maven; macOS: brew install maven)")
	}
	dir, err := os.MkdirTemp("", "deferpay-maven-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, mvn, append([]string{"-f", file, "-Dstyle.color=never", "dependency:" + goal}, args...)...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mvn: %w", err)
	}
	faults := c.follow(out)
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("mvn dependency:%s: %w\n%s%s", goal, err, strings.Join(faults, "\n"), stderr.String())
	}
	return nil
}

// every is how often progress is reported: a person sees that it goes on, and a log does not fill.
const every = 5 * time.Second

// follow reads what Maven writes to its end, reports progress, and returns the first errors. Maven
// rewrites its lines of progress in place and ends each with a carriage return.
func (c Cache) follow(out io.Reader) (faults []string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	lines.Split(splitLines)
	files, last := 0, time.Now()
	progress := ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasPrefix(line, "Downloaded from"):
			files++
		case strings.HasPrefix(line, "Progress"):
			_, progress, _ = strings.Cut(line, ": ")
		case strings.HasPrefix(line, "[ERROR]") && len(faults) < 5:
			faults = append(faults, line)
		}
		if time.Since(last) > every && files > 0 {
			c.say("  %d files so far, now at %s", files, progress)
			last = time.Now()
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line longer than the buffer must not stop Maven
	return faults
}

func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
