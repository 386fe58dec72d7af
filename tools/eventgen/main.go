// Command eventgen makes typed Watermill code from AsyncAPI 3 documents with Avro payloads, and
// makes brokers and registries what the documents say.
package main

import (
	"os"

	"github.com/deferpay/deferpay/tools/eventgen/cli"
)

func main() {
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
}
