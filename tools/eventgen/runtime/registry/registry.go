// Package registry is a client of a schema registry with Confluent's API, as Confluent, Apicurio,
// Karapace and Redpanda have it.
//
// Generated code and package bus use it to get schemas and their ids, each once. The eventgen
// command uses it to register and check schemas.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Schemas is the part of a registry that sending and receiving need. Implementations are safe for
// concurrent use, and cache what they return.
type Schemas interface {
	// ID returns the id of a schema under a subject. The error wraps ErrNotRegistered if the
	// subject does not have the schema. Any other error is temporary.
	ID(ctx context.Context, subject, schema string) (int, error)
	// Schema returns the schema of an id. The error wraps ErrUnknownID if the registry does not
	// have the id. Any other error is temporary: the registry is away, or something else
	// answers in its place.
	Schema(ctx context.Context, id int) (string, error)
}

// ErrNotRegistered is wrapped by the error for a schema that the subject does not have. Registering
// is a step of deployment.
var ErrNotRegistered = errors.New("not registered, run eventgen schemas register")

// ErrUnknownID is wrapped by the error for an id that the registry does not have.
var ErrUnknownID = errors.New("the schema registry does not know the id")

// ErrAway is wrapped by the error of a registry that does not answer, or not as a registry does.
var ErrAway = errors.New("the schema registry is away")

// Client is a Schemas over HTTP.
type Client struct {
	sr *sr.Client

	mu      sync.Mutex
	ids     map[subjectSchema]int
	schemas map[int]string
	asked   map[int]*question // that are not answered yet
}

// question is one about a schema, for all who ask it before it is answered.
type question struct {
	answered chan struct{}
	schema   string
	err      error
}

type subjectSchema struct{ subject, schema string }

// NewClient returns a client of the registry at the URL, which may have a path (Apicurio:
// .../apis/ccompat/v7). Credentials are set by an option (sr.BasicAuth, or sr.HTTPClient with the
// client of secure.Registry) and not in the URL, which is logged. NewClient does not connect.
func NewClient(rawURL string, options ...sr.ClientOpt) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("schema registry: the URL must have the form http://host:port/path")
	}
	if u.User != nil {
		return nil, errors.New("schema registry: the URL, which is logged, must not contain credentials: use -registry-user and -registry-password-file")
	}
	opts := []sr.ClientOpt{sr.HTTPClient(&http.Client{Timeout: 10 * time.Second})}
	opts = append(append(opts, sr.URLs(u.String())), options...)
	cl, err := sr.NewClient(opts...)
	if err == nil {
		caller := cl.OptValue(sr.HTTPClient).(*http.Client) // with the TLS of the options
		cl, err = sr.NewClient(append(opts, sr.DialTLSConfig(nil), sr.HTTPClient(limited(caller)))...)
	}
	if err != nil {
		return nil, fmt.Errorf("schema registry at %s: %w", rawURL, err)
	}
	return &Client{sr: cl, ids: map[subjectSchema]int{}, schemas: map[int]string{}, asked: map[int]*question{}}, nil
}

// ID implements Schemas.
func (c *Client) ID(ctx context.Context, subject, schema string) (int, error) {
	at := subjectSchema{subject, schema}
	c.mu.Lock()
	id, ok := c.ids[at]
	c.mu.Unlock()
	if ok {
		return id, nil
	}
	ctx, cancel := asking(ctx)
	defer cancel()
	found, err := c.sr.LookupSchema(ctx, subject, typed(schema))
	if isCode(err, codeNoSubject) || isCode(err, codeNoSchema) {
		return 0, ErrNotRegistered
	}
	if err == nil && found.ID < 1 {
		err = errors.New("the answer has no id")
	}
	if err != nil {
		return 0, fmt.Errorf("%w: look up a schema: %w", ErrAway, explain(err))
	}
	c.mu.Lock()
	c.ids[at] = found.ID
	c.mu.Unlock()
	return found.ID, nil
}

// Schema implements Schemas.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	ctx, cancel := asking(ctx)
	defer cancel()
	c.mu.Lock()
	s, ok := c.schemas[id]
	q := c.asked[id]
	first := !ok && q == nil
	if first {
		q = &question{answered: make(chan struct{})}
		c.asked[id] = q
	}
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	if first {
		c.answer(ctx, id, q)
	}
	select {
	case <-q.answered:
		return q.schema, q.err
	case <-ctx.Done():
		return "", fmt.Errorf("%w: fetch schema %d: %w", ErrAway, id, ctx.Err())
	}
}

// answer answers a question. If the client of the registry panics, nobody waits for it any more.
func (c *Client) answer(ctx context.Context, id int, q *question) {
	q.err = fmt.Errorf("%w: fetch schema %d", ErrAway, id)
	defer func() {
		c.mu.Lock()
		delete(c.asked, id)
		c.mu.Unlock()
		close(q.answered)
	}()
	q.schema, q.err = c.ask(ctx, id)
}

// ask fetches a schema, and keeps it.
func (c *Client) ask(ctx context.Context, id int) (string, error) {
	found, err := c.sr.SchemaByID(ctx, id)
	if isCode(err, codeNoSchema) {
		return "", fmt.Errorf("%w %d", ErrUnknownID, id)
	}
	if err == nil && found.Type != sr.TypeProtobuf && !json.Valid([]byte(found.Schema)) {
		err = errors.New("the answer has no schema")
	}
	if err != nil {
		return "", fmt.Errorf("%w: fetch schema %d: %w", ErrAway, id, explain(err))
	}
	if found.Type != sr.TypeAvro && found.Type != sr.TypeJSON || len(found.References) > 0 {
		return "", fmt.Errorf("%w %d as a self-contained schema of Avro or JSON", ErrUnknownID, id)
	}
	c.mu.Lock()
	c.schemas[id] = found.Schema
	c.mu.Unlock()
	return found.Schema, nil
}

// IsJSON reports whether a schema is a JSON Schema that is a boolean or has the member $schema. A
// schema of Avro is neither.
func IsJSON(schema string) bool {
	var s struct {
		Schema string `json:"$schema"`
	}
	text := strings.TrimSpace(schema)
	return text == "true" || text == "false" || json.Unmarshal([]byte(text), &s) == nil && s.Schema != ""
}

// typed returns a schema with its type.
func typed(schema string) sr.Schema {
	if IsJSON(schema) {
		return sr.Schema{Schema: schema, Type: sr.TypeJSON}
	}
	return sr.Schema{Schema: schema, Type: sr.TypeAvro}
}

// explain adds a hint to an error of authentication or authorization.
func explain(err error) error {
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) {
		return fmt.Errorf("refused, check the credentials (-registry-user, -registry-password-file, -registry-token-file): %w", err)
	}
	return err
}

// The codes with which a registry itself says that it does not have something. A proxy before it
// may answer 404 too, and knows nothing.
const (
	codeNoSubject = 40401
	codeNoSchema  = 40403
)

// answerLimit is how long a message waits for the registry before its attempt has failed.
const answerLimit = 3 * time.Second

type untilKey struct{}

// AskUntil returns a context with which a Client waits for the registry until a time at most. After
// it, the Client returns what it has cached, and an error that wraps ErrAway for what it has not.
// Several messages that are sent with the context wait no longer than one, although each may need
// another schema.
func AskUntil(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, untilKey{}, until)
}

// asking returns the context of a question to the registry.
func asking(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := time.Now().Add(answerLimit)
	if until, ok := ctx.Value(untilKey{}).(time.Time); ok && until.Before(limit) {
		limit = until
	}
	return context.WithDeadline(ctx, limit)
}

func isCode(err error, code int) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == http.StatusNotFound && re.ErrorCode == code
}

func isStatus(err error, status int) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == status
}
