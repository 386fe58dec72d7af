// Package cli is the eventgen command: it reads flags, writes files, topics and subjects, and
// returns an exit status.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
)

// Exit statuses.
const (
	done  = 0
	fault = 1 // of the documents, or of what they were compared with
	usage = 2
)

const help = `eventgen makes typed Watermill code from AsyncAPI 3 documents with Avro or JSON Schema payloads.

  eventgen generate -out DIR -import PATH [-role owner|client|both] [-check] [-strict] [-refuse-unknown] [-config FILE] [-overlay FILE]... [-vendor DIR] [-allow-remote] [-allow-raw] DOCUMENT...
  eventgen init     [-out DIR] [-role owner|client|both] [-force]  DOCUMENT
  eventgen explain  [-role owner|client|both] [-json]         DOCUMENT...
  eventgen topics   apply|diff      -brokers HOST:PORT[,...] [-replicas N] DOCUMENT...
  eventgen schemas  register|check  -registry URL             DOCUMENT...
  eventgen versions keep                                      DOCUMENT...

Every generated package is a folder below DIR, and its import path is PATH with that folder. Documents of one call share the
types of the schemas they share. Nothing is written if a document has a fault.

Exit status: 0 done; 1 a fault of the documents, or of what they were compared with; 2 wrong usage.

Examples:

  # in a Go module: a program that sends and receives the messages of a document, to begin with
  eventgen init specs/orders/asyncapi.yaml

  # gen/ from two documents that share schemas
  eventgen generate -out gen -import example.com/shop/gen specs/orders/asyncapi.yaml specs/stock/asyncapi.yaml

  # in a gate: fails and names the files if gen/ is not what the documents generate
  eventgen generate -check -out gen -import example.com/shop/gen specs/orders/asyncapi.yaml specs/stock/asyncapi.yaml

  # before a deployment: create the topics and register the schemas of the documents
  eventgen topics apply -brokers localhost:9092 specs/orders/asyncapi.yaml
  eventgen schemas register -registry http://localhost:8085 specs/orders/asyncapi.yaml

  # after a change of a schema with x-versions, so that its former versions stay readable
  eventgen versions keep specs/store/internal.asyncapi.yaml

eventgen COMMAND -help lists the flags of a command, and the environment variables for those of security.
`

// Run runs one command and returns its exit status.
func Run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr, limits: usual}
	if len(args) == 0 {
		fmt.Fprint(stderr, help)
		return usage
	}
	switch args[0] {
	case "generate":
		return c.generate(args[1:])
	case "init":
		return c.begin(args[1:])
	case "explain":
		return c.explain(args[1:])
	case "topics":
		return c.topics(args[1:])
	case "schemas":
		return c.schemas(args[1:])
	case "versions":
		return c.versions(args[1:])
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, help)
		return done
	}
	near, ok := diag.Nearest(args[0], []string{"generate", "init", "explain", "topics", "schemas", "versions", "help"})
	hint := "the commands are generate, init, explain, topics, schemas, versions, help"
	if ok {
		hint = "did you mean " + near + "?"
	}
	return c.wrong("there is no command %q\n  hint: %s", args[0], hint)
}

type command struct {
	stdout, stderr io.Writer
	limits         limits // of what it fetches
}

func (c *command) wrong(format string, args ...any) int {
	fmt.Fprintf(c.stderr, "eventgen: "+format+"\n", args...)
	return usage
}

func (c *command) failed(err error) int {
	fmt.Fprintf(c.stderr, "eventgen: %v\n", err)
	return fault
}

// tell prints diagnostics and reports whether one of them is an error.
func (c *command) tell(ds diag.List) (failed bool) {
	if len(ds) > 0 {
		fmt.Fprintln(c.stderr, ds.Error())
	}
	return ds.HasErrors()
}

// flags returns the flag set of a command.
func (c *command) flags(name, synopsis string) *flag.FlagSet {
	f := flag.NewFlagSet("eventgen "+name, flag.ContinueOnError)
	f.SetOutput(c.stderr)
	f.Usage = func() {
		fmt.Fprintf(f.Output(), "usage: eventgen %s %s\n\n", name, synopsis)
		f.PrintDefaults()
	}
	return f
}

// parse returns the documents, or an exit status if there is nothing to do.
func (c *command) parse(f *flag.FlagSet, args []string) (docs []string, status int, ok bool) {
	for _, a := range args {
		if a == "-h" || a == "-help" || a == "--help" {
			f.SetOutput(c.stdout)
		}
	}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, done, false
	} else if err != nil {
		return nil, usage, false
	}
	if f.NArg() == 0 {
		return nil, c.wrong("name at least one AsyncAPI document"), false
	}
	for _, d := range f.Args() {
		if strings.HasPrefix(d, "-") {
			return nil, c.wrong("%s follows a document\n  hint: write flags before documents", d), false
		}
	}
	return f.Args(), done, true
}

// disk is the file system of the machine. Unlike os.DirFS it accepts any path, so that documents
// can be anywhere.
type disk struct{}

func (disk) Open(name string) (fs.File, error)          { return os.Open(name) }
func (disk) ReadFile(name string) ([]byte, error)       { return os.ReadFile(name) }
func (disk) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
