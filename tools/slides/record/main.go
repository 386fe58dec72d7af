// Command record runs both services and writes what the presentation shows of them: the requests,
// answers, events and log records on the slides, and with -runs the pictures of the scenarios. With
// -redraw it draws the recorded scenarios again, and with -overview what is drawn from the
// contracts; both start nothing. Its output is committed, so that building the slides starts
// nothing.
//
//	record [-out DIR]
//	record -runs | -redraw | -overview [-pictures DIR]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/slides/overview"
	"github.com/deferpay/deferpay/tools/slides/runs"
)

func main() {
	out := flag.String("out", "docs/presentation/examples", "the `folder` to write to")
	scenarios := flag.Bool("runs", false, "record the scenarios and draw their pictures, instead of the examples")
	again := flag.Bool("redraw", false, "draw the recorded scenarios again, instead of recording anything")
	contracts := flag.Bool("overview", false, "draw the pictures of the contracts, instead of the examples")
	pictures := flag.String("pictures", "docs/presentation/pictures", "the `folder` of the pictures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *scenarios:
		err = draw(ctx, *pictures)
	case *again:
		err = redraw(*pictures)
	case *contracts:
		err = drawContracts(*pictures)
	default:
		err = record(ctx, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func progress(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// draw records the scenarios and writes their runs and pictures.
func draw(ctx context.Context, dir string) error {
	list, err := runs.Record(ctx, "specs", progress)
	if err != nil {
		return err
	}
	files, err := runs.Files(list)
	if err != nil {
		return err
	}
	fmt.Printf("record: %d runs in %s\n", len(list), dir)
	return write(dir, files)
}

// redraw draws the runs of a folder again.
func redraw(dir string) error {
	list, err := runs.Read(dir)
	if err != nil {
		return err
	}
	files, err := runs.Files(list)
	if err != nil {
		return err
	}
	return write(dir, files)
}

func drawContracts(dir string) error {
	files, err := overview.Pictures("specs")
	if err != nil {
		return err
	}
	return write(dir, files)
}

func write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(filepath.Join(dir, "runs"), 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func record(ctx context.Context, out string) (err error) {
	dir, err := os.MkdirTemp("", "deferpay-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Progress: progress})
	if err != nil {
		return err
	}
	defer func() {
		if e := c.Stop(); err == nil {
			err = e
		}
	}()
	r := &recorder{ctx: ctx, cluster: c, files: map[string][]byte{}}
	if err := r.play(); err != nil {
		return err
	}
	if err := r.events(); err != nil {
		return err
	}
	return r.write(out)
}
