package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "alerts:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want one argument, the file with the alerts, not %d", len(args))
	}
	chapter, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	alerts, err := read(string(chapter))
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	var scrapes []scrape
	if err := json.NewDecoder(in).Decode(&scrapes); err != nil {
		return fmt.Errorf("read scrapes: %w", err)
	}
	fires, err := firing(alerts, scrapes)
	for _, line := range fires {
		fmt.Fprintln(out, line)
	}
	return err
}
