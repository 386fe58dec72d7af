// Package cli is the command line of contractdiff.
//
// The command and its tests import it.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/gate"
	"github.com/deferpay/deferpay/tools/contractdiff/ignore"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/contractdiff/lint"
	"github.com/deferpay/deferpay/tools/contractdiff/report"
)

// The exit statuses.
const (
	Passed = iota
	Failed // there are findings at or above -fail-on
	Wrong  // something could not be read, or the command is wrong
)

const usage = `usage: contractdiff [flags] OLD... NEW
       contractdiff -against GITREF [flags] [FOLDER]
       contractdiff pairs [flags] PATH...
       contractdiff lint [flags] PATH...

OLD and NEW are files (Avro, OpenAPI, AsyncAPI) or folders, oldest first.
pairs compares what AsyncAPI documents receive with what others send.
The exit status is 0 if nothing is at or above -fail-on, 1 if something is,
and 2 if something could not be read.
`

// options are the flags.
type options struct {
	mode    avrodiff.Mode
	format  string
	failOn  finding.Level
	against string
	ignore  string
	command string // lint, pairs or empty
	args    []string
}

// Run runs the command and returns its exit status.
func Run(args []string, out, errs io.Writer, now time.Time) int {
	o, err := parse(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return Passed
	}
	if err != nil {
		return fail(errs, err)
	}
	found, err := find(o)
	if err != nil {
		return fail(errs, err)
	}
	if o.ignore != "" {
		list, err := ignore.Open(o.ignore)
		if err != nil {
			return fail(errs, err)
		}
		found = list.Apply(found, now)
	}
	if err := report.Write(out, o.format, found, o.failOn); err != nil {
		return fail(errs, err)
	}
	if len(found) > 0 && finding.Worst(found) >= o.failOn {
		return Failed
	}
	return Passed
}

func fail(errs io.Writer, err error) int {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if strings.HasPrefix(line, " ") {
			fmt.Fprintln(errs, line)
		} else {
			fmt.Fprintln(errs, "contractdiff:", line)
		}
	}
	return Wrong
}

func parse(args []string, errs io.Writer) (options, error) {
	o := options{}
	set := flag.NewFlagSet("contractdiff", flag.ContinueOnError)
	set.SetOutput(errs)
	set.Usage = func() {
		fmt.Fprint(errs, usage)
		set.PrintDefaults()
	}
	mode := set.String("mode", "BACKWARD", "for Avro: BACKWARD, FORWARD, FULL, one of these with _TRANSITIVE, or NONE")
	failOn := set.String("fail-on", "semantic", "the lowest level that fails: breaking, semantic or warning")
	set.StringVar(&o.format, "format", "text", strings.Join(report.Formats, ", "))
	set.StringVar(&o.against, "against", "", "compare FOLDER (.) with what it was at this commit, branch or tag")
	set.StringVar(&o.ignore, "ignore", "", "file of accepted findings; contractdiff.ignore.yaml in NEW if there is one")
	if len(args) > 0 && (args[0] == "lint" || args[0] == "pairs") {
		o.command, args = args[0], args[1:]
	}
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.args = set.Args()
	var err error
	if o.mode, err = avrodiff.ParseMode(*mode); err != nil {
		return o, err
	}
	if o.failOn, err = finding.ParseLevel(*failOn); err != nil {
		return o, err
	}
	if !slices.Contains(report.Formats, o.format) {
		return o, fmt.Errorf("format %q is not known: the formats are %s", o.format, strings.Join(report.Formats, ", "))
	}
	switch {
	case o.command != "" && (len(o.args) == 0 || o.against != ""):
		return o, errors.New("name the files or folders to check")
	case o.command != "":
	case o.against != "" && len(o.args) > 1:
		return o, errors.New("with -against, name one folder")
	case o.against != "" && len(o.args) == 0:
		o.args = []string{"."}
	case o.against == "" && len(o.args) < 2:
		return o, errors.New("name OLD and NEW, or use -against; -help describes both")
	}
	beside := filepath.Join(o.args[len(o.args)-1], "contractdiff.ignore.yaml")
	if _, err := os.Stat(beside); o.ignore == "" && err == nil {
		o.ignore = beside
	}
	return o, nil
}

func find(o options) ([]finding.Finding, error) {
	if o.command == "" {
		return diff(o)
	}
	var sides []*input.Side
	for _, name := range o.args {
		s, err := input.Open(name)
		if err != nil {
			return nil, err
		}
		sides = append(sides, s)
	}
	if o.command == "pairs" {
		return gate.Pairs(sides)
	}
	var out []finding.Finding
	for _, s := range sides {
		found, err := lint.Check(s)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return finding.Merge(out), nil
}

func diff(o options) ([]finding.Finding, error) {
	next, err := input.Open(o.args[len(o.args)-1])
	if err != nil {
		return nil, err
	}
	var olds []*input.Side
	if o.against != "" {
		old, err := input.AtRef(o.against, o.args[0])
		if err != nil {
			return nil, err
		}
		olds = append(olds, old)
	}
	for _, name := range o.args[:len(o.args)-1] {
		old, err := input.Open(name)
		if err != nil {
			return nil, err
		}
		olds = append(olds, old)
	}
	return gate.Compare(olds, next, o.mode)
}
