// Package problemtest compares the problems of a service with those that its OpenAPI document
// declares. The tests of the services' HTTP layers import it.
package problemtest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/services/internal/problem"
)

// Document is what an OpenAPI document declares of problems.
type Document struct {
	operations []operation
	elsewhere  []string           // codes for requests that are for no operation
	examples   map[string]example // by code
}

type operation struct {
	id, method string
	path       *regexp.Regexp
	declared   map[int][]string // codes, by status
}

type (
	file struct {
		Servers []struct{ URL string }
		Paths   map[string]map[string]yaml.Node
		Other   map[string]example `yaml:"x-problems"`

		Components struct {
			Responses map[string]response
			Examples  map[string]example
		}
	}
	response struct {
		Ref     string `yaml:"$ref"`
		Content map[string]struct{ Examples map[string]example }
	}
	example struct {
		Ref   string `yaml:"$ref"`
		Value struct {
			Type, Title, Code string
			Status            any // of an example that is no problem, it is a text
		}
	}
)

var pathParameter = regexp.MustCompile(`\\\{[^/]+?\\\}`)

// Open reads a document.
func Open(t testing.TB, name string) *Document {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := yaml.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	d := &Document{examples: map[string]example{}}
	for code, e := range f.Other {
		d.elsewhere = append(d.elsewhere, code)
		d.examples[code] = e
	}
	for path, item := range f.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			pattern := "^" + pathParameter.ReplaceAllString(regexp.QuoteMeta(f.Servers[0].URL+path), `[^/]+`) + "$"
			d.operations = append(d.operations, d.operation(t, f, node, strings.ToUpper(method), pattern))
		}
	}
	return d
}

func (d *Document) operation(t testing.TB, f file, node yaml.Node, method, pattern string) operation {
	var o struct {
		ID        string `yaml:"operationId"`
		Responses map[string]response
	}
	if err := node.Decode(&o); err != nil {
		t.Fatal(err)
	}
	out := operation{id: o.ID, method: method, path: regexp.MustCompile(pattern), declared: map[int][]string{}}
	for name, r := range o.Responses {
		status, err := strconv.Atoi(name)
		if err != nil {
			t.Fatalf("%s: the response %s has no status", o.ID, name)
		}
		if r.Ref != "" {
			r = f.Components.Responses[r.Ref[len("#/components/responses/"):]]
		}
		for code, e := range r.Content[problem.ContentType].Examples {
			if e.Ref != "" {
				e = f.Components.Examples[e.Ref[len("#/components/examples/"):]]
			}
			if e.Value.Status != status || e.Value.Code != code {
				t.Errorf("%s, %s %s: the example is of %v %s", o.ID, name, code, e.Value.Status, e.Value.Code)
			}
			out.declared[status] = append(out.declared[status], code)
			d.examples[code] = e
		}
	}
	return out
}

// Check reports an example that is not as the service answers, and a code of own, which only this
// service has, that no operation declares.
func (d *Document) Check(t testing.TB, own ...problem.Code) {
	t.Helper()
	known := slices.Concat(problem.Codes(), own)
	for name, e := range d.examples {
		i := slices.IndexFunc(known, func(c problem.Code) bool { return c.String() == name })
		if i < 0 {
			t.Errorf("the service has no problem %s", name)
			continue
		}
		if c := known[i]; e.Value.Type != c.URN() || e.Value.Status != c.Status() || e.Value.Title != c.Title() {
			t.Errorf("%s: the example is %+v; the service answers %s, %d, %q", name, e.Value, c.URN(), c.Status(), c.Title())
		}
	}
	for _, c := range own {
		if _, ok := d.examples[c.String()]; !ok {
			t.Errorf("no operation declares %s", c)
		}
	}
}

// Handler returns a handler that reports each problem that next answers and the document does not
// declare for the operation.
func (d *Document) Handler(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		if fault := d.fault(r, rec); fault != "" {
			t.Errorf("%s %s: %s", r.Method, r.URL, fault)
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// fault returns what an answer has that the document does not declare, "" if there is nothing.
func (d *Document) fault(r *http.Request, answer *httptest.ResponseRecorder) string {
	if answer.Code < 400 {
		return ""
	}
	var p struct{ Code string }
	if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
		return "the answer " + strconv.Itoa(answer.Code) + " is not a problem document"
	}
	for _, o := range d.operations {
		if o.method == r.Method && o.path.MatchString(r.URL.Path) {
			if slices.Contains(o.declared[answer.Code], p.Code) {
				return ""
			}
			return o.id + " does not declare " + strconv.Itoa(answer.Code) + " " + p.Code
		}
	}
	if slices.Contains(d.elsewhere, p.Code) || strings.HasPrefix(p.Code, "invalid-request") {
		return ""
	}
	return "no operation, and the document does not declare " + p.Code
}
