// Package behaviour tests what the golden code does. It is not part of package golden, so that the
// golden code can be rewritten when it does not compile. Nothing imports it.
package behaviour
