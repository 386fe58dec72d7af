//go:build full

package foreignhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster/callers"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/foreignhttp"
	"github.com/deferpay/deferpay/tools/process"
)

var (
	asked    = flag.Bool("foreign", false, "judge the HTTP interfaces by third-party programs")
	examples = flag.Int("examples", 15, "how many requests schemathesis makes up for each operation")
)

// service is one of the two interfaces.
type service struct{ name, prefix, document string }

func services(t *testing.T) []service {
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	document := func(name string) string { return filepath.Join(root, "specs", name, "openapi.yaml") }
	return []service{{"contract", "/refcontract/v1", document("contract")}, {"billing", "/billing/v1", document("billing")}}
}

// TestForeignJudges plays the story and lets each judge speak.
func TestForeignJudges(t *testing.T) {
	if !*asked {
		t.Skip("run `make foreign-http`")
	}
	judges, err := foreignhttp.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	both := services(t)
	t.Run("redocly", func(t *testing.T) { redocly(t, judges, both) })
	kept := &tape{}
	let, err := callers.New(t.TempDir(), callers.Caller{Subject: "judge", Scopes: callers.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	key := let.Key("judge")
	err = story.Play(t.Context(), story.Options{Dir: t.TempDir(), Transport: let.Transport("judge", kept), Access: let.Settings(), BeforeStop: func(ctx context.Context, a story.Addresses) error {
		urls := map[string]string{"contract": a.Contract, "billing": a.Billing[0]}
		t.Run("generated client", func(t *testing.T) { generated(t, judges, both, urls, key) })
		for _, s := range both {
			t.Run("schemathesis "+s.name, func(t *testing.T) { schemathesis(t, judges, s, urls[s.name], key) })
		}
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range both {
		t.Run("prism "+s.name, func(t *testing.T) { prism(t, judges, s, kept) })
	}
}

func redocly(t *testing.T, judges foreignhttp.Judges, both []service) {
	for _, s := range both {
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(judges.Modules, "@redocly/cli/bin/cli.js"), "lint", "--format=json", "--max-problems=1000", s.document)
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
		out, _ := cmd.Output() // its status is that of the document
		var report struct {
			Totals   *struct{ Errors, Warnings int }
			Problems []struct{ RuleID, Message string }
		}
		if err := json.Unmarshal(out, &report); err != nil || report.Totals == nil {
			t.Fatalf("%s: %v: %s", s.name, err, out)
		}
		for _, p := range report.Problems {
			t.Errorf("%s: %s: %s", s.name, p.RuleID, p.Message)
		}
	}
}

// schemathesis runs every check in every phase, and compares what it finds with the explained list.
func schemathesis(t *testing.T, judges foreignhttp.Judges, s service, url, key string) {
	hooks, err := filepath.Abs("hooks.py")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(hooks, filepath.Join(dir, "hooks.py")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), judges.Python, "-m", "schemathesis.cli", "run", s.document, "--url", url+s.prefix,
		"-H", "X-API-Key: "+key, "-n", strconv.Itoa(*examples), "--generation-deterministic", "--continue-on-failure", "--no-color")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "SCHEMATHESIS_HOOKS=hooks", "PYTHONPATH="+dir)
	out, _ := cmd.CombinedOutput() // its status is that of the findings
	found, err := foreignhttp.Findings(string(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list, err := foreignhttp.Explained()
	if err != nil {
		t.Fatal(err)
	}
	faults, unused := foreignhttp.Unexplained(found, list)
	for _, f := range faults {
		t.Errorf("%s: %s", f.Operation, f.Text)
	}
	t.Logf("%d findings, %d of them not explained", len(found), len(faults))
	for _, e := range unused {
		t.Logf("explains nothing in this run: %s | %s", e.Check, e.Answer)
	}
}

// generated lets a client that is generated from the documents buy.
func generated(t *testing.T, judges foreignhttp.Judges, both []service, urls map[string]string, key string) {
	dir := t.TempDir()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), judges.Python, args...)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(judges.Python)+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return out
	}
	arguments := []string{"client.py", dir, key}
	for _, s := range both {
		out := run("-m", "openapi_python_client", "generate", "--path", s.document, "--output-path", filepath.Join(dir, s.name), "--meta", "none", "--fail-on-warning")
		if strings.Contains(string(out), "WARNING") {
			t.Errorf("%s: %s", s.name, out)
		}
		arguments = append(arguments, urls[s.name]+s.prefix)
	}
	if out := run(arguments...); strings.Count(string(out), "ok ") != 12 {
		t.Errorf("the client did not come to its end:\n%s", out)
	}
}

// exchange is a request of the story with its answer.
type exchange struct {
	method, target string
	header, head   http.Header
	body, answer   []byte
	status         int
}

// tape is a transport that keeps every exchange.
type tape struct {
	mu   sync.Mutex
	kept []exchange
}

// RoundTrip sends the request and keeps it with its answer.
func (k *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	e := exchange{method: r.Method, target: r.URL.RequestURI(), header: r.Header.Clone()}
	if r.Body != nil {
		e.body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(e.body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	e.answer, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(e.answer))
	e.status, e.head = resp.StatusCode, resp.Header.Clone()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, e)
	return resp, err
}

// prism passes every exchange of the story through Prism, which validates requests and answers, to
// a server that answers as the service did. The story itself kills services, which a proxy would
// hide.
func prism(t *testing.T, judges foreignhttp.Judges, s service, kept *tape) {
	played := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.Header.Get("X-Exchange"))
		if err != nil {
			http.Error(w, "no X-Exchange", http.StatusTeapot)
			return
		}
		e := kept.kept[n]
		for name, values := range e.head {
			w.Header()[name] = values
		}
		w.WriteHeader(e.status)
		_, _ = w.Write(e.answer)
	}))
	defer played.Close()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(judges.Modules, "@stoplight/prism-cli/dist/index.js"), "proxy", s.document, played.URL+s.prefix, "-h", "127.0.0.1", "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = cmd.Wait() }()
	until := time.Now().Add(2 * time.Minute)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatal("prism does not listen")
		}
		time.Sleep(100 * time.Millisecond)
	}
	judged := 0
	for n, e := range kept.kept {
		path, ok := strings.CutPrefix(e.target, s.prefix)
		if !ok {
			continue
		}
		judged++
		for _, v := range violations(t, "http://"+address+path, n, e) {
			t.Errorf("%s %s -> %d: %s", e.method, e.target, e.status, v)
		}
	}
	t.Logf("%d exchanges", judged)
	if judged < 20 {
		t.Errorf("only %d exchanges were judged", judged)
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// violations returns what Prism says of an exchange. A request that the service refused may be
// wrong.
func violations(t *testing.T, url string, n int, e exchange) (out []string) {
	r, err := http.NewRequestWithContext(t.Context(), e.method, url, bytes.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = e.header.Clone()
	r.Header.Set("X-Exchange", strconv.Itoa(n))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != e.status {
		answer, _ := io.ReadAll(resp.Body)
		return []string{fmt.Sprintf("prism answers %d: %s", resp.StatusCode, answer)}
	}
	text := resp.Header.Get("Sl-Violations")
	if text == "" {
		return nil
	}
	var all []struct {
		Location []string
		Message  string
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return []string{text}
	}
	for _, v := range all {
		if e.status < 400 || len(v.Location) > 0 && v.Location[0] == "response" {
			out = append(out, strings.Join(v.Location, ".")+": "+v.Message)
		}
	}
	return out
}
