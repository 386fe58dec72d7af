package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Problem is a cause of an error that the services answer, with an example of its document.
type Problem struct {
	Code, Title, Detail, Hint string
	Status                    string
	Retry                     bool // the answer names when to try again
	Example                   string
	Answers                   []ProblemUse // operations that answer it
	Services                  []string     // services whose documents have it
}

// ProblemUse is an operation that answers a problem.
type ProblemUse struct{ ID, Method, Summary, Href, Service string }

// problems are the problems of all services by code.
type problems struct{ byCode map[string]*Problem }

// read keeps the examples of problem documents that a value has.
func (p *problems) read(service string, v specfile.Value) {
	for _, name := range []string{"examples", "x-problems"} {
		for _, ex := range v.Get(name).Members() {
			if code := ex.Get("value", "code").Str(); code != "" {
				p.keep(service, ex.Get("value"))
			}
		}
	}
}

func (p *problems) keep(service string, v specfile.Value) {
	code := v.Get("code").Str()
	found := p.byCode[code]
	if found == nil {
		found = &Problem{Code: code, Title: v.Get("title").Str(), Status: v.Get("status").Text(), Detail: v.Get("detail").Str(),
			Hint: v.Get("hint").Str(), Retry: v.Get("retryAfter").Ok(), Example: pretty(v)}
		p.byCode[code] = found
	}
	found.Services = appendNew(found.Services, service)
}

// readProblems returns the problems of the HTTP documents, and completes the pages: each response
// gets its problems, which the documents name by its examples. Those of requests that are for no
// operation are under x-problems.
func readProblems(pages []*Page, roots map[string]specfile.Value) []*Problem {
	p := &problems{byCode: map[string]*Problem{}}
	for _, page := range pages {
		if page.API == nil {
			continue
		}
		root, service := roots[page.File], page.Service
		p.read(service, root)
		p.read(service, root.Get("components"))
		for _, path := range root.Get("paths").Members() {
			for _, op := range path.Members() {
				for _, r := range op.Get("responses").Members() {
					p.read(service, r.Get("content", "application/problem+json"))
				}
			}
		}
		for i := range page.API.Groups {
			for j := range page.API.Groups[i].Operations {
				p.complete(page, &page.API.Groups[i].Operations[j])
			}
		}
	}
	list := make([]*Problem, 0, len(p.byCode))
	for _, x := range p.byCode {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *Problem) int {
		return cmp.Or(strings.Compare(a.Status, b.Status), strings.Compare(a.Code, b.Code))
	})
	return list
}

// complete finds the problems of an operation.
func (p *problems) complete(page *Page, op *Operation) {
	for i := range op.Responses {
		r := &op.Responses[i]
		for _, code := range r.Codes {
			x := p.byCode[code]
			if x == nil {
				continue
			}
			op.Problems = appendNew(op.Problems, code)
			r.Causes = append(r.Causes, Cause{code, x.Title})
			x.Answers = append(x.Answers, ProblemUse{op.ID, op.Method, op.Summary, page.File + "#op-" + op.ID, page.Service})
		}
	}
}

// Cause is a problem in the list of a response.
type Cause struct{ Code, Title string }
