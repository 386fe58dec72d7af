package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/deferpay/deferpay/tools/eventgen/avro/compat"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/specfile"
)

// SchemaHistory is an Avro schema with its versions, oldest first.
type SchemaHistory struct {
	Name, Anchor, Of string // Of is what the schema is of, such as the log of a service
	Versions         []SchemaVersion
}

// SchemaVersion is a version of a schema.
type SchemaVersion struct {
	Label string   // such as a release
	Step  []string // what changed, and what that meant; nothing for the first one
	text  string
}

// readHistory returns the history of the schemas of topics and of the bodies of both logs. Those
// that changed come first.
func readHistory(specs string) ([]SchemaHistory, error) {
	events, err := eventHistory(specs)
	if err != nil {
		return nil, err
	}
	logs, err := logHistory(specs)
	all := append(events, logs...)
	slices.SortStableFunc(all, func(a, b SchemaHistory) int { return cmp.Compare(min(len(b.Versions), 2), min(len(a.Versions), 2)) })
	return all, err
}

// eventHistory returns the history of each schema below specs/avro, by the releases that have it.
func eventHistory(specs string) (out []SchemaHistory, err error) {
	dirs, err := filepath.Glob(filepath.Join(specs, "released", "*"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(dirs, func(a, b string) int { return semver.Compare("v"+filepath.Base(a), "v"+filepath.Base(b)) })
	files, err := filepath.Glob(filepath.Join(specs, "avro", "*.avsc"))
	if err != nil {
		return nil, err
	}
	sets := map[string]*specfile.Set{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".avsc")
		h := SchemaHistory{Name: name, Anchor: "schema-" + name, Of: "topics"}
		for _, dir := range append(slices.Clone(dirs), specs) {
			if sets[dir] == nil {
				sets[dir] = specfile.NewSet()
			}
			label := "release " + filepath.Base(dir)
			if dir == specs {
				label = "present"
			}
			at, err := sets[dir].Open(filepath.Join(dir, "avro", filepath.Base(file)))
			if errors.Is(err, fs.ErrNotExist) {
				continue // it came later
			}
			if err != nil {
				return nil, err
			}
			text, err := specfile.AvroText(at)
			if err != nil {
				return nil, err
			}
			if h.Versions, err = grow(h.Versions, label, text); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// logHistory returns the history of each body of a log, by the list of its versions.
func logHistory(specs string) (out []SchemaHistory, err error) {
	files, err := filepath.Glob(filepath.Join(specs, "log", "*", "versions", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		service := filepath.Base(filepath.Dir(filepath.Dir(file)))
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var texts []json.RawMessage
		if err := json.Unmarshal(data, &texts); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		h := SchemaHistory{Name: name, Anchor: "log-" + service + "-" + name, Of: "the log of " + service}
		for i, text := range texts {
			label := fmt.Sprint("version ", i+1)
			if i == len(texts)-1 {
				label += ", present"
			}
			if h.Versions, err = grow(h.Versions, label, string(text)); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		out = append(out, h)
	}
	return out, nil
}

// grow adds a version, or a label to the last one if the schema is the same.
func grow(all []SchemaVersion, label, text string) ([]SchemaVersion, error) {
	if len(all) == 0 {
		return []SchemaVersion{{Label: label, text: text}}, nil
	}
	last := &all[len(all)-1]
	if last.text == text {
		last.Label += ", " + label
		return all, nil
	}
	step, err := meaning(last.text, text)
	return append(all, SchemaVersion{Label: label, Step: step, text: text}), err
}

// meaning returns what a step from one schema to the next one means for readers and writers, by the
// rules of Apache Avro.
func meaning(former, next string) ([]string, error) {
	a, err := schema.Parse(former)
	if err != nil {
		return nil, err
	}
	b, err := schema.Parse(next)
	if err != nil {
		return nil, err
	}
	out := fields(a, b)
	found := len(out)
	add := func(who string, r compat.Result) {
		for _, i := range r.All {
			out = append(out, fmt.Sprintf("%s: %s (%s); %s", who, i.Message, i.ID, r.Verdict))
		}
	}
	add("the new schema does not read what was written before", compat.Check(b, a))
	add("the former schema does not read what is written now, so readers are deployed first", compat.Check(a, b))
	for _, path := range otherLogical(a, b, "", map[*schema.Type]bool{}) {
		out = append(out, "what is read means something else: another logical type at "+cmp.Or(path, "the root"))
	}
	switch {
	case len(out) > found:
	case string(a.Canonical()) == string(b.Canonical()):
		out = append(out, "descriptions, aliases or defaults alone: nothing changed for data")
	default:
		out = append(out, "each schema reads what the other one writes")
	}
	return out, nil
}

// otherLogical returns the paths at which two schemas have different logical types. Fields are
// compared by their names, and the branches of unions by their types.
func otherLogical(former, next *schema.Type, path string, seen map[*schema.Type]bool) (out []string) {
	switch {
	case former.Kind == schema.Union || next.Kind == schema.Union:
		for _, a := range branches(former) {
			for _, b := range branches(next) {
				if a.Kind == b.Kind && a.Name == b.Name {
					out = append(out, otherLogical(a, b, path, seen)...)
				}
			}
		}
		return out
	case former.Logical != next.Logical || former.Precision != next.Precision || former.Scale != next.Scale:
		return []string{path}
	case former.Kind != next.Kind || seen[former]:
		return nil
	}
	if former.Kind.Named() {
		seen[former] = true
	}
	for _, f := range former.Fields {
		for _, g := range next.Fields {
			if f.Name == g.Name {
				out = append(out, otherLogical(f.Type, g.Type, strings.TrimPrefix(path+"."+f.Name, "."), seen)...)
			}
		}
	}
	if former.Items != nil && next.Items != nil {
		out = append(out, otherLogical(former.Items, next.Items, path+"[]", seen)...)
	}
	return out
}

func branches(t *schema.Type) []*schema.Type {
	if t.Kind == schema.Union {
		return t.Branches
	}
	return []*schema.Type{t}
}

// fields returns which fields of a record are new and which are gone.
func fields(former, next *schema.Type) (out []string) {
	names := func(t *schema.Type) (list []string) {
		for _, f := range t.Fields {
			list = append(list, f.Name)
		}
		return list
	}
	was, is := names(former), names(next)
	without := func(all, some []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(some, n) }), ", ")
	}
	if added := without(is, was); added != "" {
		out = append(out, "new: "+added)
	}
	if gone := without(was, is); gone != "" {
		out = append(out, "gone: "+gone)
	}
	return out
}
