package ledgertest

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update-fold", false, "write what old logs lead to")

// fold is what a version of a fold makes of recordings.
type fold struct {
	Version int32             `json:"version"`
	Shape   string            `json:"shape"`  // hash of the description of the types
	Hashes  map[string]string `json:"hashes"` // of what they lead to, by their names
}

// SameFold requires that a recording leads to what it led to when the version of the fold was given
// its number: otherwise snapshots would be used by programs that would have made others. shape
// describes the types; a program with other types uses no snapshot of this one, whatever its
// version. With -update-fold, SameFold writes what it finds.
func SameFold(t *testing.T, file, recording string, version int32, shape, hash string) {
	t.Helper()
	shape = fmt.Sprintf("%x", sha256.Sum256([]byte(shape)))
	var known fold
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &known)
	}
	if *update {
		write(t, file, known, recording, fold{Version: version, Shape: shape, Hashes: map[string]string{recording: hash}})
		return
	}
	switch {
	case err != nil:
		t.Fatal(err)
	case known.Version != version || known.Shape != shape:
		t.Errorf("%s is of version %d of the fold, or of other types: run the test with -update-fold", file, known.Version)
	case known.Hashes[recording] != hash:
		t.Errorf("%s leads to other states, or to another read model, than version %d of the fold did: increase the version, and run the test with -update-fold", recording, known.Version)
	}
}

// write adds what was found to what is known, unless that is of another version or of other types.
func write(t *testing.T, file string, known fold, recording string, found fold) {
	t.Helper()
	if known.Version == found.Version && known.Shape == found.Shape {
		known.Hashes[recording] = found.Hashes[recording]
		found = known
	}
	data, err := json.MarshalIndent(found, "", "  ")
	if err == nil {
		err = os.WriteFile(file, append(data, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
