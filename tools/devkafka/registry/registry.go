// Package registry implements a schema registry for Avro with Confluent's HTTP interface. It keeps
// its schemas on a topic of a Kafka broker. It is for development and tests: it runs in one
// process, without security, and schemas cannot be deleted. Package embedded and tests import it.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Registry is a schema registry. It implements http.Handler.
type Registry struct {
	store   *store
	checker Checker
	mux     *http.ServeMux
}

// Open loads the schemas from the broker. The topic is created if it does not exist. The options
// are those of the clients of the broker.
func Open(ctx context.Context, brokers []string, checker Checker, opts ...kgo.Opt) (*Registry, error) {
	store, err := openStore(ctx, append([]kgo.Opt{kgo.SeedBrokers(brokers...)}, opts...))
	if err != nil {
		return nil, err
	}
	r := &Registry{store: store, checker: checker, mux: http.NewServeMux()}
	r.routes()
	return r, nil
}

// Close closes the connection to the broker.
func (r *Registry) Close() { r.store.client.Close() }

func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// failure is an error with Confluent's error code, whose first three digits are the HTTP status.
type failure struct {
	Code    int      `json:"error_code"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
}

func (f *failure) Error() string { return f.Message }

func fail(code int, format string, args ...any) *failure {
	return &failure{Code: code, Message: fmt.Sprintf(format, args...)}
}

func noSubject(subject string) *failure { return fail(40401, "Subject '%s' not found.", subject) }

const contentType = "application/vnd.schemaregistry.v1+json"

func (r *Registry) routes() {
	for pattern, handle := range map[string]func(*http.Request) (any, error){
		"GET /subjects":                                             r.listSubjects,
		"GET /subjects/{subject}/versions":                          r.listVersions,
		"POST /subjects/{subject}/versions":                         r.register,
		"GET /subjects/{subject}/versions/{version}":                r.getVersion,
		"POST /subjects/{subject}":                                  r.lookup,
		"GET /subjects/{subject}/versions/{version}/referencedby":   r.referencedBy,
		"GET /schemas":                                              r.listSchemas,
		"GET /schemas/types":                                        func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas/ids/{id}":                                     r.getByID,
		"GET /schemas/ids/{id}/subjects":                            r.subjectsOfID,
		"GET /schemas/ids/{id}/versions":                            r.versionsOfID,
		"POST /compatibility/subjects/{subject}/versions/{version}": r.checkOne,
		"POST /compatibility/subjects/{subject}/versions":           r.checkAll,
		"GET /config":                                               r.getLevel,
		"PUT /config":                                               r.putLevel,
		"DELETE /config":                                            r.deleteLevel,
		"GET /config/{subject}":                                     r.getLevel,
		"PUT /config/{subject}":                                     r.putLevel,
		"DELETE /config/{subject}":                                  r.deleteLevel,
		"GET /mode":                                                 r.getMode,
		"PUT /mode":                                                 r.putMode,
		"GET /mode/{subject}":                                       r.getMode,
		"PUT /mode/{subject}":                                       r.putMode,
		"GET /{$}":                                                  func(*http.Request) (any, error) { return struct{}{}, nil },
	} {
		r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			answer, err := handle(req)
			write(w, answer, err)
		})
	}
	r.mux.HandleFunc("GET /subjects/{subject}/versions/{version}/schema", func(w http.ResponseWriter, req *http.Request) {
		r.bare(w, req, r.getVersion)
	})
	r.mux.HandleFunc("GET /schemas/ids/{id}/schema", func(w http.ResponseWriter, req *http.Request) { r.bare(w, req, r.getByID) })
	r.mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		write(w, nil, fail(404, "HTTP 404 Not Found: %s %s", req.Method, req.URL.Path))
	})
}

func write(w http.ResponseWriter, answer any, err error) {
	status := http.StatusOK
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			f = fail(50001, "Error in the backend data store: %v", err)
		}
		answer, status = f, f.Code
		for status >= 1000 {
			status /= 10
		}
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// bare answers with the text of the schema instead of a JSON object.
func (r *Registry) bare(w http.ResponseWriter, req *http.Request, get func(*http.Request) (any, error)) {
	answer, err := get(req)
	if err != nil {
		write(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = io.WriteString(w, answer.(schemaAnswer).Schema)
}

// schemaAnswer is a schema in an answer. Empty members are omitted, as in Confluent's answers.
type schemaAnswer struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int         `json:"id,omitempty"`
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
}

func answerOf(v version) schemaAnswer {
	return schemaAnswer{Subject: v.Subject, Version: v.Version, ID: v.ID, References: v.References, Schema: v.Schema}
}

func (r *Registry) read(f func(*state) (any, error)) (any, error) {
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	return f(r.store.state)
}

func (r *Registry) listSubjects(*http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		return append([]string{}, slices.Sorted(maps.Keys(s.subjects))...), nil
	})
}

func (r *Registry) listVersions(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	return r.read(func(s *state) (any, error) {
		if len(s.subjects[subject]) == 0 {
			return nil, noSubject(subject)
		}
		var out []int
		for _, v := range s.subjects[subject] {
			out = append(out, v.Version)
		}
		return out, nil
	})
}

func (r *Registry) getVersion(req *http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		v, err := s.versionOf(req.PathValue("subject"), req.PathValue("version"))
		return answerOf(v), err
	})
}

// versionOf returns the version that a path names by a number, "latest" or "-1".
func (s *state) versionOf(subject, name string) (version, error) {
	versions := s.subjects[subject]
	if len(versions) == 0 {
		return version{}, noSubject(subject)
	}
	if name == "latest" || name == "-1" {
		return versions[len(versions)-1], nil
	}
	number, err := strconv.Atoi(name)
	if err != nil || number < 1 {
		return version{}, fail(42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", name)
	}
	v, ok := s.find(subject, number)
	if !ok {
		return version{}, fail(40402, "Version %d not found.", number)
	}
	return v, nil
}

func (r *Registry) referencedBy(req *http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		to, err := s.versionOf(req.PathValue("subject"), req.PathValue("version"))
		if err != nil {
			return nil, err
		}
		ids := []int{}
		for _, versions := range s.subjects {
			for _, v := range versions {
				if slices.ContainsFunc(v.References, func(ref Reference) bool { return ref.Subject == to.Subject && ref.Version == to.Version }) {
					ids = append(ids, v.ID)
				}
			}
		}
		slices.Sort(ids)
		return slices.Compact(ids), nil
	})
}

func (r *Registry) listSchemas(*http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		out := []schemaAnswer{}
		for _, subject := range slices.Sorted(maps.Keys(s.subjects)) {
			for _, v := range s.subjects[subject] {
				out = append(out, answerOf(v))
			}
		}
		return out, nil
	})
}

func (s *state) usages(req *http.Request) ([]version, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil {
		return nil, fail(40403, "Schema %s not found", req.PathValue("id"))
	}
	found := s.withID(id)
	if len(found) == 0 {
		return nil, fail(40403, "Schema %d not found", id)
	}
	return found, nil
}

func (r *Registry) getByID(req *http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		found, err := s.usages(req)
		if err != nil {
			return nil, err
		}
		return schemaAnswer{Schema: found[0].Schema, References: found[0].References}, nil
	})
}

func (r *Registry) subjectsOfID(req *http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		found, err := s.usages(req)
		if err != nil {
			return nil, err
		}
		var out []string
		for _, v := range found {
			out = append(out, v.Subject)
		}
		return slices.Compact(out), nil
	})
}

func (r *Registry) versionsOfID(req *http.Request) (any, error) {
	return r.read(func(s *state) (any, error) {
		found, err := s.usages(req)
		if err != nil {
			return nil, err
		}
		type place struct {
			Subject string `json:"subject"`
			Version int    `json:"version"`
		}
		var out []place
		for _, v := range found {
			out = append(out, place{v.Subject, v.Version})
		}
		return out, nil
	})
}

// posted is a schema in a request body.
type posted struct {
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType"`
	References []Reference `json:"references"`
}

const maxSchema = 8 << 20

func readBody(req *http.Request, into any) error {
	if err := json.NewDecoder(io.LimitReader(req.Body, maxSchema)).Decode(into); err != nil {
		return fail(422, "request body: %v", err)
	}
	return nil
}

// readSchema parses a posted schema and resolves its references. The caller must hold the lock of
// the store.
func (r *Registry) readSchema(p posted) (Text, string, error) {
	if p.SchemaType != "" && p.SchemaType != "AVRO" {
		return Text{}, "", fail(42201, "Invalid schema type %s: only AVRO is supported", p.SchemaType)
	}
	p.Schema = compact(p.Schema)
	text, err := r.store.state.resolve(p.Schema, p.References)
	if err != nil {
		return Text{}, "", fail(42201, "Invalid schema: %v", err)
	}
	if err := r.checker.Valid(text); err != nil {
		return Text{}, "", fail(42201, "Invalid schema: %v", err)
	}
	same, err := identity(p.Schema, p.References)
	if err != nil {
		return Text{}, "", fail(42201, "Invalid schema: %v", err)
	}
	return text, same, nil
}

func (v version) is(same string) bool {
	of, err := identity(v.Schema, v.References)
	return err == nil && of == same
}

func (r *Registry) register(req *http.Request) (any, error) {
	var p posted
	if err := readBody(req, &p); err != nil {
		return nil, err
	}
	subject := req.PathValue("subject")
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	s := r.store.state
	text, same, err := r.readSchema(p)
	if err != nil {
		return nil, err
	}
	older := s.subjects[subject]
	for _, v := range older {
		if v.is(same) {
			return map[string]int{"id": v.ID}, nil
		}
	}
	if mode := s.mode(subject); mode != "READWRITE" {
		return nil, fail(42205, "Subject '%s' is in %s mode", subject, mode)
	}
	if why := r.incompatible(subject, older, text); len(why) > 0 {
		f := fail(409, "Schema being registered is incompatible with an earlier schema for subject \"%s\", compatibility level %s: %s", subject, s.level(subject), why[0])
		f.Details = why
		return nil, f
	}
	next := version{Subject: subject, Version: 1, ID: s.idOf(same), References: p.References, Schema: text.Schema}
	if len(older) > 0 {
		next.Version = older[len(older)-1].Version + 1
	}
	if err := r.store.write(req.Context(), recordKey{Keytype: "SCHEMA", Subject: &subject, Version: next.Version, Magic: 1}, next); err != nil {
		return nil, err
	}
	return map[string]int{"id": next.ID}, nil
}

// idOf returns the id of a schema if it is registered under any subject, and the next free id
// otherwise.
func (s *state) idOf(same string) int {
	for _, versions := range s.subjects {
		for _, v := range versions {
			if v.is(same) {
				return v.ID
			}
		}
	}
	return s.nextID
}

func (r *Registry) incompatible(subject string, older []version, next Text) []string {
	s := r.store.state
	texts := func(v version) Text {
		t, _ := s.resolve(v.Schema, v.References) // it could be resolved when it was registered
		return t
	}
	return incompatibilities(r.checker, s.level(subject), older, texts, next)
}

func (r *Registry) lookup(req *http.Request) (any, error) {
	var p posted
	if err := readBody(req, &p); err != nil {
		return nil, err
	}
	subject := req.PathValue("subject")
	return r.read(func(s *state) (any, error) {
		if len(s.subjects[subject]) == 0 {
			return nil, noSubject(subject)
		}
		_, same, err := r.readSchema(p)
		if err != nil {
			return nil, err
		}
		for _, v := range s.subjects[subject] {
			if v.is(same) {
				return answerOf(v), nil
			}
		}
		return nil, fail(40403, "Schema not found")
	})
}

func (r *Registry) checkOne(req *http.Request) (any, error) {
	name := req.PathValue("version")
	return r.check(req, func(s *state, subject string) ([]version, error) {
		if len(s.subjects[subject]) == 0 && name == "latest" {
			return nil, nil
		}
		v, err := s.versionOf(subject, name)
		return []version{v}, err
	})
}

func (r *Registry) checkAll(req *http.Request) (any, error) {
	return r.check(req, func(s *state, subject string) ([]version, error) { return s.subjects[subject], nil })
}

func (r *Registry) check(req *http.Request, against func(*state, string) ([]version, error)) (any, error) {
	var p posted
	if err := readBody(req, &p); err != nil {
		return nil, err
	}
	subject := req.PathValue("subject")
	return r.read(func(s *state) (any, error) {
		older, err := against(s, subject)
		if err != nil {
			return nil, err
		}
		text, _, err := r.readSchema(p)
		if err != nil {
			return nil, err
		}
		why := r.incompatible(subject, older, text)
		answer := map[string]any{"is_compatible": len(why) == 0}
		if req.URL.Query().Get("verbose") == "true" {
			answer["messages"] = append([]string{}, why...)
		}
		return answer, nil
	})
}

func (r *Registry) getLevel(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	return r.read(func(s *state) (any, error) {
		if _, own := s.levels[subject]; !own && subject != "" && req.URL.Query().Get("defaultToGlobal") != "true" {
			return nil, fail(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
		}
		return levelValue{s.level(subject)}, nil
	})
}

func (r *Registry) putLevel(req *http.Request) (any, error) {
	var body struct {
		Level string `json:"compatibility"`
	}
	if err := readBody(req, &body); err != nil {
		return nil, err
	}
	if _, ok := levels[body.Level]; !ok {
		return nil, fail(42203, "Invalid compatibility level %q. Valid values are none, backward, forward, full, and the last three with _transitive, in capitals", body.Level)
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return body, r.store.write(req.Context(), settingKey("CONFIG", req.PathValue("subject")), levelValue{body.Level})
}

func (r *Registry) deleteLevel(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	was := r.store.state.level(subject)
	return map[string]string{"compatibility": was}, r.store.write(req.Context(), settingKey("CONFIG", subject), nil)
}

func settingKey(kind, subject string) recordKey {
	k := recordKey{Keytype: kind}
	if subject != "" {
		k.Subject = &subject
	}
	return k
}

func (r *Registry) getMode(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	return r.read(func(s *state) (any, error) {
		if _, own := s.modes[subject]; !own && subject != "" && req.URL.Query().Get("defaultToGlobal") != "true" {
			return nil, fail(40409, "Subject '%s' does not have subject-level mode configured", subject)
		}
		return modeValue{s.mode(subject)}, nil
	})
}

func (r *Registry) putMode(req *http.Request) (any, error) {
	var body modeValue
	if err := readBody(req, &body); err != nil {
		return nil, err
	}
	if body.Mode != "READWRITE" && body.Mode != "READONLY" {
		return nil, fail(42204, "Invalid mode %q. Valid values are READWRITE and READONLY", body.Mode)
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return body, r.store.write(req.Context(), settingKey("MODE", req.PathValue("subject")), body)
}
