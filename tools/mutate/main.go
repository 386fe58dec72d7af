// Command mutate breaks one rule of the project at a time, and expects a test to fail: a rule that
// can be broken without a test failing is not tested. The rules and how to break them are a list in
// the repository, mutations.txt beside this file. The work tree is not touched: each mutation is
// compiled by go test -overlay.
//
// The generic mutation testers (gremlins v0.6.0, go-mutesting) were considered. They change
// operators and constants wherever they find them, run every test of a package, and report a share.
// They cannot express "an expectation names a count instead of a record", nor say which property
// must catch it, and one pass over the journal alone takes hours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/process"
)

const usage = `Breaks one rule of the project at a time and expects the test that the list names to fail.

Usage: go run ./tools/mutate [flags]

Each mutation is reported as
  caught            the test failed, as it must
  survived          the test passed: the rule can be broken unnoticed
  not applicable    the text to replace is not in the file exactly once: the code has changed, so change the list
  does not build    the mutated package does not compile
  no test           the test does not run, or fails without the mutation

Exit status: 0 if all were caught, 1 if not, 2 for wrong usage, 130 if interrupted.

Flags:
`

// file is where the list is, below the module's root.
const file = "tools/mutate/mutations.txt"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	r := runner{out: stdout}
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	pattern := flags.String("run", "", "only the mutations whose name or rule matches the `regexp`")
	only := flags.Bool("list", false, "list the mutations and run none")
	root := flags.String("root", "", "`folder` of the module; by default the one that holds the working directory")
	flags.IntVar(&r.parallel, "p", runtime.NumCPU(), "`how many` mutations are tested at once")
	flags.DurationVar(&r.timeout, "timeout", 30*time.Second, "`time` that a test may always take; a test that takes longer, and ten times what it takes without the mutation, has failed")
	flags.BoolVar(&r.verbose, "v", false, "show the output of the tests that failed, too")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		flags.SetOutput(stdout)
		flags.Usage()
		return 0
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	list, err := choose(*root, *pattern, flags.Args(), &r)
	if err != nil {
		fmt.Fprintln(stderr, "mutate:", err)
		return 2
	}
	if *only {
		for _, m := range list {
			fmt.Fprintf(stdout, "%-40s %-4s %s\n", m.Name, m.Property(), m.Rule)
		}
		return 0
	}
	return r.all(ctx, list)
}

// choose reads the list and returns the mutations to test.
func choose(root, pattern string, rest []string, r *runner) ([]Mutation, error) {
	if len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q (see --help)", rest[0])
	}
	if r.parallel < 1 {
		return nil, errors.New("-p must be at least 1")
	}
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	if r.root = root; root == "" {
		if r.root, err = process.Root(); err != nil {
			return nil, err
		}
	}
	list, err := Read(filepath.Join(r.root, file))
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m Mutation) bool { return !wanted.MatchString(m.Name) && !wanted.MatchString(m.Rule) })
	if len(list) == 0 {
		return nil, fmt.Errorf("no mutation matches %q", pattern)
	}
	return list, nil
}
