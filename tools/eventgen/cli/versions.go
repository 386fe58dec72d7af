package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/generate"
	"github.com/deferpay/deferpay/tools/eventgen/versions"
)

// versions adds present schemas to the files that list the versions of messages.
func (c *command) versions(args []string) int {
	_, args, err := verb(args, "keep")
	if err != nil && !asksHelp(args) {
		return c.wrong("versions: %v", err)
	}
	f := c.flags("versions keep", "[flags] DOCUMENT...\n\nAdds the present schema of each message with x-versions to the file that lists its versions, unless the schema is\nthere already. The file is created if it does not exist. Nothing is written if a document has a fault.")
	reads := readingFlags(f)
	docs, status, ok := c.parse(f, args)
	if !ok {
		return status
	}
	config, cancel := reads.config(docs, c.limits)
	defer cancel()
	config.ImportPath, config.Keep = "contract", true
	m, _, ds := generate.Model(disk{}, config)
	if c.tell(ds) {
		return fault
	}
	files, told, ds := keep(m.Unkept)
	if c.tell(ds) {
		return fault
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return c.failed(err)
		}
		if err := os.WriteFile(name, files[name], 0o644); err != nil {
			return c.failed(err)
		}
	}
	for _, line := range told {
		fmt.Fprintln(c.stdout, line)
	}
	return done
}

// keep returns the files that list versions, with the schemas added that are missing in them, and a
// line about each of these schemas.
func keep(unkept []versions.Unkept) (files map[string][]byte, told []string, ds diag.List) {
	files = map[string][]byte{}
	for _, u := range unkept {
		if u.File == "" {
			ds.ErrorHint(u.Pos, "move the list to a file of its own: x-versions: {$ref: versions/"+u.Message+".json}", "the versions of message %s are not listed in a file of their own", u.Message)
			continue
		}
		data, ok := files[u.File]
		if !ok {
			var err error
			if data, err = os.ReadFile(u.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
				ds.Errorf(u.Pos, "%v", err)
				continue
			}
		}
		out, version, err := versions.Append(u.File, data, u.Schema)
		if err != nil {
			ds.ErrorHint(u.Pos, "write the list as JSON", "%s: %v", u.File, err)
			continue
		}
		if version > 0 {
			files[u.File] = out
			told = append(told, fmt.Sprintf("%s: version %d of message %s", u.File, version, u.Message))
		}
	}
	return files, told, ds
}
