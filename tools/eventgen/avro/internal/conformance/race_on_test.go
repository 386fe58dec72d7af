//go:build race

package conformance

// raced tells that the race detector is on, which slows things down and drops kept buffers at
// random.
const raced = true
