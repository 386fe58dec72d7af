package fetched

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"
)

func TestUnpackNeedsEveryFile(t *testing.T) {
	archive := func(names ...string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, name := range names {
			if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	all := []string{"package/a", "package/b"}
	files, err := unpack(archive("package/a", "package/b", "package/other"), all)
	if err != nil || len(files) != 2 || string(files["package/a"]) != "x" {
		t.Errorf("%q, %v", files, err)
	}
	if _, err := unpack(archive("package/b"), all); err == nil {
		t.Error("no error without a file")
	}
}
