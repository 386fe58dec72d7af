package problemtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/internal/problem"
)

const contractDocument = "../../../../specs/contract/openapi.yaml"

// kept collects what is reported.
type kept struct {
	testing.TB
	faults []string
}

func (k *kept) Errorf(format string, args ...any) {
	k.faults = append(k.faults, fmt.Sprintf(format, args...))
}

func TestUndeclaredIsReported(t *testing.T) {
	d := Open(t, contractDocument)
	for name, tt := range map[string]struct {
		method, path string
		answer       *problem.Problem
		want         string
	}{
		"declared":             {"GET", "/refcontract/v1/contracts", problem.New(problem.InvalidRequest, "x"), ""},
		"undeclared code":      {"GET", "/refcontract/v1/contracts", problem.New(problem.IdempotencyKeyMissing, "x"), "listContracts does not declare 400 idempotency-key-missing"},
		"undeclared status":    {"GET", "/refcontract/v1/contracts/CTR-1", problem.New(problem.PreconditionFailed, "x"), "getContract does not declare 412"},
		"no operation":         {"GET", "/refcontract/v1/other", problem.New(problem.NotFound, "x"), ""},
		"no operation and 409": {"GET", "/refcontract/v1/other", problem.New(problem.TransitionForbidden, "x"), "no operation"},
	} {
		k := &kept{TB: t}
		next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { problem.Write(w, tt.answer) })
		w := httptest.NewRecorder()
		d.Handler(k, next).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.answer.Code.Status() {
			t.Errorf("%s: the client read %d", name, w.Code)
		}
		if got := strings.Join(k.faults, "\n"); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: reported %q, want %q", name, got, tt.want)
		}
	}
}

func TestCheckReportsMissing(t *testing.T) {
	k := &kept{TB: t}
	Open(t, contractDocument).Check(k, problem.NewCode("mystery", 409, "A mystery"))
	if got := strings.Join(k.faults, "\n"); !strings.Contains(got, "no operation declares mystery") || !strings.Contains(got, "the service has no problem contract-not-found") {
		t.Errorf("reported %q", got)
	}
}
