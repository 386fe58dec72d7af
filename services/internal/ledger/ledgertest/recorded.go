package ledgertest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Recorded returns the values of the records of a log in each recording of the system, by the name
// of the recording. recordings is the folder of package oldlog that has them.
func Recorded(t testing.TB, recordings, log string) map[string][][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordings, "log-*", "topics", log+".jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s in %s: %v", log, recordings, err)
	}
	all := map[string][][]byte{}
	for _, name := range files {
		all[filepath.Base(filepath.Dir(filepath.Dir(name)))] = values(t, name)
	}
	return all
}

func values(t testing.TB, name string) (values [][]byte) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r struct{ Value []byte }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		values = append(values, r.Value)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
