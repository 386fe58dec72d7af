package sepa

// A structure is a sequence of runs such as 5n5n11c2n: a length and a class of characters, n for
// digits, a for capital letters and c for both.

// runs calls f with the length and the class of each run.
func runs(structure string, f func(length int, class byte)) {
	length := 0
	for _, c := range []byte(structure) {
		if c >= '0' && c <= '9' {
			length = length*10 + int(c-'0')
			continue
		}
		f(length, c)
		length = 0
	}
}

func lengthOf(structure string) int {
	sum := 0
	runs(structure, func(length int, _ byte) { sum += length })
	return sum
}

// matches reports whether s consists of the runs of a structure.
func matches(s, structure string) bool {
	ok := len(s) == lengthOf(structure)
	runs(structure, func(length int, class byte) {
		for ; ok && length > 0; length-- {
			ok = in(class, s[0])
			s = s[1:]
		}
	})
	return ok
}

func in(class, c byte) bool {
	digit, letter := c >= '0' && c <= '9', c >= 'A' && c <= 'Z'
	switch class {
	case 'n':
		return digit
	case 'a':
		return letter
	}
	return digit || letter
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if !in('c', c) {
			return false
		}
	}
	return true
}
