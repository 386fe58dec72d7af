// Command demo builds the services, the broker and the command play with one go build, and runs
// play with its own arguments and environment. It imports only the standard library, so that `go
// run` compiles it at once and it can report the progress of the build.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// programs are built together. Most of the time goes into the packages that they share, and one go
// build keeps every core busy.
var programs = []string{"./tools/demo/play", "./services/contract/cmd/contract", "./services/billing/cmd/billing", "./tools/devkafka"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
	os.Exit(status)
}

func run(ctx context.Context, args []string) (status int, err error) {
	bin, err := os.MkdirTemp("", "deferpay-bin-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	if err := build(ctx, bin); err != nil {
		return 1, err
	}
	play := exec.CommandContext(ctx, filepath.Join(bin, "play"), append([]string{"-bin", bin}, args...)...)
	play.Stdin, play.Stdout, play.Stderr = os.Stdin, os.Stdout, os.Stderr
	// play stops its processes in order before it ends
	play.Cancel = func() error { return play.Process.Signal(syscall.SIGTERM) }
	err = play.Run()
	if play.ProcessState == nil {
		return 1, err
	}
	if play.ProcessState.Success() { // also when it was left running and then interrupted
		return 0, nil
	}
	return max(1, play.ProcessState.ExitCode()), nil // play has printed the error
}

// build compiles the programs. It prints its progress if that takes a while.
func build(ctx context.Context, bin string) error {
	began := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-v", "-ldflags=-s -w", "-o", bin + string(filepath.Separator)}, programs...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	packages := &atomic.Int64{}
	done := make(chan struct{})
	go printProgress(packages, began, done)
	last := readLines(output, packages)
	close(done)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, last)
	}
	fmt.Printf("  · built %d programs in %.1f s\n", len(programs), time.Since(began).Seconds())
	return nil
}

func printProgress(packages *atomic.Int64, began time.Time, done <-chan struct{}) {
	wait := 2 * time.Second
	for {
		select {
		case <-done:
			return
		case <-time.After(wait):
		}
		wait = 5 * time.Second
		fmt.Printf("  · building: %d packages compiled after %.0f s (only the first time)\n", packages.Load(), time.Since(began).Seconds())
	}
}

// readLines counts the lines of the output of go build -v, one for each compiled package, and
// returns the end of the output, which has the errors.
func readLines(output io.Reader, packages *atomic.Int64) string {
	var last []byte
	for lines := bufio.NewScanner(output); lines.Scan(); {
		packages.Add(1)
		last = append(append(last, lines.Bytes()...), '\n')
		last = last[max(0, len(last)-4000):]
	}
	return string(last)
}
