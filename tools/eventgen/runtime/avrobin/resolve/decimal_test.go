package resolve

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Decimals match when their precisions and scales do, in bytes and in fixeds of any size and name.
func TestDecimalsResolve(t *testing.T) {
	inBytes := `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`
	inFixed := func(name string, size int) string {
		return fmt.Sprintf(`{"type":"fixed","name":%q,"size":%d,"logicalType":"decimal","precision":9,"scale":2}`, name, size)
	}
	nullable := func(of string) string { return `["null",` + of + `]` }
	for name, c := range map[string]struct {
		writer, reader string
		data, want     []byte
		fault          string
	}{
		"bytes to fixed":                 {inBytes, inFixed("A", 4), []byte{4, 0x04, 0xE2}, []byte{0, 0, 0x04, 0xE2}, ""},
		"negative bytes to fixed":        {inBytes, inFixed("A", 4), []byte{2, 0x9C}, []byte{0xFF, 0xFF, 0xFF, 0x9C}, ""},
		"bytes longer than need be":      {inBytes, inFixed("A", 4), []byte{12, 0, 0, 0, 0, 0, 7}, []byte{0, 0, 0, 7}, ""},
		"no bytes":                       {inBytes, inFixed("A", 4), []byte{0}, []byte{0, 0, 0, 0}, ""},
		"too many digits":                {inBytes, inFixed("A", 4), []byte{12, 1, 0, 0, 0, 0, 7}, nil, "takes 6 bytes, the reader's has 4"},
		"fixed to bytes":                 {inFixed("A", 4), inBytes, []byte{0, 0, 0x04, 0xE2}, []byte{4, 0x04, 0xE2}, ""},
		"negative fixed to bytes":        {inFixed("A", 4), inBytes, []byte{0xFF, 0xFF, 0xFF, 0x9C}, []byte{2, 0x9C}, ""},
		"zero to bytes":                  {inFixed("A", 4), inBytes, []byte{0, 0, 0, 0}, []byte{2, 0}, ""},
		"fixed to a wider one":           {inFixed("A", 4), inFixed("B", 6), []byte{0xFF, 0, 0, 1}, []byte{0xFF, 0xFF, 0xFF, 0, 0, 1}, ""},
		"fixed to a narrower one":        {inFixed("A", 6), inFixed("A", 4), []byte{0, 0, 0, 0, 0, 9}, []byte{0, 0, 0, 9}, ""},
		"bytes to null or fixed":         {inBytes, nullable(inFixed("A", 4)), []byte{2, 5}, []byte{2, 0, 0, 0, 5}, ""},
		"null or fixed to null or bytes": {nullable(inFixed("A", 4)), nullable(inBytes), []byte{2, 0, 0, 0, 5}, []byte{2, 2, 5}, ""},
		"cut off":                        {inFixed("A", 4), inBytes, []byte{0, 0}, nil, "4 bytes are needed"},
		"another scale":                  {inFixed("A", 4), strings.Replace(inBytes, `"scale":2`, `"scale":3`, 1), nil, nil, "decimal(9,2) is not decimal(9,3)"},
		"another precision":              {inBytes, strings.Replace(inFixed("A", 4), `"precision":9`, `"precision":8`, 1), nil, nil, "decimal(9,2) is not decimal(8,2)"},
		"no decimal":                     {inBytes, `{"type":"fixed","name":"A","size":4}`, nil, nil, "cannot be read as"},
	} {
		plan, err := NewPlan(c.writer, &avrobin.Type{Schema: c.reader})
		var got []byte
		if err == nil {
			got, err = plan.Transcode(nil, c.data)
		}
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, not %q", name, err, c.fault)
			}
		case err != nil || !bytes.Equal(got, c.want):
			t.Errorf("%s: % x, %v; want % x", name, got, err, c.want)
		}
	}
}
