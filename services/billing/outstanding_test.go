package billing

import (
	"errors"
	"testing"

	"github.com/deferpay/deferpay/services/billing/internal/effect"
)

// TestSumsWhileNotReady sums what is owed on an instance that stops being ready meanwhile.
func TestSumsWhileNotReady(t *testing.T) {
	var state error
	ready := func() error { return state }
	sums := []effect.Owed{{Currency: "EUR", NotInvoiced: 1050}}
	if got := outstanding(ready, func() []effect.Owed { return sums }); len(got) != 2 || got[0].Amount != 10.5 {
		t.Errorf("while ready, %+v is owed", got)
	}
	got := outstanding(ready, func() []effect.Owed {
		state = errors.New("the log is read again")
		return sums
	})
	if got != nil {
		t.Errorf("%+v is owed, although the instance is not ready any more", got)
	}
}
