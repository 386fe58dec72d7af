// Package gate compares versions of contracts of any kind: it finds what belongs together and calls
// the package for its kind.
//
// The command imports it.
package gate

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/deferpay/deferpay/tools/contractdiff/asyncdiff"
	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/contractdiff/openapidiff"
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Kind is the kind of findings about whole files.
const Kind = "gate"

// Compare returns the differences of a new version of contracts and former ones, oldest first. An
// error means that something could not be read, so that nothing is known about it.
func Compare(olds []*input.Side, next *input.Side, mode avrodiff.Mode) ([]finding.Finding, error) {
	if !mode.Transitive() {
		olds = olds[len(olds)-1:]
	}
	for _, old := range olds {
		if old.IsFile() != next.IsFile() {
			return nil, fmt.Errorf("a file can only be compared with a file, and a folder with a folder")
		}
	}
	sides := append(olds[:len(olds):len(olds)], next)
	read, err := readAll(sides)
	if err != nil {
		return nil, err
	}
	now := read[len(olds)]
	var out []finding.Finding
	for _, was := range read[:len(olds)] {
		found, err := compare(was, now, mode)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return finding.Merge(out), nil
}

// Pairs compares what the applications of AsyncAPI documents receive with what those of others
// send. An error means that something could not be read.
func Pairs(sides []*input.Side) ([]finding.Finding, error) {
	read, err := readAll(sides)
	if err != nil {
		return nil, err
	}
	var docs []*asyncdiff.Document
	for _, c := range read {
		for _, rel := range c.order {
			if d := c.async[rel]; d != nil {
				docs = append(docs, d)
			}
		}
	}
	receives := func(d *asyncdiff.Document) bool {
		return slices.ContainsFunc(d.Operations, func(o *parse.Operation) bool { return o.Action == parse.Receive })
	}
	if !slices.ContainsFunc(docs, receives) {
		return nil, errors.New("no AsyncAPI document of these receives anything")
	}
	return asyncdiff.Pairs(docs), nil
}

// readAll reads several sides at the same time.
func readAll(sides []*input.Side) ([]*contracts, error) {
	out, errs := make([]*contracts, len(sides)), make([]error, len(sides))
	var wait sync.WaitGroup
	for i, s := range sides {
		wait.Go(func() { out[i], errs[i] = read(s) })
	}
	wait.Wait()
	return out, errors.Join(errs...)
}

// contracts are the contracts of one side, by their paths relative to it.
type contracts struct {
	side  *input.Side
	kinds map[string]input.Kind
	order []string
	async map[string]*asyncdiff.Document
	open  map[string]*openapidiff.Document
	avro  map[string]*avroFile
	// used are the Avro files that AsyncAPI documents read: they are compared as payloads, where it
	// is known who reads and writes them.
	used map[string]bool
}

type avroFile struct {
	root   *schema.Type
	reader *input.Reader
	at     diag.Pos
}

// read reads every contract of a side, and returns all faults of all of them.
func read(s *input.Side) (*contracts, error) {
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	c := &contracts{s, map[string]input.Kind{}, nil, map[string]*asyncdiff.Document{}, map[string]*openapidiff.Document{}, map[string]*avroFile{}, map[string]bool{}}
	faults := make([]error, len(files))
	var wait sync.WaitGroup
	var lock sync.Mutex
	for i, f := range files {
		rel := f.Rel
		if s.IsFile() {
			rel = "" // whatever they are called, two files are compared
		}
		c.kinds[rel] = f.Kind
		c.order = append(c.order, rel)
		wait.Go(func() {
			add, err := load(s, f)
			lock.Lock()
			defer lock.Unlock()
			if faults[i] = err; err == nil {
				add(c, rel)
			}
		})
	}
	wait.Wait()
	c.findUsed(files)
	return c, errors.Join(faults...)
}

// load reads one contract, and returns how it is added to the others.
func load(s *input.Side, f input.File) (func(c *contracts, rel string), error) {
	switch f.Kind {
	case input.AsyncAPI:
		d, err := asyncdiff.Load(s, f.Path)
		return func(c *contracts, rel string) { c.async[rel] = d }, err
	case input.OpenAPI:
		d, err := openapidiff.Load(s, f.Path)
		return func(c *contracts, rel string) { c.open[rel] = d }, err
	}
	d, err := loadAvro(s, f.Path)
	return func(c *contracts, rel string) { c.avro[rel] = d }, err
}

// findUsed finds the Avro files that AsyncAPI documents read.
func (c *contracts) findUsed(files []input.File) {
	read := map[string]bool{}
	for _, d := range c.async {
		for _, name := range d.Reader.Local() {
			read[name] = true
		}
	}
	for _, f := range files {
		c.used[f.Rel] = f.Kind == input.Avro && read[f.Path]
	}
}

func loadAvro(s *input.Side, file string) (*avroFile, error) {
	r := s.Reader()
	r.Begin(file)
	n := r.Open(file, diag.Pos{})
	if err := r.Err(); err != nil {
		return nil, err
	}
	l := schema.Loader{Lenient: true, Valid: true, Nearest: diag.Nearest}
	l.Find = func(fullname string, use any) *schema.Node {
		at, _ := use.(diag.Pos)
		if found := r.FindType(fullname, at.File); found != nil && found != n {
			return avro.Node(found)
		}
		return nil
	}
	root := l.Add(avro.Node(n))
	for _, f := range l.Link() {
		if at, _ := f.Pos.(diag.Pos); !f.Warning {
			r.Diags.ErrorHint(at, f.Hint, "%s", f.Message)
		}
	}
	return &avroFile{*root, r, n.Pos}, r.Err()
}

func compare(was, now *contracts, mode avrodiff.Mode) ([]finding.Finding, error) {
	var out []finding.Finding
	var docs []*asyncdiff.Document
	for _, rel := range now.order {
		if d := now.async[rel]; d != nil {
			docs = append(docs, d)
		}
	}
	people := asyncdiff.Applications(docs)
	for _, rel := range was.order {
		kind, there := now.kinds[rel]
		switch {
		case !there:
			out = append(out, was.removed(rel)...)
		case kind != was.kinds[rel]:
			return nil, fmt.Errorf("%s is %s, and %s is %s: they cannot be compared", was.name(rel), was.kinds[rel], now.name(rel), kind)
		case kind == input.AsyncAPI:
			out = append(out, asyncdiff.Compare(was.async[rel], now.async[rel], mode, people)...)
		case kind == input.OpenAPI:
			found, err := openapidiff.Compare(was.open[rel], now.open[rel])
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		case !was.used[rel] || !now.used[rel]:
			out = append(out, compareAvro(was.avro[rel], now.avro[rel], mode)...)
		}
	}
	for _, rel := range now.order {
		if _, known := was.kinds[rel]; !known && !now.used[rel] {
			out = append(out, finding.Finding{Level: finding.Info, ID: "CONTRACT_ADDED", Kind: Kind, File: now.name(rel), Message: "this contract is new"})
		}
	}
	return out, nil
}

// name returns the name of a contract for users.
func (c *contracts) name(rel string) string {
	files, err := c.side.Files()
	if err != nil {
		return rel
	}
	i := slices.IndexFunc(files, func(f input.File) bool { return f.Rel == rel || rel == "" })
	if i < 0 {
		return rel
	}
	return c.side.Display(files[i].Path)
}

// removed returns the finding for a contract that is gone. An Avro file that only documents use is
// compared as their payload.
func (c *contracts) removed(rel string) []finding.Finding {
	if c.used[rel] {
		return nil
	}
	return []finding.Finding{{Level: finding.Breaking, ID: "CONTRACT_REMOVED", Kind: Kind, File: c.name(rel), Message: "this contract is gone", Hint: "keep the file until nobody uses what it describes"}}
}

func compareAvro(was, now *avroFile, mode avrodiff.Mode) []finding.Finding {
	var out []finding.Finding
	for _, d := range avrodiff.Compare(was.root, now.root, mode) {
		f := now
		if d.Side == finding.Old {
			f = was
		}
		if !d.Pos.IsValid() {
			d.Pos = f.at
		}
		switch d.Order {
		case finding.ConsumersFirst:
			d.Hint += "; deploy consumers first"
		case finding.ProducersFirst:
			d.Hint += "; deploy producers first"
		}
		out = append(out, finding.Finding{Level: d.Level, ID: d.ID, Kind: "avro", File: f.reader.Display(d.Pos.File), Pointer: f.reader.Pointer(d.Pos), Message: d.Message, Hint: d.Hint, Line: d.Pos.Line, Col: d.Pos.Col})
	}
	return out
}
