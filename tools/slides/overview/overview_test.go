package overview

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

const pictures, redo = "../../../docs/presentation/pictures", "draw it again: go run ./tools/slides/record -overview"

func TestPicturesFitTheContracts(t *testing.T) {
	files, err := Pictures("../../../specs")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 {
		t.Errorf("%d pictures", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(pictures, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the contracts say; %s (%v)", name, redo, err)
		}
	}
}

func TestContractsAreCounted(t *testing.T) {
	list, err := read("../../../specs")
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for i, want := range []struct {
		sends, receives string
	}{{"contract.facts.v1", "billing.events.v1"}, {"billing.events.v1", "contract.facts.v1"}} {
		s := list[i]
		if len(s.sends) != 1 || s.sends[0].name != want.sends || s.sends[0].n == 0 {
			t.Errorf("%s sends %v", s.name, s.sends)
		}
		if len(s.receives) != 1 || s.receives[0].name != want.receives || s.receives[0].n == 0 {
			t.Errorf("%s receives %v", s.name, s.receives)
		}
		sum := 0
		for _, tag := range s.tags {
			sum += tag.n
		}
		if sum != s.calls || sum == 0 || len(s.private) < 4 {
			t.Errorf("%s: %d of %d operations in tags, private topics %v", s.name, sum, s.calls, s.private)
		}
	}
}
