package avro

import "github.com/deferpay/deferpay/tools/eventgen/goname"

// GoName is the exported Go name of any name of a contract.
func GoName(name string) string { return goname.Exported(name) }

// Unexported is the name of something that stays in its package, made from an exported one.
func Unexported(goName string) string { return goname.Unexported(goName) }
