// Command journal shows, copies, compares and mends the logs of the services. See journal --help.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// call is one call of a command.
type call struct {
	ctx            context.Context
	args           []string // after the name of the command
	getenv         func(string) string
	stdout, stderr io.Writer
}

var commands = map[string]func(call) int{
	"cat": cat, "dump": dump, "restore": restore, "verify": verify, "correct": correct, "void": void,
	"dlq list": listLetters, "dlq redrive": redrive,
}

// run runs a command and returns the exit status: 0 if it is done, 1 if it failed or was refused, 2
// for wrong usage.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	name := strings.Join(args[:min(len(args), 1)], " ")
	if name == "dlq" {
		name = strings.Join(args[:min(len(args), 2)], " ")
	}
	if command, ok := commands[name]; ok {
		rest := args[len(strings.Fields(name)):]
		return command(call{ctx, rest, getenv, stdout, stderr})
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, name) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if name == "" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	fmt.Fprintf(stderr, "journal: unknown command %q (see journal --help)\n", name)
	return 2
}

const usage = `journal: shows, copies, compares and mends the logs of the services.

  journal cat         -log NAME             prints each record as a JSON object, with what became of it
  journal verify      -log NAME             reads a log as an instance does, and prints the hash of its states
  journal dump        -log NAME -out FILE   writes the records of a log to a file
  journal restore     -log NAME FILE        writes them to an empty topic
  journal void        -log NAME -offset N -reason TEXT    declares a record void that no instance can read
  journal correct     -log NAME -stream REF -reason TEXT  releases a contract that an impossible record has parked
  journal dlq list    TOPIC                 prints each dead letter as a JSON object
  journal dlq redrive TOPIC                 sends dead letters to their handlers again

NAME is contract or billing, or the name of the topic. Each command has --help, with examples.
What a program may want is JSON on standard output; everything else is on standard error.
Exit status: 0 done, 1 failed or refused, 2 wrong usage.
`
