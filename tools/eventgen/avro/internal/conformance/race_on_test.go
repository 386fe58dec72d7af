//go:build race

package conformance

// raced reports that the race detector is on, which slows the code down and drops pooled buffers at
// random.
const raced = true
