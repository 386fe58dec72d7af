package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// stage replaces Compose's network on this machine: our binaries, a broker and a registry, and
// their addresses.
type stage struct {
	t     *testing.T
	bin   string
	hosts map[string]string // by host:port in the file
}

const (
	root     = "../.."
	patience = time.Minute // bounds a wait on a busy machine
)

// TestCommandLines starts every service that is built from our Dockerfile, in the order of their
// dependencies, with the command and the environment of docker-compose.yml and nothing else. Only
// addresses are replaced. The embedded broker and registry stand in for Kafka and Apicurio.
func TestCommandLines(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts processes")
	}
	project, err := load(t.Context(), root+"/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	var once, staying []types.ServiceConfig
	for _, name := range project.ServiceNames() {
		switch service := project.Services[name]; {
		case service.Build == nil:
		case service.Restart == "no":
			once = append(once, service)
		default:
			staying = append(staying, service)
		}
	}
	if len(once) != 1 || len(staying) != 5 {
		t.Fatalf("%d of our services end and %d keep running, want 1 and 5", len(once), len(staying))
	}
	for range 2 { // Compose runs it at each `up`
		s.completes(once[0])
	}
	type running struct {
		name, url, api string
		cmd            *exec.Cmd
		log            *bytes.Buffer
	}
	var all []running
	for _, service := range staying {
		port, here := s.listens(service)
		own := map[string]string{"0.0.0.0:" + port: here}
		if admin := service.Environment["ADMIN_ADDR"]; admin != nil {
			own[*admin] = freeAddress(t)
		}
		cmd, log := s.command(service, own)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		all = append(all, running{service.Name, s.health(service, port, own), "http://" + here, cmd, log})
	}
	for _, r := range all {
		if strings.HasPrefix(r.name, "billing") || r.name == "contract" {
			s.asksForTheKey(r.api)
		}
		err := healthy(t.Context(), r.url)
		stop := r.cmd.Process.Signal(syscall.SIGTERM)
		if end := r.cmd.Wait(); err != nil || stop != nil || end != nil {
			t.Errorf("%s: healthy: %v; stopped: %v, %v\n%s", r.name, err, stop, end, r.log)
		}
	}
}

// completes runs a service that must end with status 0.
func (s *stage) completes(service types.ServiceConfig) {
	s.t.Helper()
	cmd, log := s.command(service, nil)
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s", service.Name, err, log)
	}
}

// command returns the command of a service, with addresses of this machine.
func (s *stage) command(service types.ServiceConfig, own map[string]string) (*exec.Cmd, *bytes.Buffer) {
	var pairs []string
	for _, addresses := range []map[string]string{s.hosts, own} {
		for there, here := range addresses {
			pairs = append(pairs, there, here)
		}
	}
	here := strings.NewReplacer(pairs...)
	args := make([]string, len(service.Command))
	for i, a := range service.Command {
		args[i] = here.Replace(strings.ReplaceAll(a, "$$", "$"))
	}
	env := []string{"PATH=" + s.bin + string(filepath.ListSeparator) + os.Getenv("PATH")}
	for name, value := range service.Environment {
		if value != nil {
			env = append(env, name+"="+here.Replace(*value))
		}
	}
	path := filepath.Join(s.bin, args[0])
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath(args[0]); err != nil {
			s.t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(s.t.Context(), path, args[1:]...)
	log := &bytes.Buffer{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = root, env, log, log
	return cmd, log
}

var listening = regexp.MustCompile(`0\.0\.0\.0:(\d+)`)

// listens returns the port that a service listens on in its container, which must be published, and
// an address on this machine in its place.
func (s *stage) listens(service types.ServiceConfig) (port, here string) {
	s.t.Helper()
	text := strings.Join(service.Command, " ")
	if v := service.Environment["HTTP_ADDR"]; v != nil {
		text += " " + *v
	}
	found := listening.FindStringSubmatch(text)
	if found == nil {
		s.t.Fatalf("%s: does not listen on an address that the container's network reaches", service.Name)
	}
	if len(service.Ports) != 1 || strconv.Itoa(int(service.Ports[0].Target)) != found[1] {
		s.t.Errorf("%s: listens on %s and publishes %v", service.Name, found[1], service.Ports)
	}
	return found[1], freeAddress(s.t)
}

// health returns the address of the health check on this machine.
func (s *stage) health(service types.ServiceConfig, port string, own map[string]string) string {
	s.t.Helper()
	test := service.HealthCheck.Test
	url, there := test[len(test)-1], "127.0.0.1:"+port
	here := own["0.0.0.0:"+port]
	if admin := service.Environment["ADMIN_ADDR"]; admin != nil {
		there, here = strings.Replace(*admin, "0.0.0.0", "127.0.0.1", 1), own[*admin]
	}
	if !strings.HasPrefix(url, "http://"+there+"/") {
		s.t.Fatalf("%s: listens on %s, but its health check requests %s", service.Name, there, url)
	}
	return strings.Replace(url, there, here, 1)
}

// asksForTheKey fails the test unless a service lets in who has the key that was made, and nobody
// else.
func (s *stage) asksForTheKey(api string) {
	s.t.Helper()
	dir := s.hosts["/credentials"]
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"key", "keys.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			s.t.Errorf("%s: %v %v", name, info, err)
		}
	}
	for sent, want := range map[string]bool{strings.TrimSpace(string(key)): true, "guess": false, "": false} {
		err := fmt.Errorf("not tried")
		var status int
		for deadline := time.Now().Add(patience); err != nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			status, err = ask(api, sent) // until it listens
		}
		if err != nil || (status != http.StatusUnauthorized) != want {
			s.t.Errorf("%s: the key %.4s is answered %d, %v", api, sent, status, err)
		}
	}
}

// ask requests an operation of either service with an API key, and returns the status.
func ask(api, key string) (int, error) {
	for _, path := range []string{"/billing/v1/operations", "/refcontract/v1/contracts"} {
		req, err := http.NewRequest(http.MethodGet, api+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("X-API-Key", key)
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusNotFound {
			return r.StatusCode, nil
		}
	}
	return http.StatusNotFound, nil
}

func healthy(ctx context.Context, url string) error {
	var err error
	// a process is asked until it answers
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var r *http.Response
		if r, err = http.Get(url); err != nil {
			continue
		}
		_ = r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
		err = fmt.Errorf("%s: %s", url, r.Status)
	}
	return err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newStage builds the commands of the Dockerfile and starts a broker and a registry.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, bin: t.TempDir()}
	for _, packages := range [][]string{builds(t), {"./tools/devkafka"}} {
		build := exec.CommandContext(t.Context(), "go", append([]string{"build", "-ldflags=-s -w", "-o", s.bin + "/"}, packages...)...)
		build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	cmd := exec.Command(filepath.Join(s.bin, "devkafka"), "-broker", "127.0.0.1:0", "-registry", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var up struct {
		Brokers  []string
		Registry string
	}
	if err := json.NewDecoder(out).Decode(&up); err != nil {
		t.Fatal(err)
	}
	s.hosts = map[string]string{"kafka:19092": up.Brokers[0], "http://registry:8080/apis/ccompat/v7": up.Registry, "/credentials": t.TempDir()}
	return s
}

var buildLine = regexp.MustCompile(`(?m)^RUN .*go build .* -o /out/ (.*)$`)

// builds returns the packages that the Dockerfile builds.
func builds(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	found := buildLine.FindSubmatch(text)
	if found == nil {
		t.Fatal("the Dockerfile builds no package into /out/")
	}
	return strings.Fields(string(found[1]))
}
