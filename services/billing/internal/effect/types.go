package effect

import (
	"fmt"
	"math"
)

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
