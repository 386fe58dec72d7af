package kafkatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/twmb/franz-go/pkg/sr"
)

// RegistryError is returned if the schema registry does not answer, or answers something that is
// not about the schema that was asked for, such as that a password is wrong.
type RegistryError struct {
	URL    string // without a password
	Status int    // of HTTP; 0: there was no answer
	Err    error
}

// Error implements error.
func (e *RegistryError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("schema registry %s: %v", e.URL, e.Err)
	}
	text := fmt.Sprintf("schema registry %s answers %d %s", e.URL, e.Status, http.StatusText(e.Status))
	if answer := (*sr.ResponseError)(nil); errors.As(e.Err, &answer) && answer.ErrorCode != 0 {
		text += ": " + answer.Message
	}
	return text
}

// Unwrap returns the error of the client.
func (e *RegistryError) Unwrap() error { return e.Err }

// registry asks a schema registry and remembers its first fault, which is not one of the record
// that was judged.
type registry struct {
	client *sr.Client
	url    string
	fault  error
}

func newRegistry(at string, client *http.Client) (*registry, error) {
	options := []sr.ClientOpt{sr.URLs(at)}
	if client != nil {
		options = append(options, sr.HTTPClient(client))
	}
	c, err := sr.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("registry client: %w", err)
	}
	if u, err := url.Parse(at); err == nil {
		at = u.Redacted()
	}
	return &registry{client: c, url: at}, nil
}

// aboutSchemas are the statuses of answers about a schema or a subject: it is not there, or it may
// not be registered.
var aboutSchemas = map[int]bool{http.StatusNotFound: true, http.StatusConflict: true, http.StatusUnprocessableEntity: true}

// told returns the error of an answer, and remembers it if it is the registry's fault.
func (r *registry) told(ctx context.Context, err error) error {
	var answer *sr.ResponseError
	status := 0
	if errors.As(err, &answer) {
		status = answer.StatusCode
	}
	if err == nil || ctx.Err() != nil || aboutSchemas[status] {
		return err
	}
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		err = inner.Err // the client's own text has the URL with its password
	}
	err = &RegistryError{r.url, status, err}
	r.fault = cmp.Or(r.fault, err)
	return err
}

// SchemaTextByID implements Registry.
func (r *registry) SchemaTextByID(ctx context.Context, id int) (string, error) {
	text, err := r.client.SchemaTextByID(ctx, id)
	return text, r.told(ctx, err)
}

// SubjectsByID implements Registry.
func (r *registry) SubjectsByID(ctx context.Context, id int) ([]string, error) {
	subjects, err := r.client.SubjectsByID(ctx, id)
	return subjects, r.told(ctx, err)
}

// register registers a schema and returns its id.
func (r *registry) register(ctx context.Context, subject, schema string) (int, error) {
	got, err := r.client.CreateSchema(ctx, subject, sr.Schema{Schema: schema})
	if err = r.told(ctx, err); err != nil {
		return 0, fmt.Errorf("register a schema under %s: %w", subject, err)
	}
	return got.ID, nil
}

// last returns the id of the last version under a subject.
func (r *registry) last(ctx context.Context, subject string) (int, error) {
	got, err := r.client.SchemaByVersion(ctx, subject, -1)
	if err = r.told(ctx, err); err != nil {
		return 0, fmt.Errorf("the schema under %s: %w", subject, err)
	}
	return got.ID, nil
}
