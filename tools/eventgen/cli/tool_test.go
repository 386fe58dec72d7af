package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/deferpay/deferpay/tools/fulltest"
)

const own = "github.com/deferpay/deferpay"

// published is a version of this module as another module gets it: from a proxy.
type published struct {
	version string
	proxy   string // what GOPROXY has to be
}

// publish puts the files of the checkout that git knows behind a proxy of files, as a version that
// no other test has: the go command keeps what it downloads by the version alone. What the command
// keeps is removed when the test ends.
func publish(t *testing.T, repository string) published {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "git", "-C", repository, "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []zip.File
	nested := map[string]bool{}
	names := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	for _, name := range names {
		if dir, ok := strings.CutSuffix(name, "/go.mod"); ok {
			nested[dir] = true
		}
	}
	for _, name := range names {
		if !below(name, nested) {
			files = append(files, file{repository, name})
		}
	}
	var unique [6]byte
	rand.Read(unique[:])
	at := time.Now().UTC().Truncate(time.Second)
	version := module.PseudoVersion("v0", "", at, hex.EncodeToString(unique[:]))
	var packed bytes.Buffer
	if err := zip.Create(&packed, module.Version{Path: own, Version: version}, files); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": at})
	if err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "proxy")
	versions := filepath.Join(folder, filepath.FromSlash(own), "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		version + ".info": info, version + ".mod": goMod, version + ".zip": packed.Bytes(), "list": nil, "../@latest": info,
	} {
		if err := os.WriteFile(filepath.Join(versions, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	others := goEnv(t, "GOPROXY")
	t.Cleanup(func() { forget(t, version) })
	return published{version, "file://" + filepath.ToSlash(folder) + "," + others}
}

// below reports whether a file is in one of the folders.
func below(name string, folders map[string]bool) bool {
	for dir := range folders {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

// file is a file of the checkout in the archive of the module.
type file struct{ repository, name string }

func (f file) Path() string                 { return f.name }
func (f file) on() string                   { return filepath.Join(f.repository, filepath.FromSlash(f.name)) }
func (f file) Lstat() (fs.FileInfo, error)  { return os.Lstat(f.on()) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.on()) }

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// forget removes a version from the cache of modules, whose folders are read-only.
func forget(t *testing.T, version string) {
	t.Helper()
	cache := goEnv(t, "GOMODCACHE")
	extracted := filepath.Join(cache, filepath.FromSlash(own)+"@"+version)
	_ = filepath.WalkDir(extracted, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	downloaded, err := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(own), "@v", version+".*"))
	if err != nil {
		t.Error(err)
	}
	for _, path := range append(downloaded, extracted) {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}
}

// TestToolOfAnotherModule runs eventgen in a module of its own in both ways that Go has for tools:
// by its version, which changes nothing in that module, and as a tool of the module. What they
// generate is the same and compiles.
func TestToolOfAnotherModule(t *testing.T) {
	fulltest.Only(t, "it compiles eventgen of a version of its own")
	g := openGuide(t)
	p := publish(t, g.repository)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS="+os.Getenv("GOFLAGS"), "GOPROXY="+p.proxy, "GONOSUMDB="+own)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	write("asyncapi.yaml", g.block("yaml", "OrderPlaced.avsc"))
	write("OrderPlaced.avsc", g.block("json", `"OrderPlaced"`))
	const untouched = "module example.com/shop\n\ngo 1.26.0\n"
	write("go.mod", untouched)
	generate := []string{"generate", "-out", "gen", "-import", "example.com/shop/gen", "asyncapi.yaml"}

	run(append([]string{"run", own + "/tools/eventgen@" + p.version}, generate...)...)
	if text, err := os.ReadFile("go.mod"); err != nil || string(text) != untouched {
		t.Errorf("go run changed go.mod: %v\n%s", err, text)
	}
	if _, err := os.Stat("go.sum"); err == nil {
		t.Error("go run wrote a go.sum")
	}

	run("get", "-tool", own+"/tools/eventgen@"+p.version)
	run(append([]string{"tool", "eventgen"}, append([]string{generate[0], "-check"}, generate[1:]...)...)...)
	run("mod", "tidy")
	run("vet", "./...")
	if text, err := os.ReadFile("go.mod"); err != nil || !strings.Contains(string(text), "\ntool "+own+"/tools/eventgen\n") {
		t.Errorf("go.mod does not name the tool: %v\n%s", err, text)
	}
}
