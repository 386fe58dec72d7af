// Command docsite writes the contracts and the presentation as static pages, or serves them. The
// pages load nothing from the network, so they can be read from file://. With npm and Chromium it
// adds reveal.js, to present the slides, and their PDFs; without them it prints what is missing.
//
//	docsite [-specs DIR] [-docs DIR] [-out DIR]
//	docsite [-specs DIR] [-docs DIR] -http ADDR
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
	docs := flag.String("docs", "docs", "the folder of the documents; without a presentation in it, the site has none")
	out := flag.String("out", "build/docs", "the folder to write the pages to")
	addr := flag.String("http", "", "`address` to serve the pages on, instead of writing them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *specs, *docs, *out, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "docsite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, specs, docs, out, addr string) error {
	if addr != "" {
		files, err := Site(specs, docs, parts{})
		if err != nil {
			return err
		}
		return serve(ctx, addr, files)
	}
	made, missing, err := addPresentation(ctx, docs, specs, out)
	if err != nil {
		return err
	}
	files, err := Site(specs, docs, made)
	if err != nil {
		return err
	}
	if err := write(out, files); err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Println("docs: left out:", m)
	}
	fmt.Printf("docs: %d pages and their files, open %s/index.html\n", countPages(files), out)
	return nil
}
