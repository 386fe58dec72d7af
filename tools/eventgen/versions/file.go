package versions

import (
	"bytes"
	"errors"
	"path"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Append returns the content of a file that lists versions with a schema added, and the number of
// the schema in the list, which is 0 if it is the last one already. The text of the other versions
// is not changed. An empty file becomes a list of one.
func Append(name string, data []byte, schema string) (out []byte, version int, err error) {
	one, ds := source.Parse("schema.avsc", []byte(schema))
	if ds.HasErrors() {
		return nil, 0, ds
	}
	if len(bytes.TrimSpace(data)) == 0 {
		if ext := path.Ext(name); ext == ".yaml" || ext == ".yml" {
			return []byte("- " + one.Pretty(2) + "\n"), 1, nil
		}
		return []byte("[\n  " + one.Pretty(2) + "\n]\n"), 1, nil
	}
	list, ds := source.Parse(name, data)
	if ds.HasErrors() {
		return nil, 0, ds
	}
	if !list.Is(source.Seq) {
		return nil, 0, errors.New("it is not a list")
	}
	if n := len(list.Items); n > 0 && source.Equal(list.Items[n-1], one) {
		return data, 0, nil
	}
	out = appendItem(data, list, one)
	if again, ds := source.Parse(name, out); ds.HasErrors() || !extends(again, list, one) {
		return nil, 0, errors.New("a version cannot be added to a list that is written like this")
	}
	return out, len(list.Items) + 1, nil
}

// appendItem adds an item to the text of a list in JSON or in the block style of YAML.
func appendItem(data []byte, list, item *source.Node) []byte {
	if end := bytes.LastIndexByte(data, ']'); end >= 0 && bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		comma := ","
		if len(list.Items) == 0 {
			comma = ""
		}
		return join(bytes.TrimRight(data[:end], " \t\r\n"), comma+"\n  "+item.Pretty(2)+"\n", data[end:])
	}
	indent := max(list.Pos.Col-1, 0)
	return join(bytes.TrimRight(data, "\r\n"), "\n"+strings.Repeat(" ", indent)+"- "+item.Pretty(indent+2)+"\n", nil)
}

func join(before []byte, text string, after []byte) []byte {
	return append(append(bytes.Clone(before), text...), after...)
}

// extends reports whether a list is another one with one more item.
func extends(list, other, item *source.Node) bool {
	n := len(other.Items)
	if !list.Is(source.Seq) || len(list.Items) != n+1 || !source.Equal(list.Items[n], item) {
		return false
	}
	for i, it := range other.Items {
		if !source.Equal(it, list.Items[i]) {
			return false
		}
	}
	return true
}
