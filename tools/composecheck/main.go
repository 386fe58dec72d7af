// Command composecheck reads docker-compose.yml with Compose's own library, so that a mistake is found on a machine without an engine: unknown keys, undefined
// volumes and dependencies, bad ports. It also holds the file to rules of this project. It is a module of its own so that nobody inherits its dependencies.
//
//	composecheck FILE
package main

import (
	"context"
	"fmt"
	"os"
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
	fmt.Printf("compose: %s is good (read only; no engine was asked)\n", os.Args[1])
}

// check gives what is wrong with a compose file that can be read, and an error for one that cannot.
func check(ctx context.Context, file string) ([]string, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithName("deferpay"))
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, name := range project.ServiceNames() {
		for _, f := range checkService(project.Services[name]) {
			faults = append(faults, name+": "+f)
		}
	}
	return faults, nil
}

func checkService(s types.ServiceConfig) []string {
	var faults []string
	if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
		faults = append(faults, "the image "+s.Image+" has no fixed tag")
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			faults = append(faults, fmt.Sprintf("port %s is open to other machines", p.Published))
		}
	}
	if s.HealthCheck == nil && s.Restart != "no" {
		faults = append(faults, "a service that stays up needs a health check")
	}
	if s.Privileged || s.User == "root" {
		faults = append(faults, "runs with more rights than it needs")
	}
	return faults
}
