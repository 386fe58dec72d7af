// Package registry talks to a schema registry that has Confluent's API: Confluent's own, Apicurio,
// Karapace, Redpanda.
//
// Generated code and runtime/bus use it to learn schema ids and foreign schemas, each once;
// deployment uses it to register and check.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Schemas is what sending and receiving need of a registry. Implementations are safe for concurrent
// use and answer a question asked before without asking again.
type Schemas interface {
	// ID gives the id of a schema under a subject. ErrNotRegistered says that it is not there; any
	// other error may pass.
	ID(ctx context.Context, subject, schema string) (int, error)
	// Schema gives the schema of an id. ErrUnknownID says that the registry does not know the id;
	// any other error may pass.
	Schema(ctx context.Context, id int) (string, error)
}

// ErrNotRegistered says that the registry does not have the schema under the subject: registering
// is a step of deployment.
var ErrNotRegistered = errors.New("not registered, run eventgen schemas register")

// ErrUnknownID says that the registry does not know an id.
var ErrUnknownID = errors.New("the schema registry does not know the id")

// Client is a Schemas over HTTP.
type Client struct {
	sr *sr.Client

	mu      sync.Mutex
	ids     map[subjectSchema]int
	schemas map[int]string
}

type subjectSchema struct{ subject, schema string }

// NewClient makes a client for the registry at the URL, which may have a path (Apicurio:
// .../apis/ccompat/v7). Credentials are an option (sr.BasicAuth, or the client of secure.Registry
// with sr.HTTPClient), not part of the URL, which is logged. It does not connect.
func NewClient(rawURL string, options ...sr.ClientOpt) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("schema registry: the URL must be as http://host:port/path")
	}
	if u.User != nil {
		return nil, errors.New("schema registry: credentials do not belong into the URL, which is logged: give -registry-user and its password file")
	}
	opts := []sr.ClientOpt{sr.HTTPClient(&http.Client{Timeout: 10 * time.Second})}
	cl, err := sr.NewClient(append(append(opts, sr.URLs(u.String())), options...)...)
	if err != nil {
		return nil, fmt.Errorf("schema registry at %s: %w", rawURL, err)
	}
	return &Client{sr: cl, ids: map[subjectSchema]int{}, schemas: map[int]string{}}, nil
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
	found, err := c.sr.LookupSchema(ctx, subject, sr.Schema{Schema: schema, Type: sr.TypeAvro})
	if isStatus(err, http.StatusNotFound) {
		return 0, ErrNotRegistered
	}
	if err != nil {
		return 0, fmt.Errorf("look up in the schema registry: %w", explain(err))
	}
	c.mu.Lock()
	c.ids[at] = found.ID
	c.mu.Unlock()
	return found.ID, nil
}

// Schema implements Schemas.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	c.mu.Lock()
	s, ok := c.schemas[id]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	found, err := c.sr.SchemaByID(ctx, id)
	if isStatus(err, http.StatusNotFound) {
		return "", fmt.Errorf("%w %d", ErrUnknownID, id)
	}
	if err != nil {
		return "", fmt.Errorf("fetch schema %d from the schema registry: %w", id, explain(err))
	}
	if found.Type != sr.TypeAvro || len(found.References) > 0 {
		return "", fmt.Errorf("%w %d as a self-contained Avro schema", ErrUnknownID, id)
	}
	c.mu.Lock()
	c.schemas[id] = found.Schema
	c.mu.Unlock()
	return found.Schema, nil
}

// explain says what to look at when the registry does not take us for somebody who may ask.
func explain(err error) error {
	if isStatus(err, http.StatusUnauthorized) || isStatus(err, http.StatusForbidden) {
		return fmt.Errorf("refused, look at its credentials (-registry-user, -registry-password-file, -registry-token-file): %w", err)
	}
	return err
}

func isStatus(err error, status int) bool {
	var re *sr.ResponseError
	return errors.As(err, &re) && re.StatusCode == status
}
