package contract

import (
	"reflect"
	"testing"
)

func TestRepublished(t *testing.T) {
	for name, above := range map[string]int64{"any": 0, "below its own": 1, "above its own": 40, "as high as may be": MaxAboveVersion} {
		for _, steps := range [][]step{pending, active, suspended, terminated} {
			c := play(t, steps...)
			e, err := Decide(c, Republish{AboveVersion: above}, begin)
			if err != nil {
				t.Fatalf("%s on %s: %v", name, c.Status, err)
			}
			next, err := Fold(c, e, begin)
			if err != nil {
				t.Fatalf("%s on %s: %v", name, c.Status, err)
			}
			want := *c
			want.Version, want.UpdatedAt = max(c.Version, above)+1, begin
			if !reflect.DeepEqual(*next, want) {
				t.Errorf("%s on %s: %+v\nwant %+v", name, c.Status, *next, want)
			}
		}
	}
}

func TestRepublishedImpossible(t *testing.T) {
	c := play(t, active...)
	for _, version := range []int64{-1, 0, c.Version, MaxVersion + 1} {
		if next, err := Fold(c, Republished{Ref: c.Ref, Version: version}, begin); err == nil {
			t.Errorf("version %d after %d: %+v", version, c.Version, next)
		}
	}
}

func TestRepublishRefusesVersion(t *testing.T) {
	c := play(t, active...)
	for _, above := range []int64{-1, MaxAboveVersion + 1} {
		if e, err := Decide(c, Republish{AboveVersion: above}, begin); err == nil {
			t.Errorf("above %d: %+v", above, e)
		}
	}
}
