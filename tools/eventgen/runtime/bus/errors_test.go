package bus_test

import (
	"errors"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

func TestPublishErrorText(t *testing.T) {
	for want, errs := range map[string][]error{
		"1 of 2 messages: too large": {nil, errors.New("too large")},
		"none of 1 messages failed":  {nil},
		"none of 0 messages failed":  nil,
	} {
		if got := (&bus.PublishError{Errors: errs}).Error(); got != want {
			t.Errorf("%v are written as %q, want %q", errs, got, want)
		}
	}
}
