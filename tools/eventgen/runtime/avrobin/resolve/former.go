package resolve

import (
	"errors"
	"fmt"
	"sync"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// ErrVersion is wrapped by the error of Decode for a fingerprint that is neither of the value's
// schema nor of a former version of it.
var ErrVersion = errors.New("not a version of the schema")

// Decode decodes body into v. It was written with the version of v's schema that has the
// fingerprint, which is the present one or a former one in the generated code.
func Decode(fingerprint uint64, body []byte, v avrobin.Value) error {
	t := v.AvroType()
	if fingerprint == t.Fingerprint {
		return v.DecodeAvro(body)
	}
	f := t.Version(fingerprint)
	if f == nil {
		return fmt.Errorf("%w: fingerprint %016x", ErrVersion, fingerprint)
	}
	plan, err := former(t, f)
	if err != nil {
		return err
	}
	return plan.Decode(body, v)
}

// plans has a func() (*Plan, error) for each *avrobin.Former that was used.
var plans sync.Map

// former returns the plan for a former version, which is made once.
func former(t *avrobin.Type, f *avrobin.Former) (*Plan, error) {
	plan, ok := plans.Load(f)
	if !ok {
		plan, _ = plans.LoadOrStore(f, sync.OnceValues(func() (*Plan, error) { return NewPlan(f.Schema, t) }))
	}
	return plan.(func() (*Plan, error))()
}
