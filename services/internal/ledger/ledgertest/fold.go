package ledgertest

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update-fold", false, "write what old logs lead to")

// fold is what a version of a fold makes of recordings: hashes by their names.
type fold struct {
	Version int32             `json:"version"`
	Hashes  map[string]string `json:"hashes"`
}

// SameFold requires that a recording leads to what it led to when the version of the fold was given
// its number: otherwise snapshots would be used by programs that would have made others. With
// -update-fold, it writes the hash.
func SameFold(t *testing.T, file, recording string, version int32, hash string) {
	t.Helper()
	var known fold
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &known)
	}
	if *update {
		if known.Version != version || known.Hashes == nil {
			known = fold{Version: version, Hashes: map[string]string{}}
		}
		known.Hashes[recording] = hash
		if data, err = json.MarshalIndent(known, "", "  "); err == nil {
			err = os.WriteFile(file, append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if known.Version != version || known.Hashes[recording] != hash {
		t.Errorf("%s leads to other states, or to another read model, than version %d of the fold did: increase the version, and run the test with -update-fold", recording, known.Version)
	}
}
