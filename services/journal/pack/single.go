package pack

// BlockOf returns a block of one item, for owners that lay out their blocks themselves. It has the
// zero layout.
func BlockOf(item []byte) Block {
	var one items
	one.add(item, Layout{})
	b, _ := one.pack(nil)
	return b
}
