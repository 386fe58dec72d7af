package bus

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// TestFieldText sets and reads a field of each type that a location can name. It is empty before,
// and is not changed by text that it cannot hold.
func TestFieldText(t *testing.T) {
	const id = "123e4567-e89b-12d3-a456-426614174000"
	for _, c := range []struct {
		field     any
		text, bad string
	}{
		{new(string), "x", ""}, {new(*string), "x", ""}, {new(jsonvalue.Optional[*string]), "x", ""},
		{new(int64), "-9223372036854775808", "x"}, {new(*int64), "7", "1.5"}, {new(jsonvalue.Optional[*int64]), "7", "x"},
		{new(int32), "7", "2147483648"}, {new(*int32), "-7", "2147483648"}, {new(jsonvalue.Optional[*int32]), "7", "x"},
		{new(int), "7", "x"}, {new(*int), "7", "x"},
		{new(uuid.UUID), id, "x"}, {new(*uuid.UUID), id, "x"}, {new(jsonvalue.Optional[*uuid.UUID]), id, "x"},
		{new(time.Time), "2026-01-02T03:04:05.000000006Z", "x"}, {new(*time.Time), "2026-01-02T03:04:05Z", "x"}, {new(jsonvalue.Optional[*time.Time]), "2026-01-02T03:04:05Z", "x"},
		{new(jsonvalue.Date), "2026-01-02", "x"}, {new(*jsonvalue.Date), "2026-01-02", "2026-13-02"}, {new(jsonvalue.Optional[*jsonvalue.Date]), "2026-01-02", "x"},
		{new(jsonvalue.Time), "03:04:05Z", ""}, {new(*jsonvalue.Time), "03:04:05Z", ""}, {new(jsonvalue.Optional[*jsonvalue.Time]), "03:04:05Z", ""},
		{new(jsonvalue.Duration), "P1D", ""}, {new(*jsonvalue.Duration), "P1D", ""}, {new(jsonvalue.Optional[*jsonvalue.Duration]), "P1D", ""},
		{new(avrobin.UUID), id, "x"}, {new(*avrobin.UUID), id, "x"},
	} {
		if got := FieldText(c.field); got != "" {
			t.Errorf("%T: %q before anything was set", c.field, got)
		}
		if c.bad != "" {
			if SetFieldText(c.field, c.bad); FieldText(c.field) != "" {
				t.Errorf("%T: %q became %q", c.field, c.bad, FieldText(c.field))
			}
		}
		if SetFieldText(c.field, c.text); FieldText(c.field) != c.text {
			t.Errorf("%T: %q became %q", c.field, c.text, FieldText(c.field))
		}
		if c.bad != "" {
			if SetFieldText(c.field, c.bad); FieldText(c.field) != c.text {
				t.Errorf("%T: %q became %q", c.field, c.bad, FieldText(c.field))
			}
		}
	}
	var o jsonvalue.Optional[*int64]
	if SetFieldText(&o, "x"); o.Set {
		t.Error("what could not be set is there")
	}
	if SetFieldText(&o, "1"); !o.Set {
		t.Error("what was set is not there")
	}
}
