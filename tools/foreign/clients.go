package foreign

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

//go:embed requirements.txt package.json package-lock.json .npmrc
var lists embed.FS

var (
	pythonLists = []string{"requirements.txt"}
	nodeLists   = []string{"package.json", "package-lock.json", ".npmrc"}
)

// install is how a person gets what is missing.
const install = "run `make foreign-install`"

// Clients knows the folder that keeps what was installed: the folder DEFERPAY_CACHE names, or deferpay in the user's cache
// folder. What is in it is complete: it is made aside and moved there at the end. Another list is another folder.
type Clients struct {
	dir string
}

// Open gives the clients of the user. It installs nothing.
func Open() (Clients, error) {
	dir := os.Getenv("DEFERPAY_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return Clients{}, fmt.Errorf("no folder to keep clients in, name one in DEFERPAY_CACHE: %w", err)
		}
		dir = filepath.Join(user, "deferpay")
	}
	return Clients{dir}, nil
}

// Python gives the interpreter that has confluent-kafka and fastavro.
func (c Clients) Python() (string, error) {
	dir, err := c.installed("python", pythonLists)
	return filepath.Join(dir, "bin", "python"), err
}

// Node gives node, and the folder whose node_modules has kafkajs and the registry client.
func (c Clients) Node() (node, modules string, err error) {
	if modules, err = c.installed("node", nodeLists); err != nil {
		return "", "", err
	}
	if node, err = exec.LookPath("node"); err != nil {
		return "", "", errors.New("node is not installed (Debian and Ubuntu: apt-get install nodejs npm)")
	}
	return node, modules, nil
}

// Kcat gives kcat.
func (c Clients) Kcat() (string, error) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		return "", errors.New("kcat is not installed (Debian and Ubuntu: apt-get install kcat)")
	}
	return kcat, nil
}

func (c Clients) installed(name string, files []string) (string, error) {
	dir, _, err := c.of(name, files)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("the clients for %s are not installed: %s", name, install)
	}
	return dir, nil
}

// of names the folder that is made from some lists, and gives their texts.
func (c Clients) of(name string, files []string) (dir string, texts map[string][]byte, err error) {
	sum := sha256.New()
	texts = map[string][]byte{}
	for _, file := range files {
		if texts[file], err = lists.ReadFile(file); err != nil {
			return "", nil, err
		}
		sum.Write(texts[file])
	}
	return filepath.Join(c.dir, "clients-"+name+"-"+hex.EncodeToString(sum.Sum(nil)[:4])), texts, nil
}

// Install puts the clients where they are looked for, unless they are there, and tells what it does, a line at a time. With
// system it also installs kcat by apt-get, which only root may.
func (c Clients) Install(ctx context.Context, system bool, say func(format string, args ...any)) error {
	errs := []error{
		c.make(ctx, "python", pythonLists, say, func(dir string) []*exec.Cmd {
			// The interpreter may be moved with its folder, the scripts beside it may not: nothing runs them.
			python := filepath.Join(dir, "bin", "python")
			return []*exec.Cmd{
				exec.CommandContext(ctx, "python3", "-m", "venv", dir),
				exec.CommandContext(ctx, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", filepath.Join(dir, "requirements.txt")),
			}
		}),
		c.make(ctx, "node", nodeLists, say, func(dir string) []*exec.Cmd {
			npm := exec.CommandContext(ctx, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
			npm.Dir = dir
			return []*exec.Cmd{npm}
		}),
	}
	if _, err := c.Kcat(); err != nil && system {
		say("kcat: by apt-get")
		errs = append(errs, aptInstall(ctx, "kcat"))
	} else if err != nil {
		say("%v", err)
	}
	return errors.Join(errs...)
}

// make fills a folder aside by commands and moves it to its place.
func (c Clients) make(ctx context.Context, name string, files []string, say func(string, ...any), commands func(dir string) []*exec.Cmd) (err error) {
	dir, texts, err := c.of(name, files)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		say("%s: in %s already", name, filepath.Base(dir))
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(c.dir, "part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(aside, file), text, 0o644); err != nil {
			return err
		}
	}
	say("%s: installing, once", name)
	for _, cmd := range commands(aside) {
		if err := run(cmd); err != nil {
			return fmt.Errorf("clients for %s: %w", name, err)
		}
	}
	if err := os.Rename(aside, dir); err != nil {
		if _, there := os.Stat(dir); there != nil { // nobody else was faster
			return err
		}
	}
	return ctx.Err()
}

func aptInstall(ctx context.Context, pkg string) error {
	apt := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-y"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return run(cmd)
	}
	if err := apt("install", pkg); err == nil {
		return nil
	}
	if err := apt("update"); err != nil { // a new machine knows no packages yet
		return err
	}
	return apt("install", pkg)
}

// run gives the end of what a command said when it failed.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	lines = slices.Clone(lines[max(0, len(lines)-10):])
	return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, bytes.Join(lines, []byte("\n")))
}
