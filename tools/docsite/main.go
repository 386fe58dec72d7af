// Command docsite writes the contracts as static pages: no script, no network, readable from file://.
//
//	docsite [-specs DIR] [-out DIR]
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	specs := flag.String("specs", "specs", "the folder of the contracts")
	out := flag.String("out", "build/docs", "the folder to write the pages to")
	flag.Parse()
	files, err := Site(*specs)
	if err == nil {
		err = write(*out, files)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docsite:", err)
		os.Exit(1)
	}
	fmt.Printf("docs: %d files, open %s/index.html\n", len(files), *out)
}
