package publication

import "testing"

func TestNegativeConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"window": {Name: "publisher", Positions: "positions", Window: -1},
		"batch":  {Name: "publisher", Positions: "positions", Batch: -1},
	} {
		if _, err := New(Source[int, int]{Topic: "log"}, cfg); err == nil {
			t.Errorf("a negative %s is accepted", name)
		}
	}
}
