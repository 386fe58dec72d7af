package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/deferpay/deferpay/services/internal/livefile"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Config says who is let in.
type Config struct {
	// File has the API keys; see keys. It may be empty if there is an issuer of tokens.
	File string
	// Tokens are the bearer tokens that are accepted, none if it has no Issuer.
	Tokens Tokens
	// Insecure lets every request in, whatever it carries, as the subject "dev" with every scope.
	Insecure bool
	// Rate bounds the requests of one subject, in requests a second; 0 is no bound. A subject may
	// send as many at once. Keys with a rate of their own are counted apart, by subject and rate.
	Rate float64
	// UnderWay bounds the requests of one subject that are under way at the same time; 0 is no
	// bound. A request is under way from when its credential is accepted until it is answered.
	UnderWay int
	// Hold is for how long a refusal of a credential, or of too many requests, is held back at
	// least, and one of a request whose credentials are not looked at if there are many. It bounds
	// how many refusals a connection can cause. 0: nothing is held back.
	Hold time.Duration
	// Warn is how long before an API key expires that is logged. Keys that have expired are logged
	// even if it is 0.
	Warn   time.Duration
	Logger *slog.Logger // of the process; nil: nothing is logged
	// Audit gets a line for each write and each refusal; nil: none is written.
	Audit *slog.Logger
	// Answered, unless it is nil, is called once for each request whose operation is known, or that
	// was refused, with what the audit calls its outcome.
	Answered func(operation, outcome string)
	// Now is the system's clock; nil: time.Now. It is never the clock that a demo moves.
	Now func() time.Time
}

// Control lets callers in. All methods may be called at the same time.
type Control struct {
	cfg      Config
	keys     *livefile.File[keys] // nil without a file
	tokens   *verifier            // nil without an issuer
	mu       sync.Mutex
	limiters map[counted]*rate.Limiter
	underWay map[string]int // requests, by subject
	unknown  *rate.Limiter  // of the audit lines of callers that are not known
	skipped  int            // such lines that were not written since the last one
	// refusals that are held back: of callers that are not known, of those that send too much, and
	// of requests whose credentials are not looked at
	strangers, known, early atomic.Int64
	atOnce                  *rate.Limiter // of the latter, those that are not held back
	expiring                expiring
}

// Insecure returns a control that lets every request in. It is for development only.
func Insecure() *Control {
	c, err := Open(Config{Insecure: true})
	if err != nil { // only files can be wrong
		panic(err)
	}
	return c
}

// Open returns a control. It returns an error if a file cannot be used. An issuer that cannot be
// reached is no error: until it is, no token is accepted.
func Open(cfg Config) (*Control, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Audit == nil {
		cfg.Audit = slog.New(slog.DiscardHandler)
	}
	if cfg.Answered == nil {
		cfg.Answered = func(string, string) {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Control{cfg: cfg, limiters: map[counted]*rate.Limiter{}, underWay: map[string]int{}, unknown: rate.NewLimiter(unknownLines, unknownLines), atOnce: rate.NewLimiter(earlyAtOnce, earlyAtOnce)}
	if cfg.Insecure {
		return c, nil
	}
	if cfg.Rate != 0 {
		if err := checkRate(cfg.Rate); err != nil {
			return nil, err
		}
	}
	if cfg.File == "" && cfg.Tokens.Issuer == "" {
		return nil, errors.New("no credentials: neither a file of API keys nor an issuer of tokens")
	}
	var err error
	if cfg.File != "" {
		if c.keys, err = livefile.Open("credentials", cfg.Logger, parseKeys, cfg.File); err != nil {
			return nil, err
		}
		c.warn()
	}
	if cfg.Tokens.Issuer != "" {
		if c.tokens, err = newVerifier(cfg.Tokens, cfg.Logger, cfg.Now); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Check reads the credentials again if they have changed. If they cannot be used then, those that
// were read last stay in force. It logs the keys that expire soon.
func (c *Control) Check() {
	if c.keys != nil {
		c.keys.Check()
		c.warn()
	}
	if c.tokens != nil {
		c.tokens.check()
	}
}

// Key returns a context that carries the caller of an API key. The error is a problem: 401 if the
// key is not known or has expired, 403 if the caller lacks a scope that the operation requires, 429
// if the caller sends too many requests. It never contains the key.
func (c *Control) Key(ctx context.Context, operation, key string, required []string) (context.Context, error) {
	begin(ctx, operation, required)
	if c.cfg.Insecure {
		return c.admit(ctx, dev, 0, required)
	}
	if c.keys == nil {
		return nil, problem.New(problem.Unauthenticated, "API keys are not accepted here").WithHint("send a bearer token in Authorization")
	}
	e, ok := c.keys.Value().lookup(key)
	if !ok {
		return nil, problem.New(problem.Unauthenticated, "the API key is not known").WithHint("send a valid key in %s", HeaderName)
	}
	if e.expires != nil && !c.cfg.Now().Before(*e.expires) {
		identify(ctx, e.caller)
		return nil, problem.New(problem.Unauthenticated, "the API key expired at %s", e.expires.UTC().Format(time.RFC3339)).WithHint("ask for a new key")
	}
	return c.admit(ctx, e.caller, cmp.Or(e.rate, c.cfg.Rate), required)
}

// Bearer returns a context that carries the caller of a bearer token. The error is a problem, as
// that of Key is: 503 if the keys of the issuer could not be read yet. It never contains the token.
func (c *Control) Bearer(ctx context.Context, operation, token string, required []string) (context.Context, error) {
	begin(ctx, operation, required)
	if c.cfg.Insecure {
		return c.admit(ctx, dev, 0, required)
	}
	if c.tokens == nil {
		return nil, problem.New(problem.Unauthenticated, "bearer tokens are not accepted here").WithHint("send an API key in %s", HeaderName)
	}
	caller, err := c.tokens.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	return c.admit(ctx, caller, c.cfg.Rate, required)
}

const (
	crowd    = 64 // refusals; each crowd that is held back makes the next ones wait Hold longer
	maxHolds = 8  // the longest wait, in Holds
)

// HoldBack waits before a problem is answered that a client can cause as often as it likes: see
// Config.Hold. How long depends on the other answers of the same code that are held back, so that a
// crowd of strangers does not delay the answers of clients. The wait ends with ctx. net/http ends
// that once a client has gone, but it notices only if the request has no body, or all of it was
// read; a refusal is answered before.
func (c *Control) HoldBack(ctx context.Context, code problem.Code) {
	switch code {
	case problem.Unauthenticated:
		c.hold(ctx, &c.strangers)
	case problem.TooManyRequests:
		c.hold(ctx, &c.known)
	}
}

// earlyAtOnce is how many refusals a second are not held back of requests whose credentials are not
// looked at. Clients that are being written cause a few; floods cause thousands.
const earlyAtOnce = 100

// HoldEarly waits before a request is refused whose credentials are not looked at. See HoldBack; a
// few such refusals are not held back.
func (c *Control) HoldEarly(ctx context.Context) {
	if !c.atOnce.AllowN(c.cfg.Now(), 1) {
		c.hold(ctx, &c.early)
	}
}

// Refuse answers a request whose credentials are not looked at, after HoldEarly.
func (c *Control) Refuse(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	c.HoldEarly(r.Context())
	problem.Write(w, p)
}

// hold waits, longer if many wait that are counted by held.
func (c *Control) hold(ctx context.Context, held *atomic.Int64) {
	if c.cfg.Hold == 0 {
		return
	}
	wait := c.cfg.Hold * time.Duration(min(maxHolds, 1+held.Add(1)/crowd))
	defer held.Add(-1)
	defer meter(ctx, time.Now())
	// not the same for all, or a crowd would come back at the same moment
	timer := time.NewTimer(wait + rand.N(c.cfg.Hold))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

type heldKey struct{}

// Metered returns a context of a request that counts for how long the answer is held back, and a
// function that returns it.
func Metered(ctx context.Context) (context.Context, func() time.Duration) {
	held := new(atomic.Int64)
	return context.WithValue(ctx, heldKey{}, held), func() time.Duration { return time.Duration(held.Load()) }
}

// meter counts the time since began as held back. It does nothing outside of Metered.
func meter(ctx context.Context, began time.Time) {
	if held, ok := ctx.Value(heldKey{}).(*atomic.Int64); ok {
		held.Add(int64(time.Since(began)))
	}
}

var dev = Caller{Subject: "dev", Scopes: scopes}

// admit lets a caller in who has the scopes, has not sent more than perSecond requests a second (0
// is no bound), and has not too many under way.
func (c *Control) admit(ctx context.Context, caller Caller, perSecond float64, required []string) (context.Context, error) {
	identify(ctx, caller)
	if wait := c.wait(counted{caller.Subject, perSecond}); wait > 0 {
		return nil, problem.New(problem.TooManyRequests, "%q sends more than %v requests a second", caller.Subject, perSecond).
			WithHint("nothing was recorded; send the request again, with the same Idempotency-Key").WithRetryAfter(int(math.Ceil(wait.Seconds())))
	}
	if !c.cfg.Insecure && !c.enter(ctx, caller.Subject) {
		return nil, problem.New(problem.TooManyRequests, "%q has %d requests under way already", caller.Subject, c.cfg.UnderWay).
			WithHint("nothing was recorded; wait for answers, then send the request again, with the same Idempotency-Key").WithRetryAfter(1)
	}
	for _, s := range required {
		if !slices.Contains(caller.Scopes, s) {
			return nil, problem.New(problem.Forbidden, "%q lacks the scope %s", caller.Subject, s).WithHint("ask for credentials with the scope %s", s)
		}
	}
	return With(ctx, caller), nil
}

// enter counts a request of a subject as under way until it is answered. It returns false if the
// subject has too many.
func (c *Control) enter(ctx context.Context, subject string) bool {
	l, served := ctx.Value(lineKey{}).(*line)
	if c.cfg.UnderWay == 0 || !served || l.counted {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay[subject] >= c.cfg.UnderWay {
		return false
	}
	c.underWay[subject]++
	l.counted = true
	return true
}

// leave counts a request of a subject as answered.
func (c *Control) leave(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay[subject]--; c.underWay[subject] == 0 {
		delete(c.underWay, subject)
	}
}

// maxLimiters bounds the subjects that are counted. Beyond it they are all counted afresh.
const maxLimiters = 100_000

// counted are the requests of a subject with credentials of one bound, in requests a second.
type counted struct {
	subject   string
	perSecond float64
}

// wait returns how long a subject has to wait before its next request, 0 if it need not.
func (c *Control) wait(of counted) time.Duration {
	if of.perSecond == 0 {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limiters[of]
	if l == nil {
		if len(c.limiters) >= maxLimiters {
			clear(c.limiters)
		}
		l = rate.NewLimiter(rate.Limit(of.perSecond), max(1, int(of.perSecond)))
		c.limiters[of] = l
	}
	now := c.cfg.Now()
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// HTTP returns a handler in front of a generated server. It refuses a request with two credentials,
// and writes the lines of the audit. If every request is let in, it adds an API key to one without
// credentials, which the generated server would refuse before it calls a security handler.
func (c *Control) HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, authorization := r.Header.Get(HeaderName), r.Header.Get("Authorization")
		switch {
		case key != "" && authorization != "":
			c.Refuse(w, r, problem.Invalid(problem.FieldError{Pointer: "header:Authorization", Message: fmt.Sprintf("must not be sent together with %s", HeaderName)}))
			return
		case c.cfg.Insecure && cmp.Or(key, authorization) == "":
			r.Header.Set(HeaderName, "none")
		}
		c.audited(next, w, r)
	})
}
