// Package judge checks what the services send against their contracts: HTTP answers against the
// OpenAPI documents, Kafka records against the AsyncAPI documents and their Avro schemas. It uses
// libraries that the services do not use, so that both do not make the same mistake. Only
// contracttest imports it.
package judge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	oaserrors "github.com/pb33f/libopenapi-validator/errors"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Exchange is one request and its answer, with their bodies.
type Exchange struct {
	Method      string
	Target      string // path and query
	Header      http.Header
	RequestBody []byte
	Status      int
	AnswerHead  http.Header
	Answer      []byte
}

// Operation is one operation of an OpenAPI document.
type Operation struct {
	ID, Method, Path string // Path with the server's prefix
	Parameters       []Parameter
	Bodies           [][]byte // examples of the body
	// Scopes are those that the operation requires, nil if it requires none.
	Scopes []string
	// Variants are the values of the request's discriminator, such as the actions of a change. It
	// is empty if the request has one form.
	Variants []string
	// Problems are the answers that are problems, as "404 contract-not-found", sorted.
	Problems []string
	// discriminator is the property of the request that names the variant.
	discriminator string
}

// Parameter is a parameter of an operation.
type Parameter struct {
	Name, In string
	Required bool
	Example  string // "" if the document has none
}

// Parameter returns the parameter of that name, if the operation has it.
func (o Operation) Parameter(name string) (Parameter, bool) {
	i := slices.IndexFunc(o.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return o.Parameters[i], true
}

// Finding is the verdict on one exchange.
type Finding struct {
	Operation  string   // operationId; "" if the contract has no such path and method
	Variant    string   // of the request; "" if it has one form
	Outcome    string   // status, and the code of the problem if there is one
	Violations []string // empty if there are none
}

// API checks exchanges against OpenAPI documents.
type API struct{ docs []*apiDocument }

type apiDocument struct {
	prefix    string
	validator validator.Validator
	routes    []route
	problem   *jsonschema.Schema // nil if the document has no Problem with a code
	members   *Members
	elsewhere []string // codes of problems for requests that are for no operation
}

type route struct {
	Operation
	pattern *regexp.Regexp
	node    specfile.Value
}

// LoadAPI reads OpenAPI documents. It returns an error if one is not valid OpenAPI 3.1.
func LoadAPI(files ...string) (*API, error) {
	api := &API{}
	set := specfile.NewSet()
	for _, file := range files {
		doc, err := loadAPIDocument(set, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		api.docs = append(api.docs, doc)
	}
	return api, nil
}

func loadAPIDocument(set *specfile.Set, file string) (*apiDocument, error) {
	root, err := set.Open(file)
	if err != nil {
		return nil, err
	}
	parsed, err := libopenapi.NewDocument(root.Node.JSON())
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(parsed, config.WithFormatAssertions(), config.WithContentAssertions(), config.WithoutSecurityValidation(), config.WithRejectUndeclaredRequestBody())
	if len(errs) > 0 {
		return nil, errs[0]
	}
	if ok, faults := v.ValidateDocument(); !ok {
		return nil, fmt.Errorf("not valid OpenAPI: %s", strings.Join(reasons(faults), "; "))
	}
	doc := &apiDocument{validator: v, prefix: firstServer(root)}
	for _, path := range root.Get("paths").Members() {
		for _, op := range path.Members() {
			if op.Get("responses").Ok() {
				r := newRoute(doc.prefix+path.Name, path, op)
				r.Scopes = scopes(root, op.Value)
				doc.routes = append(doc.routes, r)
			}
		}
	}
	doc.members = newMembers(file, root)
	for _, ex := range root.Get("x-problems").Members() {
		doc.elsewhere = append(doc.elsewhere, ex.Get("value", "code").Str())
	}
	if !root.Get("components", "schemas", "Problem", "properties", "code").Ok() {
		return doc, nil
	}
	compiler, err := schemaCompiler(root)
	if err != nil {
		return nil, err
	}
	doc.problem, err = compiler.Compile(schemaURL + "#/components/schemas/Problem")
	return doc, err
}

const problemType = "application/problem+json"

func firstServer(root specfile.Value) string {
	for _, s := range root.Get("servers").Items() {
		return strings.TrimRight(s.Get("url").Str(), "/")
	}
	return ""
}

var parameter = regexp.MustCompile(`\\\{[^/]+?\\\}`)

func newRoute(path string, item, op specfile.Member) route {
	method := strings.ToUpper(op.Name)
	pattern := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`) + "$"
	id := cmp.Or(op.Get("operationId").Str(), method+" "+path)
	r := route{Operation: Operation{ID: id, Method: method, Path: path}, pattern: regexp.MustCompile(pattern), node: op.Value}
	media := op.Get("requestBody", "content", "application/json")
	d := media.Get("schema", "discriminator")
	r.discriminator = d.Get("propertyName").Str()
	for _, m := range d.Get("mapping").Members() {
		r.Variants = append(r.Variants, m.Name)
	}
	for _, ex := range media.Get("examples").Members() {
		r.Bodies = append(r.Bodies, ex.Get("value").Node.JSON())
	}
	for _, p := range append(item.Get("parameters").Items(), op.Get("parameters").Items()...) {
		r.Parameters = append(r.Parameters, Parameter{p.Get("name").Str(), p.Get("in").Str(), p.Get("required").True(), p.Get("example").Text()})
	}
	for _, answer := range op.Get("responses").Members() {
		for _, ex := range answer.Get("content", problemType, "examples").Members() {
			r.Problems = append(r.Problems, answer.Name+" "+ex.Get("value", "code").Str())
		}
	}
	slices.Sort(r.Problems)
	return r
}

// scopes returns the scopes that an operation requires, by its first alternative that has scopes.
func scopes(root, op specfile.Value) (out []string) {
	security := op.Get("security")
	if !security.Ok() {
		security = root.Get("security")
	}
	for _, alternative := range security.Items() {
		for _, scheme := range alternative.Members() {
			for _, s := range scheme.Items() {
				out = append(out, s.Str())
			}
			if len(out) > 0 {
				return out
			}
		}
	}
	return nil
}

// variant returns the variant of a request, or "" if the contract has no such variant.
func (r route) variant(body []byte) string {
	var members map[string]any
	if r.discriminator == "" || json.Unmarshal(body, &members) != nil {
		return ""
	}
	v, _ := members[r.discriminator].(string)
	if !slices.Contains(r.Variants, v) {
		return ""
	}
	return v
}

// Elsewhere returns the codes of problems for requests that are for no operation, sorted.
func (a *API) Elsewhere() []string {
	var out []string
	for _, d := range a.docs {
		out = append(out, d.elsewhere...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Find returns the operation of a request, if there is one.
func (a *API) Find(method, path string) (Operation, bool) {
	for _, d := range a.docs {
		for _, r := range d.routes {
			if r.Method == method && r.pattern.MatchString(path) {
				return r.Operation, true
			}
		}
	}
	return Operation{}, false
}

// Operations returns the operations of all documents, in their order.
func (a *API) Operations() []Operation {
	var out []Operation
	for _, d := range a.docs {
		for _, r := range d.routes {
			out = append(out, r.Operation)
		}
	}
	return out
}

// Members returns how much of the bodies of each document was exercised.
func (a *API) Members() (out []Members) {
	for _, d := range a.docs {
		out = append(out, d.members.settled())
	}
	return out
}

// Judge returns the operation of an exchange and its violations of the contract.
func (a *API) Judge(e Exchange) Finding {
	path, _, _ := strings.Cut(e.Target, "?")
	for _, d := range a.docs {
		if strings.HasPrefix(path, d.prefix+"/") {
			return d.judge(e, path)
		}
	}
	return Finding{Violations: []string{"no document has a server for " + path}}
}

func (d *apiDocument) judge(e Exchange, path string) Finding {
	f := Finding{Outcome: strconv.Itoa(e.Status)}
	var to *route
	for i, r := range d.routes {
		if r.Method == e.Method && r.pattern.MatchString(path) {
			to = &d.routes[i]
		}
	}
	if to == nil {
		f.Violations = d.judgeUndeclared(e)
	} else {
		f.Operation, f.Variant = to.ID, to.variant(e.RequestBody)
		f.Violations = d.judgeDeclared(e)
		d.members.exchange(to, e)
	}
	if e.Status < 400 || d.problem == nil {
		return f
	}
	code, violations := d.judgeProblem(e)
	f.Violations = append(f.Violations, violations...)
	f.Outcome += " " + code
	switch {
	case to == nil && !slices.Contains(d.elsewhere, code):
		f.Violations = append(f.Violations, fmt.Sprintf("the document does not declare %q for a request that is for no operation", code))
	case to != nil && !slices.Contains(to.Problems, f.Outcome):
		f.Violations = append(f.Violations, fmt.Sprintf("%s does not declare %s", f.Operation, f.Outcome))
	}
	return f
}

// judgeDeclared judges an exchange of an operation of the contract.
func (d *apiDocument) judgeDeclared(e Exchange) []string {
	req, resp, err := e.rebuild()
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	if _, faults := d.validator.ValidateHttpResponse(req, resp); len(faults) > 0 {
		out = reasons(faults)
	}
	if e.Status < 300 {
		if _, faults := d.validator.ValidateHttpRequestSync(req); len(faults) > 0 {
			for _, r := range reasons(faults) {
				out = append(out, "a request that the contract does not allow was accepted: "+r)
			}
		}
	}
	return out
}

// judgeUndeclared judges an exchange without an operation in the contract: it must be refused.
func (d *apiDocument) judgeUndeclared(e Exchange) []string {
	if e.Status < 400 {
		return []string{fmt.Sprintf("%s %s is not in the contract and got %d", e.Method, e.Target, e.Status)}
	}
	return nil
}

// judgeProblem judges an error answer by what all error answers have in common.
func (d *apiDocument) judgeProblem(e Exchange) (code string, violations []string) {
	if ct := e.AnswerHead.Get("Content-Type"); ct != problemType {
		return "", []string{fmt.Sprintf("an error has the content type %q, not that of a problem document", ct)}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Answer))
	if err != nil {
		return "", []string{"the problem document is not JSON: " + err.Error()}
	}
	if err := d.problem.Validate(value); err != nil {
		violations = append(violations, "problem document: "+oneLine(err))
	}
	var p struct {
		Type, Code, Title, Detail string
		Status                    int
		RetryAfter                *int `json:"retryAfter"`
	}
	if err := json.Unmarshal(e.Answer, &p); err != nil {
		return "", append(violations, "problem document: "+err.Error())
	}
	if p.Status != e.Status {
		violations = append(violations, fmt.Sprintf("the problem document has status %d, the answer %d", p.Status, e.Status))
	}
	if want := "urn:deferpay:problem:" + p.Code; p.Type != want {
		violations = append(violations, fmt.Sprintf("problem type %q does not match code %q", p.Type, p.Code))
	}
	if p.RetryAfter != nil && e.AnswerHead.Get("Retry-After") != strconv.Itoa(*p.RetryAfter) {
		violations = append(violations, fmt.Sprintf("Retry-After is %q, but retryAfter in the document is %d", e.AnswerHead.Get("Retry-After"), *p.RetryAfter))
	}
	return p.Code, violations
}

func (e Exchange) rebuild() (*http.Request, *http.Response, error) {
	req, err := http.NewRequest(e.Method, "http://service.example"+e.Target, bytes.NewReader(e.RequestBody))
	if err != nil {
		return nil, nil, fmt.Errorf("rebuild request: %w", err)
	}
	if len(e.RequestBody) == 0 {
		req.Body = http.NoBody
	}
	req.Header = e.Header.Clone()
	resp := &http.Response{StatusCode: e.Status, Header: e.AnswerHead.Clone(), Body: io.NopCloser(bytes.NewReader(e.Answer)), Request: req}
	return req, resp, nil
}

func reasons(faults []*oaserrors.ValidationError) []string {
	var out []string
	for _, f := range faults {
		text := f.Message + ": " + f.Reason
		for _, s := range f.SchemaValidationErrors {
			text += " [" + s.FieldPath + " " + s.Reason + "]"
		}
		out = append(out, text)
	}
	return out
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
