package effect

import (
	"fmt"
	"math"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// notBuilt is the outcome of decoding a body that this version of billing does not write. It is
// never skipped: the instance is not ready then.
func notBuilt(m billinginternal.LogBody) (Body, error) {
	return Body{}, fmt.Errorf("%w: %s is not built yet", journal.ErrUnknownKind, billinginternal.KindOfLogBody(m))
}

func convert[To, From ~string](from []From) (to []To) {
	for _, f := range from {
		to = append(to, To(f))
	}
	return to
}

func int32Of(n int64) (int32, error) {
	if n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%d is too large for the record", n)
	}
	return int32(n), nil
}
