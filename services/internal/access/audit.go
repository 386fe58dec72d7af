package access

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/deferpay/deferpay/services/internal/problem"
	"github.com/deferpay/deferpay/services/internal/trace"
)

// line is what the audit says of one request. The handlers of a request fill it one after the
// other.
type line struct {
	operation string
	required  []string // scopes
	subject   string   // "" if the caller is not known
	target    Target
	foreign   bool   // the target belongs to a customer that the caller is not bound to
	outcome   string // the code of the problem, "" if there is none
	counted   bool   // among the requests of the subject that are under way
}

// done is the outcome of a request that was not refused.
const done = "done"

// maxPath is how much of a path a line has, in bytes.
const maxPath = 200

type lineKey struct{}

// note changes the line of a request. It does nothing outside of Control.HTTP.
func note(ctx context.Context, change func(*line)) {
	if l, ok := ctx.Value(lineKey{}).(*line); ok {
		change(l)
	}
}

// operations are the names of operations, as the audit has them, by those of the generated code.
var operations sync.Map

// named returns the name of an operation as its document has it. The generated code begins names
// with a capital letter.
func named(operation string) string {
	if name, ok := operations.Load(operation); ok {
		return name.(string)
	}
	name := strings.ToLower(operation[:1]) + operation[1:]
	operations.Store(operation, name)
	return name
}

// begin notes what is asked for, before anybody is let in.
func begin(ctx context.Context, operation string, required []string) {
	note(ctx, func(l *line) {
		l.operation, l.required = named(operation), required
	})
}

func identify(ctx context.Context, c Caller) {
	note(ctx, func(l *line) { l.subject = c.Subject })
}

// Outcome notes the problem that a request is answered with.
func Outcome(ctx context.Context, code problem.Code) {
	note(ctx, func(l *line) { l.outcome = code.String() })
}

// refusals are the outcomes that are refusals of access.
var refusals = []string{problem.Unauthenticated.String(), problem.Forbidden.String(), problem.TooManyRequests.String()}

// wanted reports whether the audit has a line for the request. It has none for what anybody with
// the scope read reads.
func (l *line) wanted() bool {
	if slices.Contains(refusals, l.outcome) {
		return true // also of a request without credentials, of which the operation is not known
	}
	return l.operation != "" && (!slices.Equal(l.required, []string{Read}) || l.foreign)
}

// attributes returns what the audit says of a request.
func (l *line) attributes(r *http.Request) []slog.Attr {
	all := make([]slog.Attr, 0, 7)
	all = append(all, slog.String("action", l.operation), slog.String("subject", l.subject))
	if l.target.Kind != "" {
		all = append(all, slog.String(string(l.target.Kind), l.target.Ref))
	} else {
		all = append(all, slog.String("request", r.Method+" "+r.URL.Path[:min(len(r.URL.Path), maxPath)]))
	}
	all = append(all, slog.String("outcome", l.outcome), slog.String("traceparent", trace.From(r.Context())), slog.String("from", r.RemoteAddr))
	if l.foreign {
		all = append(all, slog.String("reason", "the credentials are bound to other customers"))
	}
	return all
}

// unknownLines is how many lines a second are written of callers that are not known. Anybody can
// cause such a line, and so could fill the disk.
const unknownLines = 100

// stranger reports whether the line of a caller that is not known is written, and how many were not
// since the last one.
func (c *Control) stranger() (skipped int, write bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unknown.AllowN(c.cfg.Now(), 1) {
		c.skipped++
		return 0, false
	}
	skipped, c.skipped = c.skipped, 0
	return skipped, true
}

// audited calls next and writes the line of the request. It has no secret: neither what a caller
// sent as a credential, nor anything of the body but references.
func (c *Control) audited(next http.Handler, w http.ResponseWriter, r *http.Request) {
	l, returned := &line{}, false
	r = r.WithContext(context.WithValue(r.Context(), lineKey{}, l))
	defer func() {
		if l.counted {
			c.leave(l.subject)
		}
		if l.operation == "" && l.outcome == "" && returned {
			return // no operation has the path
		}
		switch {
		case !returned: // a panic, which is answered further out
			l.outcome = problem.Internal.String()
		case l.outcome == "":
			l.outcome = done
		}
		c.cfg.Answered(l.operation, l.outcome)
		if !l.wanted() {
			return
		}
		attributes := l.attributes(r)
		if l.subject == "" {
			skipped, write := c.stranger()
			if !write {
				return
			}
			if skipped > 0 {
				attributes = append(attributes, slog.Int("skipped", skipped))
			}
		}
		c.cfg.Audit.LogAttrs(r.Context(), slog.LevelInfo, "audit", attributes...)
	}()
	next.ServeHTTP(w, r)
	returned = true
}
