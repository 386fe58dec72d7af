// Command composecheck reads docker-compose.yml with Compose's own library. So it finds mistakes
// without a container engine: unknown keys, undefined volumes and dependencies, bad ports. It also
// checks the file and its Dockerfiles against rules of this project. Its test starts the commands
// of our own services as Compose would. It is a module of its own, so that no other module has its
// dependencies.
//
//	composecheck FILE
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: composecheck FILE")
		os.Exit(2)
	}
	faults, err := check(context.Background(), os.Args[1])
	if err != nil {
		faults = []string{err.Error()}
	}
	for _, f := range faults {
		fmt.Fprintf(os.Stderr, "%s: %s\n", os.Args[1], f)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
	fmt.Printf("compose: %s is valid (no engine was used)\n", os.Args[1])
}

// check returns the faults of a compose file. It returns an error if the file cannot be read.
func check(ctx context.Context, file string) ([]string, error) {
	project, err := load(ctx, file)
	if err != nil {
		return nil, err
	}
	var faults []string
	dockerfiles := map[string]bool{}
	for _, name := range project.ServiceNames() {
		s := project.Services[name]
		for _, f := range checkService(s) {
			faults = append(faults, name+": "+f)
		}
		if s.Build != nil {
			dockerfiles[filepath.Join(s.Build.Context, s.Build.Dockerfile)] = true
		}
	}
	for file := range dockerfiles {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, f := range checkDockerfile(string(text)) {
			faults = append(faults, filepath.Base(file)+": "+f)
		}
	}
	return faults, nil
}

func load(ctx context.Context, file string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithName("deferpay"))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}

func checkService(s types.ServiceConfig) []string {
	var faults []string
	if !pinned(s.Image) {
		faults = append(faults, "the image "+s.Image+" has no fixed tag")
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			faults = append(faults, fmt.Sprintf("port %s is open to other machines", p.Published))
		}
	}
	if s.HealthCheck == nil && s.Restart != "no" {
		faults = append(faults, "a service that keeps running needs a health check")
	}
	if s.Privileged || s.User == "root" {
		faults = append(faults, "runs with more rights than it needs")
	}
	return faults
}

// pinned reports whether an image has a tag other than latest.
func pinned(image string) bool {
	_, name, ok := strings.Cut(image, "/")
	for ok { // the address of a registry may have a port
		image = name
		_, name, ok = strings.Cut(image, "/")
	}
	_, tag, ok := strings.Cut(image, ":")
	return ok && tag != "" && tag != "latest"
}

// checkDockerfile requires pinned base images and a last stage that does not run as root.
func checkDockerfile(text string) []string {
	var faults []string
	user := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "FROM":
			user = ""
			if !pinned(words[1]) {
				faults = append(faults, "the image "+words[1]+" has no fixed tag")
			}
		case "USER":
			user, _, _ = strings.Cut(words[1], ":")
		}
	}
	if user == "" || user == "root" || user == "0" {
		faults = append(faults, "the image runs as root: its last stage needs USER")
	}
	return faults
}
