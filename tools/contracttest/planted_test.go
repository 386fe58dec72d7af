package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/specfile"
)

const contractAPI = "../../specs/contract/openapi.yaml"

// good answers two requests as the contract has it, with examples of the document.
func good(t *testing.T) http.Handler {
	root, err := specfile.NewSet().Open(contractAPI)
	if err != nil {
		t.Fatal(err)
	}
	example := func(name string) []byte { return root.Get("components", "examples", name, "value").Node.JSON() }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "CTR-7") {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("ETag", `"3"`)
			w.Header().Set("Log-Position", "contract.log.v1:41")
			_, _ = w.Write(example("ActiveContract"))
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(example("ContractNotFound"))
	})
}

// planting is a proxy that plants a fault in every answer.
func planting(t *testing.T, to string, plant func(*http.Response)) *httptest.Server {
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error { plant(r); return nil },
	})
	t.Cleanup(server.Close)
	return server
}

// throughProxy sends a request for a contract through the validating proxy, and returns what it
// wrote.
func throughProxy(t *testing.T, api *judge.API, to, ref string) (*coverage, string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &against{api: api, url: target, out: &out, coverage: newCoverage()}
	proxy := httptest.NewServer(a.proxy())
	defer proxy.Close()
	resp, err := http.Get(proxy.URL + "/refcontract/v1/contracts/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return a.coverage, out.String()
}

func replace(from, to string) func(*http.Response) {
	return func(r *http.Response) {
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		body = bytes.Replace(body, []byte(from), []byte(to), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
}

func TestPlantedHTTPFaults(t *testing.T) {
	api, err := judge.LoadAPI(contractAPI)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(good(t))
	defer service.Close()
	for name, tt := range map[string]struct {
		ref, want string
		plant     func(*http.Response)
	}{
		"wrong status":      {"CTR-7", "GET operation request response code '206' does not exist", func(r *http.Response) { r.StatusCode = 206 }},
		"missing member":    {"CTR-7", "missing property 'version'", replace(`"version":3,`, ``)},
		"wrong type":        {"CTR-7", "got string, want integer", replace(`500000`, `"500000"`)},
		"unknown symbol":    {"CTR-7", "value must be one of 'PENDING'", replace(`"ACTIVE"`, `"ACTIVATED"`)},
		"missing header":    {"CTR-7", "Log-Position", func(r *http.Response) { r.Header.Del("Log-Position") }},
		"wrong header":      {"CTR-7", "header 'etag' failed to validate", func(r *http.Response) { r.Header.Set("ETag", "3") }},
		"undeclared code":   {"CTR-9", "getContract does not declare 404 account-not-found", replace(`"contract-not-found"`, `"account-not-found"`)},
		"undeclared status": {"CTR-9", "getContract does not declare 410 contract-not-found", func(r *http.Response) { r.StatusCode = 410 }},
		"other media type":  {"CTR-9", `content type "application/json"`, func(r *http.Response) { r.Header.Set("Content-Type", "application/json") }},
	} {
		proxy := planting(t, service.URL, tt.plant)
		c, said := throughProxy(t, api, proxy.URL, tt.ref)
		if len(c.faults) == 0 || !strings.Contains(said, tt.want) {
			t.Errorf("%s: the proxy wrote %q, want %q", name, said, tt.want)
		}
		if len(c.faults) > 0 && c.faults[0].subject != "getContract" {
			t.Errorf("%s: the fault is of %q", name, c.faults[0].subject)
		}
	}
	none := planting(t, service.URL, func(*http.Response) {})
	for _, ref := range []string{"CTR-7", "CTR-9"} {
		if c, said := throughProxy(t, api, none.URL, ref); len(c.faults) > 0 || said != "" {
			t.Errorf("%s without a fault: %q %v", ref, said, c.faults)
		}
	}
}

func TestExamplesAreSent(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Api-Key"))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	o := options{url: server.URL}
	_ = o.addFile(contractAPI)
	if err := o.addHeader("X-Api-Key: k"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	faults, err := o.run(t.Context(), &out)
	if err != nil || faults < 9 {
		t.Errorf("%d faults, %v\n%s", faults, err, out.String())
	}
	for _, want := range []string{"POST /refcontract/v1/contracts k", "PUT /refcontract/v1/contracts/CTR-7/mandate k", "DELETE /refcontract/v1/contracts/CTR-7/personal-data k"} {
		if !strings.Contains(strings.Join(asked, "\n"), want) {
			t.Errorf("%q was not sent", want)
		}
	}
	if o.addHeader("nonsense") == nil {
		t.Error("a header without a colon was taken")
	}
	if _, err := (&options{url: server.URL}).run(t.Context(), &out); err == nil {
		t.Error("-url without -openapi was taken")
	}
}

// A service that lets nobody in was not judged, although its documents declare the refusal.
func TestNobodyIsLetIn(t *testing.T) {
	letIn := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if letIn && r.Method == http.MethodGet {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("WWW-Authenticate", `ApiKey realm="deferpay"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"type":"urn:deferpay:problem:unauthenticated","title":"No valid credentials","status":401,"code":"unauthenticated"}`)
	}))
	defer server.Close()
	const says = "was refused with 401 or 403"
	for range 2 {
		o := options{url: server.URL, files: []string{contractAPI}}
		var out bytes.Buffer
		faults, err := o.run(t.Context(), &out)
		if err != nil || strings.Contains(out.String(), says) == letIn || faults == 0 {
			t.Errorf("let in: %t: %d faults, %v\n%s", letIn, faults, err, out.String())
		}
		letIn = true
	}
}

func TestJUnit(t *testing.T) {
	api, events := contracts(t)
	c := exercised(api, events)
	delete(c.messages, "ContractAmended")
	delete(c.outcomes[nowhere], "404 not-found")
	c.settle(api, events)
	s := c.suite(api, events)
	if s.Failures != 2 || s.Tests != len(s.Cases) {
		t.Errorf("%d failures, %d tests of %d cases", s.Failures, s.Tests, len(s.Cases))
	}
	file := t.TempDir() + "/junit.xml"
	if err := c.writeJUnit(file, api, events); err != nil {
		t.Fatal(err)
	}
	for _, k := range s.Cases {
		if (k.Name == "ContractAmended") != (len(k.Failures) == 1 && strings.Contains(k.Failures[0].Message, "never seen")) && k.Name != nowhere {
			t.Errorf("%s: failures %v", k.Name, k.Failures)
		}
	}
}
