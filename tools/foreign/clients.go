package foreign

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/deferpay/deferpay/tools/fetched"
)

//go:embed requirements.txt package.json package-lock.json .npmrc
var lists embed.FS

var nodeLists = []string{"package.json", "package-lock.json", ".npmrc"}

// install tells a person how to get what is missing.
const install = "run `make foreign-install`"

// Clients is the folder that holds what was installed; see fetched.Open.
type Clients struct {
	folder fetched.Folder
}

// Open returns the clients of the user. It installs nothing.
func Open() (Clients, error) {
	folder, err := fetched.Open()
	return Clients{folder}, err
}

// Python returns the interpreter that has confluent-kafka and fastavro. An error is returned if
// they are not installed.
func (c Clients) Python() (string, error) {
	requirements, err := lists.ReadFile("requirements.txt")
	if err != nil {
		return "", err
	}
	dir, interpreter := c.folder.PythonPath(requirements)
	return interpreter, installed("python", dir)
}

// InstallPython installs what Python returns, unless it is there.
func (c Clients) InstallPython(ctx context.Context) (string, error) {
	requirements, err := lists.ReadFile("requirements.txt")
	if err != nil {
		return "", err
	}
	return c.folder.Python(ctx, requirements)
}

// Node returns node, and the folder whose node_modules has kafkajs and the registry client. An
// error is returned if one of them is not installed.
func (c Clients) Node() (node, modules string, err error) {
	modules, _, err = c.nodeFolder()
	if err == nil {
		err = installed("node", modules)
	}
	if err != nil {
		return "", "", err
	}
	if node, err = exec.LookPath("node"); err != nil {
		return "", "", errors.New("node is not installed (Debian and Ubuntu: apt-get install nodejs npm)")
	}
	return node, modules, nil
}

// Kcat returns the path of kcat. An error is returned if it is not installed.
func (c Clients) Kcat() (string, error) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		return "", errors.New("kcat is not installed (Debian and Ubuntu: apt-get install kcat)")
	}
	return kcat, nil
}

func installed(name, dir string) error {
	if !fetched.Has(dir) {
		return fmt.Errorf("the clients for %s are not installed: %s", name, install)
	}
	return nil
}

// nodeFolder returns the folder that is made from the lists, and their texts.
func (c Clients) nodeFolder() (dir string, texts map[string][]byte, err error) {
	texts = map[string][]byte{}
	var all [][]byte
	for _, file := range nodeLists {
		if texts[file], err = lists.ReadFile(file); err != nil {
			return "", nil, err
		}
		all = append(all, texts[file])
	}
	return c.folder.Path("node", all...), texts, nil
}

// Install installs the clients that are missing. It calls say with what it does, a line at a time.
// With system it also installs kcat by apt-get, as root or by sudo.
func (c Clients) Install(ctx context.Context, system bool, say func(format string, args ...any)) error {
	errs := []error{c.python(ctx, say), c.node(ctx, say)}
	if _, err := c.Kcat(); err != nil && system {
		say("kcat: by apt-get")
		errs = append(errs, aptInstall(ctx, "kcat"))
	} else if err != nil {
		say("%v", err)
	}
	return errors.Join(errs...)
}

func (c Clients) python(ctx context.Context, say func(string, ...any)) error {
	if there, err := c.Python(); err == nil {
		say("python: in %s already", filepath.Base(filepath.Dir(filepath.Dir(there))))
		return nil
	}
	say("python: installing, once")
	if _, err := c.InstallPython(ctx); err != nil {
		return fmt.Errorf("clients for python: %w", err)
	}
	return nil
}

func (c Clients) node(ctx context.Context, say func(string, ...any)) error {
	dir, texts, err := c.nodeFolder()
	if err != nil {
		return err
	}
	if fetched.Has(dir) {
		say("node: in %s already", filepath.Base(dir))
		return nil
	}
	say("node: installing, once")
	err = c.folder.Fill(dir, func(into string) error {
		for file, text := range texts {
			if err := os.WriteFile(filepath.Join(into, file), text, 0o644); err != nil {
				return err
			}
		}
		npm := exec.CommandContext(ctx, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = into
		return fetched.Run(npm)
	})
	if err != nil {
		return fmt.Errorf("clients for node: %w", err)
	}
	return nil
}

func aptInstall(ctx context.Context, pkg string) error {
	apt := func(args ...string) error {
		command := append([]string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"}, args...)
		if os.Geteuid() != 0 {
			command = append([]string{"sudo", "-n"}, command...)
		}
		return fetched.Run(exec.CommandContext(ctx, command[0], command[1:]...))
	}
	if err := apt("install", pkg); err == nil {
		return nil
	}
	if err := apt("update"); err != nil { // a new machine has no list of packages
		return err
	}
	return apt("install", pkg)
}
