package avro

// GoName is the exported Go name of any name of a contract, by the rules of this package.
func GoName(name string) string { return exported(name) }

// Unexported is the name of something that stays in its package, made from an exported one.
func Unexported(goName string) string { return unexported(goName) }
