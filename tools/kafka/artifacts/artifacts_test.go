package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/fetched"
)

func TestPomsHaveTheVersions(t *testing.T) {
	for version, pom := range map[string][]byte{KafkaVersion: kafkaPOM, RegistryVersion: registryPOM} {
		if !bytes.Contains(pom, []byte("<version>"+version+"</version>")) {
			t.Errorf("no version %s in\n%s", version, pom)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	c := Cache{Folder: fetched.Folder{Dir: t.TempDir()}}
	if got := c.Missing(t.Context(), false); !strings.Contains(got, "Apache Kafka is not in") || !strings.Contains(got, "make kafka") {
		t.Errorf("missing: %q", got)
	}
	if err := os.MkdirAll(c.kafkaDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := c.Missing(t.Context(), false); !strings.Contains(got, "needs Java 17 or newer, and this machine has none") {
		t.Errorf("missing: %q", got)
	}
	if _, err := c.Registry(t.Context()); err == nil || !strings.Contains(err.Error(), "apt install maven") {
		t.Errorf("no mvn: %v", err)
	}
	if _, err := c.Java(t.Context(), RegistryJava); err == nil || !strings.Contains(err.Error(), "python3 is not installed") || !strings.Contains(err.Error(), "install Java 21 or newer") {
		t.Errorf("no java: %v", err)
	}
}

// fakeJava writes a program that claims to be a version of Java.
func fakeJava(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'openjdk version \"%s\" 2026-01-01' >&2\n", version)
	if err := os.WriteFile(filepath.Join(dir, "java"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestFirstJavaThatIsNewEnough(t *testing.T) {
	home, path := t.TempDir(), t.TempDir()
	fakeJava(t, filepath.Join(home, "bin"), "1.8.0_402")
	fakeJava(t, path, "17.0.15")
	t.Setenv("PATH", path+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("JAVA_HOME", home)
	c := Cache{Folder: fetched.Folder{Dir: t.TempDir()}}
	if got, err := c.localJava(t.Context(), KafkaJava); err != nil || got != filepath.Join(path, "java") {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := c.localJava(t.Context(), RegistryJava); err == nil || !strings.Contains(err.Error(), "this machine has Java 17") {
		t.Errorf("got %v", err)
	}
	fakeJava(t, filepath.Join(c.runtimeDir(), "bin"), "25.0.2")
	if got, err := c.localJava(t.Context(), RegistryJava); err != nil || !strings.HasPrefix(got, c.Dir) {
		t.Errorf("got %s, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.localJava(ctx, RegistryJava); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestErrorsOfMaven(t *testing.T) {
	out := "[INFO] Scanning\nDownloading from central: a\nProgress (1): 1/2 MB\rProgress (1): 2/2 MB\r\nDownloaded from central: a\n" +
		strings.Repeat("[ERROR] no such artifact\n", 9) + strings.Repeat("x", 2<<20)
	if got := (Cache{}).follow(strings.NewReader(out)); len(got) != 5 || got[0] != "[ERROR] no such artifact" {
		t.Errorf("got %q", got)
	}
}

func TestUnpack(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "a.whl")
	write := func(names ...string) {
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		for _, name := range names {
			h := &zip.FileHeader{Name: name}
			h.SetMode(0o755)
			w, err := z.CreateHeader(h)
			if err == nil {
				_, err = w.Write([]byte("text"))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(z.Close(), os.WriteFile(archive, buf.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	into := t.TempDir()
	write("pkg/runtime/bin/java", "pkg/other")
	if err := unpack(archive, "pkg/runtime/", into); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(into, "bin", "java")); err != nil || info.Mode().Perm()&0o100 == 0 || fetched.Has(filepath.Join(into, "other")) {
		t.Errorf("%v %v", info, err)
	}
	write("pkg/runtime/../../../escaped")
	if err := unpack(archive, "pkg/runtime/", into); err == nil {
		t.Error("a file outside the folder was written")
	}
	write("pkg/other")
	if err := unpack(archive, "pkg/runtime/", into); err == nil {
		t.Error("an archive without the runtime was accepted")
	}
}
