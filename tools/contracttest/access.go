package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/deferpay/deferpay/tools/cluster/callers"
	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// subject is the client of all requests. Idempotency keys belong to it, whatever scopes it has.
const subject = "contract-test"

// access has the credentials of a system: for each scope one API key with it alone and one with all
// others, and those that are refused.
type access struct {
	*callers.Set
	api    *judge.API
	tokens map[string]string // with one scope alone
	broken string            // a token that has expired
}

func newAccess(dir string, api *judge.API) (*access, error) {
	all := []callers.Caller{
		{Name: "all", Subject: subject, Scopes: callers.Scopes},
		{Name: "expired", Subject: subject, Scopes: callers.Scopes, Expires: -1},
		{Name: "slow", Subject: "slow", Scopes: callers.Scopes, Rate: 0.001},
	}
	for _, s := range callers.Scopes {
		others := slices.DeleteFunc(slices.Clone(callers.Scopes), func(o string) bool { return o == s })
		all = append(all, callers.Caller{Name: s, Subject: subject, Scopes: []string{s}}, callers.Caller{Name: "not " + s, Subject: subject, Scopes: others})
	}
	set, err := callers.New(dir, all...)
	if err != nil {
		return nil, err
	}
	a := &access{Set: set, api: api, tokens: map[string]string{}}
	for _, s := range callers.Scopes {
		if a.tokens[s], err = set.Token(callers.Caller{Subject: subject, Scopes: []string{s}}); err != nil {
			return nil, err
		}
	}
	a.broken, err = set.Token(callers.Caller{Subject: subject, Scopes: callers.Scopes, Expires: -1e12})
	return a, err
}

// dressed is a transport that sends with each request a credential that has the scope of its
// operation and no other: half of the requests have an API key, and half a token. Requests with one
// Idempotency-Key are of one subject.
func (a *access) dressed(next http.RoundTripper) http.RoundTripper {
	return dressed{a, next}
}

type dressed struct {
	*access
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (d dressed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("X-API-Key")
	op, ok := d.api.Find(r.Method, r.URL.Path)
	chosen := fnv.New32a()
	_, _ = chosen.Write([]byte(r.Header.Get("Idempotency-Key") + r.Header.Get("Log-Position")))
	switch {
	case !ok || len(op.Scopes) != 1:
		r.Header.Set("X-API-Key", d.Key("all"))
	case chosen.Sum32()%2 == 0:
		r.Header.Set("X-API-Key", d.Key(op.Scopes[0]))
	default:
		r.Header.Set("Authorization", "Bearer "+d.tokens[op.Scopes[0]])
	}
	return d.next.RoundTrip(r)
}

// refusals sends each operation the credentials that it must refuse. Refusals are held back, so all
// are sent at the same time.
func (p *prober) refusals(ctx context.Context, s subjects) {
	p.send(ctx, p.contract, probe{method: http.MethodGet, path: "/refcontract/v1/contracts", as: p.access.key("slow"), status: 200})
	p.send(ctx, p.billing, probe{method: http.MethodGet, path: "/billing/v1/operations", as: p.access.key("slow"), status: 200})
	var wg sync.WaitGroup
	for _, op := range p.api.Operations() {
		m := p.mistake(op, s)
		for _, q := range m.access(p.access) {
			wg.Go(func() { p.send(ctx, m.base, q) })
		}
	}
	wg.Wait()
}

func (a *access) key(name string) http.Header { return http.Header{"X-Api-Key": {a.Key(name)}} }

// access returns the requests of an operation whose credentials are refused.
func (m mistake) access(a *access) (out []probe) {
	add := func(status int, code string, as http.Header) {
		q := m.probe(status, code)
		q.as = as
		out = append(out, q)
	}
	add(401, "unauthenticated", http.Header{})
	add(401, "unauthenticated", http.Header{"X-Api-Key": {"guess"}})
	add(401, "unauthenticated", a.key("expired"))
	add(401, "unauthenticated", http.Header{"Authorization": {"Bearer " + a.broken}})
	add(401, "unauthenticated", http.Header{"Authorization": {"Bearer guess"}})
	add(401, "unauthenticated", http.Header{"Authorization": {"Basic Z3Vlc3M6Z3Vlc3M="}})
	add(429, "too-many-requests", a.key("slow"))
	for _, scope := range m.op.Scopes {
		add(403, "forbidden", a.key("not "+scope))
		if i := slices.IndexFunc(callers.Scopes, func(s string) bool { return s != scope }); i >= 0 {
			add(403, "forbidden", http.Header{"Authorization": {"Bearer " + a.tokens[callers.Scopes[i]]}})
		}
	}
	return out
}

// mistake returns the mistakes of an operation about the subjects.
func (p *prober) mistake(op judge.Operation, s subjects) mistake {
	m := mistake{op: op, at: fill(op.Path, s.values()), base: p.billing}
	if strings.HasPrefix(op.Path, "/refcontract/") {
		m.base = p.contract
	}
	return m
}

// scoped returns an error for an operation whose scope no caller has.
func (a *access) scoped() error {
	for _, op := range a.api.Operations() {
		if len(op.Scopes) != 1 || !slices.Contains(callers.Scopes, op.Scopes[0]) {
			return fmt.Errorf("%s has the scopes %v, want one of %v", op.ID, op.Scopes, callers.Scopes)
		}
	}
	return nil
}
