package cli

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// far starts a server with schemas, which refer to one another by relative references.
func far(t *testing.T) (url string, asked map[string]*atomic.Int32) {
	t.Helper()
	asked = map[string]*atomic.Int32{}
	mux := http.NewServeMux()
	stop := make(chan struct{})
	handle := func(path string, f http.HandlerFunc) {
		n := new(atomic.Int32)
		asked[path] = n
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { n.Add(1); f(w, r) })
	}
	serve := func(path, text string) {
		handle(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
	}
	serve("/v1/messages.yaml", "A: {payload: {schemaFormat: application/vnd.apache.avro, schema: {$ref: types/A.avsc}}}\nB: {payload: {$ref: '#/schemas/B'}}\nschemas: {B: {$ref: '../json/B.json#/definitions/B'}}\n")
	serve("/v1/types/A.avsc", `{"type": "record", "name": "A", "namespace": "x.event", "fields": [{"name": "c", "type": "x.event.C"}]}`)
	serve("/v1/types/C.avsc", `{"type": "record", "name": "C", "namespace": "x.event", "fields": [{"name": "far", "type": "string"}]}`)
	serve("/json/B.json", `{"definitions": {"B": {"type": "object", "properties": {"distant": {"type": "string"}}}}}`)
	handle("/latest", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v1/messages.yaml", http.StatusFound)
	})
	handle("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	handle("/gone.yaml", http.NotFound)
	handle("/slow.yaml", func(http.ResponseWriter, *http.Request) { <-stop })
	handle("/stuck.yaml", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("A: "))
		w.(http.Flusher).Flush()
		<-stop
	})
	handle("/endless.yaml", func(w http.ResponseWriter, _ *http.Request) {
		for line := bytes.Repeat([]byte("#"), 1<<10); ; {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) }) // before Close, which waits for answers
	return server.URL, asked
}

// near returns a document that refers to URLs.
func near(a, b string) string {
	return `asyncapi: 3.0.0
info: {title: T, version: 1.0.0}
channels:
  as: {address: as.v1, messages: {A: {$ref: '` + a + `'}}}
  bs: {address: bs.v1, messages: {B: {$ref: '` + b + `'}}}
operations:
  sendA: {action: send, channel: {$ref: '#/channels/as'}}
  sendB: {action: send, channel: {$ref: '#/channels/bs'}}
`
}

func TestAllowRemote(t *testing.T) {
	url, _ := far(t)
	host := strings.TrimPrefix(url, "http://")
	small, hasty, hastier := usual, usual, usual
	small.eachBytes = 10_000
	hasty.each = 200 * time.Millisecond
	hastier.all = 200 * time.Millisecond
	little := usual
	little.allBytes = 200
	cases := []struct {
		name, a, b string
		without    bool // the flag
		limits     limits
		want       []string // in the diagnostics; none: it succeeds
	}{
		{name: "relative references in a remote file", a: url + "/v1/messages.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: usual},
		{name: "relative to the target of a redirect", a: url + "/latest#/A", b: url + "/latest#/B", limits: usual},
		{name: "without the flag", a: url + "/v1/messages.yaml#/A", b: url + "/v1/messages.yaml#/B", without: true, limits: usual,
			want: []string{"asyncapi.yaml:4:45: " + url + "/v1/messages.yaml is remote\n  hint: keep a copy at specs/vendor/" + host + "/v1/messages.yaml, or allow it with -allow-remote"}},
		{name: "not there", a: url + "/gone.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: usual,
			want: []string{"asyncapi.yaml:4:45: cannot read " + url + "/gone.yaml: the server answers 404 Not Found\n  hint: keep a copy at specs/vendor/" + host + "/gone.yaml if it cannot be fetched"}},
		{name: "no such name there", a: url + "/v1/messages.yaml#/Z", b: url + "/v1/messages.yaml#/B", limits: usual,
			want: []string{`asyncapi.yaml:4:45: $ref "` + url + `/v1/messages.yaml#/Z" leads nowhere: there is no "Z" in ` + url + `/v1/messages.yaml`}},
		{name: "redirects in a circle", a: url + "/round#/A", b: url + "/v1/messages.yaml#/B", limits: usual, want: []string{"stopped after 10 redirects"}},
		{name: "no answer in time", a: url + "/slow.yaml#/A", b: url + "/slow.yaml#/B", limits: hasty,
			want: []string{"asyncapi.yaml:4:45: cannot read " + url + "/slow.yaml: there was no complete answer within 200ms", "asyncapi.yaml:5:45: "}},
		{name: "half an answer in time", a: url + "/stuck.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: hasty, want: []string{"/stuck.yaml: there was no complete answer within 200ms"}},
		{name: "all together not in time", a: url + "/slow.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: hastier,
			want: []string{"/slow.yaml: remote files took longer than 200ms in all", "/v1/messages.yaml: remote files took longer than 200ms in all"}},
		{name: "too large", a: url + "/endless.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: small, want: []string{"asyncapi.yaml:4:45: cannot read " + url + "/endless.yaml: it is larger than 10000 bytes"}},
		{name: "all together too large", a: url + "/v1/messages.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: little, want: []string{"remote files are larger than 200 bytes in all"}},
		{name: "no server", a: "http://127.0.0.1:1/a.yaml#/A", b: url + "/v1/messages.yaml#/B", limits: usual, want: []string{"cannot read http://127.0.0.1:1/a.yaml", "connection refused"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			folder(t)
			write(t, "specs/asyncapi.yaml", near(c.a, c.b))
			args := []string{"-out", "gen", "-import", "example.com/gen", "-allow-remote=true", "specs/asyncapi.yaml"}
			if c.without {
				args[4] = "-allow-remote=false"
			}
			var out, said bytes.Buffer
			status := (&command{stdout: &out, stderr: &said, limits: c.limits}).generate(args)
			if len(c.want) == 0 {
				a, errA := os.ReadFile("gen/event/c.go")
				b, errB := os.ReadFile("gen/payload/b.go")
				if status != done || errA != nil || errB != nil || !strings.Contains(string(a), "Far string") || !strings.Contains(string(b), "Distant *string") {
					t.Errorf("%d %v %v\n%s%s%s", status, errA, errB, &said, a, b)
				}
				return
			}
			for _, want := range c.want {
				if status != fault || !strings.Contains(said.String(), want) {
					t.Errorf("%d, and the output does not contain %s\n%s", status, want, &said)
				}
			}
			if _, err := os.Stat("gen"); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// TestRemoteFetchedOnce fetches a URL once, whether it exists or not, and not at all if there is a
// copy below vendor.
func TestRemoteFetchedOnce(t *testing.T) {
	url, asked := far(t)
	folder(t)
	write(t, "specs/asyncapi.yaml", near(url+"/v1/messages.yaml#/A", url+"/gone.yaml#/B")+"  sendC: {action: send, channel: {$ref: '"+url+"/gone.yaml#/C'}}\n")
	if status, _, _ := run("generate", "-allow-remote", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml"); status != fault {
		t.Errorf("got %d", status)
	}
	for _, path := range []string{"/v1/messages.yaml", "/v1/types/A.avsc", "/gone.yaml"} {
		if n := asked[path].Load(); n != 1 {
			t.Errorf("%s was fetched %d times", path, n)
		}
	}
	host := strings.TrimPrefix(url, "http://")
	write(t, "specs/vendor/"+host+"/gone.yaml", "B: {payload: {type: string}}\n")
	write(t, "specs/asyncapi.yaml", near(url+"/v1/messages.yaml#/A", url+"/gone.yaml#/B"))
	if status, _, said := run("generate", "-allow-remote", "-out", "gen", "-import", "example.com/gen", "specs/asyncapi.yaml"); status != done {
		t.Errorf("got %d\n%s", status, said)
	}
	if n := asked["/gone.yaml"].Load(); n != 1 {
		t.Errorf("in spite of the copy it was fetched %d times", n)
	}
	// The other commands that read documents have the flag too.
	if status, _, said := run("topics", "diff", "-brokers", "127.0.0.1:1", "specs/asyncapi.yaml"); status != fault || !strings.Contains(said, "-allow-remote") {
		t.Errorf("topics without the flag: %d\n%s", status, said)
	}
	if status, _, said := run("schemas", "check", "-allow-remote", "-registry", "http://127.0.0.1:1", "specs/asyncapi.yaml"); status != done {
		t.Errorf("schemas with the flag, of a document without subjects: %d\n%s", status, said)
	}
}
