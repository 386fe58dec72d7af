// Package behaviour tests what generated code does: it stands beside the golden code, not with it,
// so that the golden code can be written again when it no longer compiles. Nothing imports it.
package behaviour
