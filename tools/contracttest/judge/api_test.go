package judge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/specfile"
)

var apiFiles = []string{"../../../specs/contract/openapi.yaml", "../../../specs/billing/openapi.yaml"}

func TestExamplesOfDocuments(t *testing.T) {
	if _, err := LoadAPI(apiFiles...); err != nil {
		t.Fatal(err)
	}
	for _, file := range apiFiles {
		checked, faults, err := CheckExamples(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			t.Error(f)
		}
		t.Logf("%s: %d examples", file, checked)
		if checked < 50 {
			t.Errorf("%s: only %d examples were found", file, checked)
		}
	}
}

// contractRead is a valid exchange, with an example of the document.
func contractRead(t *testing.T) Exchange {
	t.Helper()
	root, err := specfile.NewSet().Open(apiFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	return Exchange{
		Method: "GET", Target: "/refcontract/v1/contracts/CTR-7", Header: http.Header{},
		Status:     200,
		AnswerHead: http.Header{"Content-Type": {"application/json"}, "Etag": {`"3"`}, "Log-Position": {"contract.log.v1:41"}},
		Answer:     root.Get("components", "examples", "ActiveContract", "value").Node.JSON(),
	}
}

func problem(code, status string) []byte {
	return []byte(`{"type":"urn:deferpay:problem:` + code + `","title":"t","status":` + status + `,"code":"` + code + `"}`)
}

func TestGoodAnswers(t *testing.T) {
	api := load(t)
	if f := api.Judge(contractRead(t)); f.Operation != "getContract" || f.Outcome != "200" || len(f.Violations) > 0 {
		t.Errorf("valid answer: %+v", f)
	}
	e := contractRead(t)
	e.Status, e.Answer = 404, problem("contract-not-found", "404")
	e.AnswerHead = http.Header{"Content-Type": {"application/problem+json"}}
	if f := api.Judge(e); f.Outcome != "404 contract-not-found" || len(f.Violations) > 0 {
		t.Errorf("valid problem: %+v", f)
	}
	e.Target, e.Answer = "/refcontract/v1/nothing", problem("not-found", "404")
	if f := api.Judge(e); f.Operation != "" || len(f.Violations) > 0 {
		t.Errorf("problem for an unknown path: %+v", f)
	}
}

// TestMutatedAnswers requires that each mutation of a valid answer is found.
func TestMutatedAnswers(t *testing.T) {
	api := load(t)
	body := func(from, to string) func(*Exchange) {
		return func(e *Exchange) {
			changed := strings.Replace(string(e.Answer), from, to, 1)
			if changed == string(e.Answer) {
				t.Fatalf("the mutation %q does not change %s", from, e.Answer)
			}
			e.Answer = []byte(changed)
		}
	}
	asProblem := func(status int, contentType string, body []byte) func(*Exchange) {
		return func(e *Exchange) {
			e.Status, e.Answer, e.AnswerHead = status, body, http.Header{"Content-Type": {contentType}}
		}
	}
	mutations := map[string]func(*Exchange){
		"unknown member":               body(`"status":"ACTIVE"`, `"status":"ACTIVE","surprise":1`),
		"missing member":               body(`"version":3,`, ``),
		"unknown symbol":               body(`"ACTIVE"`, `"ACTIVATED"`),
		"amount as text":               body(`500000`, `"500000"`),
		"reference of another kind":    body(`"CTR-7"`, `"7"`),
		"instant without zone":         body(`"2026-10-01T00:00:00Z"`, `"2026-10-01T00:00:00"`),
		"not JSON":                     body(`{`, ``),
		"missing header":               func(e *Exchange) { e.AnswerHead.Del("ETag") },
		"header of another form":       func(e *Exchange) { e.AnswerHead.Set("ETag", "3") },
		"another media type":           func(e *Exchange) { e.AnswerHead.Set("Content-Type", "text/plain") },
		"error as JSON, not a problem": asProblem(404, "application/json", problem("contract-not-found", "404")),
		"problem with another status":  asProblem(404, "application/problem+json", problem("contract-not-found", "410")),
		"problem without code":         asProblem(404, "application/problem+json", []byte(`{"type":"x","title":"t","status":404}`)),
		"problem code without example": asProblem(404, "application/problem+json", problem("mystery", "404")),
		"unknown path": func(e *Exchange) {
			e.Target = "/refcontract/v1/secrets"
		},
		"forbidden request accepted": func(e *Exchange) { e.Target = "/refcontract/v1/contracts/not-a-reference" },
		"unknown service":            func(e *Exchange) { e.Target = "/other/v1/contracts/CTR-7" },
	}
	for name, mutate := range mutations {
		e := contractRead(t)
		mutate(&e)
		if f := api.Judge(e); len(f.Violations) == 0 {
			t.Errorf("%s: not caught: %+v", name, f)
		}
	}
}

func load(t *testing.T) *API {
	t.Helper()
	api, err := LoadAPI(apiFiles...)
	if err != nil {
		t.Fatal(err)
	}
	return api
}
