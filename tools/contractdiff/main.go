// Command contractdiff compares versions of contracts: OpenAPI, AsyncAPI and Avro. It reports what
// may not be released, what means something else, who has to be deployed first, and how to make the
// change compatibly. docs/contractdiff.md describes it.
//
// It is a module of its own, because its OpenAPI library takes longer to compile than the whole
// main module.
package main

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/deferpay/deferpay/tools/contractdiff/cli"
)

func main() {
	debug.SetGCPercent(400) // it ends soon, and the documents are small
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr, time.Now()))
}
