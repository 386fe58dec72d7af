package main

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/specfile"
)

// reference returns the pages of the contracts and the problems.
func reference(t *testing.T) (pages []*Page, found []*Problem, roots map[string]specfile.Value) {
	t.Helper()
	pages, roots, err := readPages(specfile.NewSet(), specs)
	if err != nil {
		t.Fatal(err)
	}
	return pages, readProblems(pages, roots), roots
}

func TestEveryProblemHasPage(t *testing.T) {
	pages, found, roots := reference(t)
	files := site(t)
	codes := map[string]bool{}
	for _, p := range found {
		codes[p.Code] = true
		page := string(files["problems/"+p.Code+".html"])
		if p.Title == "" || p.Status == "" || !strings.Contains(page, p.Status) || !strings.Contains(page, p.Code) {
			t.Errorf("%s: no meaning or no page", p.Code)
		}
	}
	if len(codes) < 30 {
		t.Errorf("only %d problems", len(codes))
	}
	for _, page := range pages {
		if page.API == nil {
			continue
		}
		for _, code := range codesIn(roots[page.File]) {
			if !codes[code] {
				t.Errorf("%s: %s has no page", page.File, code)
			}
		}
		for _, g := range page.API.Groups {
			for _, op := range g.Operations {
				for _, r := range op.Responses {
					if len(r.Causes) != len(r.Codes) || strings.HasPrefix(r.Status, "4") && len(r.Causes) == 0 {
						t.Errorf("%s %s: %d causes of the problems %v", op.ID, r.Status, len(r.Causes), r.Codes)
					}
				}
			}
		}
	}
}

// codesIn returns every code of a problem in a document, wherever it is.
func codesIn(v specfile.Value) (codes []string) {
	if strings.HasPrefix(v.Raw("type").Str(), "urn:deferpay:problem:") {
		codes = append(codes, v.Raw("code").Str())
	}
	for _, c := range v.Children() {
		codes = append(codes, codesIn(c)...)
	}
	return codes
}

func TestProblemsOfOperations(t *testing.T) {
	_, found, _ := reference(t)
	for code, want := range map[string]string{
		"purchase-refused":    "createOperation",
		"period-not-ended":    "startBillingRun",
		"contract-not-found":  "getContract",
		"precondition-failed": "changeContract",
	} {
		ok := false
		for _, p := range found {
			for _, use := range p.Answers {
				ok = ok || p.Code == code && use.ID == want
			}
		}
		if !ok {
			t.Errorf("%s is not answered by %s", code, want)
		}
	}
}

func TestCatalogueAndTopics(t *testing.T) {
	set := specfile.NewSet()
	pages, _, err := readPages(set, specs)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]EventEntry{}
	for _, e := range readCatalogue(pages) {
		events[e.Name] = e
		if e.Key == "" || e.Schema == "" || e.Framing == "" || len(e.Headers) < 6 || e.Topic == "" {
			t.Errorf("%+v", e)
		}
	}
	if got := events["DirectDebitRejected"]; got.Sender != "billing" || len(got.Receivers) != 1 || got.Receivers[0] != "contract" {
		t.Errorf("%+v", got)
	}
	if got := events["InvoiceIssued"]; got.Sender != "billing" || len(got.Receivers) != 0 {
		t.Errorf("%+v", got)
	}
	topics, err := readTopics(pages, set, specs)
	if err != nil {
		t.Fatal(err)
	}
	private := 0
	for _, topic := range topics {
		if len(topic.Settings) == 0 || topic.Title == "" {
			t.Errorf("%+v", topic)
		}
		if topic.Private {
			private++
		} else if len(topic.Readers) != 1 {
			t.Errorf("%s is read by %v", topic.Address, topic.Readers)
		}
	}
	if private < 10 || len(topics)-private != 2 || len(events) < 19 {
		t.Errorf("%d topics, %d of them private, %d events", len(topics), private, len(events))
	}
}

// TestSearchIndex looks for one of each kind in the index, and follows each of its links.
func TestSearchIndex(t *testing.T) {
	files := site(t)
	data := strings.TrimSuffix(strings.TrimPrefix(string(files["search-index.js"]), "const searchEntries = "), ";\n")
	var entries []SearchEntry
	if err := json.Unmarshal([]byte(data), &entries); err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for _, e := range entries {
		titles[e.Title] = true
		file, anchor, _ := strings.Cut(e.Href, "#")
		page, ok := files[file]
		if !ok || anchor != "" && !strings.Contains(string(page), `id="`+anchor+`"`) {
			t.Errorf("%s leads to %q, where nothing is", e.Title, e.Href)
		}
	}
	for _, want := range []string{"createOperation", "purchase-refused", "OperationAccepted", "Money", "billing.log.v1", "Why no database, no outbox, no saga", "Rolling upgrade"} {
		if !titles[want] {
			t.Errorf("%s is not found", want)
		}
	}
}

// sent is a request as a server sees it.
type sent struct {
	method, path string
	header       http.Header
	body         any
}

// TestSamplesSendTheirRequests runs the samples in curl against a server and compares what arrives.
// The full form also runs those in Python, and one of those in Go.
func TestSamplesSendTheirRequests(t *testing.T) {
	var (
		mu  sync.Mutex
		got []sent
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s := sent{method: r.Method, path: r.URL.Path, header: r.Header}
		if len(data) > 0 {
			if err := json.Unmarshal(data, &s.body); err != nil {
				t.Errorf("%s %s: %v in %s", r.Method, r.URL.Path, err, data)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, s)
	}))
	defer server.Close()
	pages, _, _ := reference(t)
	ran := map[string]int{}
	for _, page := range pages {
		if page.API == nil {
			continue
		}
		for _, g := range page.API.Groups {
			for _, op := range g.Operations {
				for _, s := range op.Samples {
					code := hostInText.ReplaceAllString(s.Code, strings.TrimPrefix(server.URL, "http://"))
					mu.Lock()
					got = nil
					mu.Unlock()
					if runSample(t, s.Language, code, op.ID == "createOperation" && fulltest.Requested()) {
						ran[s.Language]++
						mu.Lock()
						arrived := slices.Clone(got)
						mu.Unlock()
						checkSent(t, op, s.Language, arrived)
					}
				}
			}
		}
	}
	t.Logf("ran %v", ran)
}

// runSample runs a sample and reports whether it did. A program in Go is run if compile is set, and
// only parsed otherwise.
func runSample(t *testing.T, language, code string, compile bool) bool {
	t.Helper()
	var cmd *exec.Cmd
	switch language {
	case "curl":
		cmd = exec.CommandContext(t.Context(), "sh", "-c", code)
	case "Python":
		if !fulltest.Requested() {
			return false
		}
		cmd = exec.CommandContext(t.Context(), "python3", "-c", code)
	case "Go":
		if _, err := parser.ParseFile(token.NewFileSet(), "sample.go", code, parser.AllErrors); err != nil {
			t.Errorf("%v in\n%s", err, code)
		}
		if !compile {
			return false
		}
		file := filepath.Join(t.TempDir(), "sample.go")
		if err := os.WriteFile(file, []byte(code), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd = exec.CommandContext(t.Context(), "go", "run", file)
	}
	if _, err := exec.LookPath(map[string]string{"curl": "curl", "Python": "python3", "Go": "go"}[language]); err != nil {
		return false
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s\n%s", language, err, out, code)
	}
	return true
}

func checkSent(t *testing.T, op Operation, language string, got []sent) {
	t.Helper()
	if len(got) != 1 {
		t.Errorf("%s in %s: %d requests", op.ID, language, len(got))
		return
	}
	r := got[0]
	if r.method != op.Method || r.header.Get("X-API-Key") == "" || strings.Contains(r.path, "{") {
		t.Errorf("%s in %s: %s %s, %v", op.ID, language, r.method, r.path, r.header)
	}
	for _, p := range op.Parameters {
		if p.In == "header" && p.Required && r.header.Get(p.Name) == "" {
			t.Errorf("%s in %s: no header %s", op.ID, language, p.Name)
		}
	}
	if (op.Body != nil) != (r.body != nil) {
		t.Errorf("%s in %s: body %v", op.ID, language, r.body)
	}
}
