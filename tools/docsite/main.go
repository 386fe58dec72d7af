// Command docsite writes the contracts as static pages, or serves them. The pages have no scripts
// and load nothing from the network, so they can be read from file://.
//
//	docsite [-specs DIR] [-out DIR]
//	docsite [-specs DIR] -http ADDR
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	specs := flag.String("specs", "specs", "the folder of the contracts")
	out := flag.String("out", "build/docs", "the folder to write the pages to")
	addr := flag.String("http", "", "`address` to serve the pages on, instead of writing them")
	flag.Parse()
	files, err := Site(*specs)
	switch {
	case err != nil:
	case *addr != "":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = serve(ctx, *addr, files)
	default:
		if err = write(*out, files); err == nil {
			fmt.Printf("docs: %d files, open %s/index.html\n", len(files), *out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docsite:", err)
		os.Exit(1)
	}
}
