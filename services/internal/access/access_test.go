package access

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ogen-go/ogen/ogenerrors"

	"github.com/deferpay/deferpay/services/internal/problem"
)

func keys(t *testing.T, text string) (*Keys, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestAuthenticate(t *testing.T) {
	k, err := keys(t, `[
		{"subject":"agency","sha256":"`+Hash("old")+`","scopes":["read","write"]},
		{"subject":"agency","sha256":"`+strings.ToUpper(Hash("new"))+`","scopes":["read","write"]},
		{"subject":"audit","sha256":"`+Hash("looks")+`","scopes":["read"]},
		{"subject":"treasury","sha256":"`+Hash("pays")+`","scopes":["payments"]}]`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key     string
		scopes  []string
		subject string
		code    problem.Code
	}{
		{"old", []string{Write}, "agency", problem.Code{}},
		{"new", []string{Read, Write}, "agency", problem.Code{}},
		{"looks", []string{Read}, "audit", problem.Code{}},
		{"looks", nil, "audit", problem.Code{}},
		{"looks", []string{Write}, "", problem.Forbidden},
		{"pays", []string{Payments}, "treasury", problem.Code{}},
		{"old", []string{Payments}, "", problem.Forbidden},
		{"old", []string{Admin}, "", problem.Forbidden},
		{"", nil, "", problem.Unauthenticated},
		{"secret-guess", []string{Read}, "", problem.Unauthenticated},
		{Hash("old"), []string{Read}, "", problem.Unauthenticated},
	} {
		ctx, err := k.Authenticate(t.Context(), c.key, c.scopes)
		if c.code != (problem.Code{}) {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != c.code {
				t.Errorf("%q for %v: error %v, want %s", c.key, c.scopes, err, c.code)
			} else if c.key != "" && strings.Contains(p.Detail+p.Hint, c.key) {
				t.Errorf("the problem contains the key: %v", p)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q for %v: %v", c.key, c.scopes, err)
			continue
		}
		if caller, ok := From(ctx); !ok || caller.Subject != c.subject {
			t.Errorf("%q: caller %v, want %s", c.key, caller, c.subject)
		}
	}
}

func TestInsecure(t *testing.T) {
	k := Insecure()
	ctx, err := k.Authenticate(t.Context(), "whatever", []string{Read, Write, Admin, Payments})
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := From(ctx); c.Subject != "dev" {
		t.Errorf("subject %q, want dev", c.Subject)
	}
	for given, want := range map[string]string{"": "none", "mine": "mine"} {
		var seen string
		h := k.Anonymous(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header.Get(HeaderName) }))
		r := httptest.NewRequest("GET", "/", nil)
		if given != "" {
			r.Header.Set(HeaderName, given)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if seen != want {
			t.Errorf("key %q reached the server as %q, want %q", given, seen, want)
		}
	}
}

func TestInvalidFiles(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                               "empty",
		`{}`:                               "cannot unmarshal",
		`[{"subject":"a","key":"x"}]`:      "unknown field",
		`[{"sha256":"` + Hash("a") + `"}]`: "no subject",
		`[{"subject":"a","sha256":"12"}]`:  "64 hexadecimal digits",
		`[{"subject":"a","sha256":"` + Hash("a") + `","scopes":["root"]}]`:                            `unknown scope "root"`,
		`[{"subject":"a","sha256":"` + Hash("a") + `"},{"subject":"b","sha256":"` + Hash("a") + `"}]`: "same key",
	} {
		if _, err := keys(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestBearerBesideKey(t *testing.T) {
	if _, err := Bearer(With(t.Context(), Caller{Subject: "a"})); !errors.Is(err, ogenerrors.ErrSkipServerSecurity) {
		t.Errorf("beside a valid key: %v", err)
	}
	var p *problem.Problem
	if _, err := Bearer(t.Context()); !errors.As(err, &p) || p.Code != problem.Unauthenticated {
		t.Errorf("alone: %v", err)
	}
}
