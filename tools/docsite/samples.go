package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Sample is a request in a language.
type Sample struct{ Language, Code string }

// sampleRequest is the request that the samples of an operation send.
type sampleRequest struct {
	method, url string
	headers     [][2]string
	body        string
}

var hostInText = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// baseURL returns where a service listens by default, from the description of its server.
func baseURL(root specfile.Value) string {
	servers := root.Get("servers").Items()
	if len(servers) == 0 {
		return ""
	}
	path := servers[0].Get("url").Str()
	if host := hostInText.FindString(servers[0].Get("description").Str()); host != "" && strings.HasPrefix(path, "/") {
		return "http://" + host + path
	}
	return path
}

// samples returns a request for an operation in curl, Go and Python. It has the examples of the
// document, and every required parameter.
func samples(base string, path specfile.Member, op specfile.Member) []Sample {
	q := sampleRequest{method: strings.ToUpper(op.Name), url: base + path.Name, headers: [][2]string{{"X-API-Key", "demo"}}}
	for _, p := range append(path.Get("parameters").Items(), op.Get("parameters").Items()...) {
		name, value := p.Get("name").Str(), exampleOf(p)
		switch p.Get("in").Str() {
		case "path":
			q.url = strings.ReplaceAll(q.url, "{"+name+"}", url.PathEscape(value))
		case "header":
			if name == "Idempotency-Key" || name == "If-Match" {
				q.headers = append(q.headers, [2]string{name, value})
			}
		case "query":
			if p.Get("required").True() {
				separator := "?"
				if strings.Contains(q.url, "?") {
					separator = "&"
				}
				q.url += separator + url.QueryEscape(name) + "=" + url.QueryEscape(value)
			}
		}
	}
	for _, media := range op.Get("requestBody", "content").Members() {
		for _, ex := range media.Get("examples").Members() {
			if q.body == "" {
				q.body = pretty(ex.Get("value"))
			}
		}
		q.headers = append(q.headers, [2]string{"Content-Type", media.Name})
	}
	return []Sample{{"curl", q.curl()}, {"Go", q.golang()}, {"Python", q.python()}}
}

// exampleOf returns an example of a parameter.
func exampleOf(p specfile.Value) string {
	for _, at := range []specfile.Value{p.Get("example"), p.Get("schema", "example"), p.Get("schema", "default"), p.Get("schema", "enum")} {
		if items := at.Items(); len(items) > 0 {
			return items[0].Text()
		}
		if at.Ok() {
			return at.Text()
		}
	}
	for _, list := range []specfile.Value{p.Get("examples"), p.Get("schema", "examples")} {
		for _, m := range list.Members() {
			return m.Get("value").Text()
		}
		for _, it := range list.Items() {
			return it.Text()
		}
	}
	return "example"
}

// quoted returns a text as a word of the shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (q sampleRequest) curl() string {
	lines := []string{"curl -i"}
	if q.method != "GET" {
		lines[0] += " -X " + q.method
	}
	lines[0] += " " + quoted(q.url)
	for _, h := range q.headers {
		lines = append(lines, "-H "+quoted(h[0]+": "+h[1]))
	}
	if q.body != "" {
		lines = append(lines, "-d "+quoted(q.body))
	}
	return strings.Join(lines, " \\\n  ")
}

func (q sampleRequest) golang() string {
	var b strings.Builder
	imports := []string{"fmt", "io", "log", "net/http"}
	body := "nil"
	if q.body != "" {
		imports = append(imports, "strings")
		body = "strings.NewReader(`" + strings.ReplaceAll(q.body, "`", "` + \"`\" + `") + "`)"
	}
	b.WriteString("package main\n\nimport (\n")
	for _, name := range imports {
		fmt.Fprintf(&b, "\t%q\n", name)
	}
	fmt.Fprintf(&b, ")\n\nfunc main() {\n\treq, err := http.NewRequest(%q, %q, %s)\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n", q.method, q.url, body)
	for _, h := range q.headers {
		fmt.Fprintf(&b, "\treq.Header.Set(%q, %q)\n", h[0], h[1])
	}
	b.WriteString("\tresp, err := http.DefaultClient.Do(req)\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tdefer resp.Body.Close()\n" +
		"\tanswer, err := io.ReadAll(resp.Body)\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tfmt.Println(resp.Status)\n\tfmt.Println(string(answer))\n}")
	return b.String()
}

func (q sampleRequest) python() string {
	var b strings.Builder
	b.WriteString("import urllib.error\nimport urllib.request\n\nrequest = urllib.request.Request(\n")
	fmt.Fprintf(&b, "    %q,\n    method=%q,\n    headers={\n", q.url, q.method)
	for _, h := range q.headers {
		fmt.Fprintf(&b, "        %q: %q,\n", h[0], h[1])
	}
	b.WriteString("    },\n")
	if q.body != "" {
		fmt.Fprintf(&b, "    data=r'''%s'''.encode(),\n", q.body)
	}
	b.WriteString(")\ntry:\n    answer = urllib.request.urlopen(request)\nexcept urllib.error.HTTPError as refused:\n    answer = refused\n" +
		"print(answer.status)\nprint(answer.read().decode())")
	return b.String()
}
