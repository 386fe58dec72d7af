package billing

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A decision is a function of the states and the time alone. That a key has one effect is for the
// store.
func TestP2DecidingTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := account()
		a.NotInvoiced = rapid.Int64Range(0, 600000).Draw(t, "outstanding")
		p := Purchase{OrderRef: "O", Amount: eur(rapid.Int64Range(0, 600000).Draw(t, "amount"))}
		now := date("2026-03-14").Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(t, "time")) * time.Second)
		e1, err1 := DecidePurchase(a, p, now, paris)
		e2, err2 := DecidePurchase(a, p, now, paris)
		if !reflect.DeepEqual(e1, e2) || !errors.Is(err1, err2) && err1.Error() != err2.Error() {
			t.Fatalf("%+v %v\n%+v %v", e1, err1, e2, err2)
		}
	})
}
