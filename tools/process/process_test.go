package process

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the process under test: the environment variable CHILD selects how it
// behaves.
func TestMain(m *testing.M) {
	switch os.Getenv("CHILD") {
	case "":
		os.Exit(m.Run())
	case "fails":
		os.Stderr.WriteString("wrong topic configuration\n")
		os.Exit(3)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour) // an empty select would be reported as a deadlock
	case "serves":
		l, err := net.Listen("tcp", os.Getenv("ADDR"))
		if err != nil {
			panic(err)
		}
		os.Stderr.WriteString("serving\n")
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		go http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		<-stop
	}
}

func child(t *testing.T, how string) (*Process, string) {
	t.Helper()
	addrs, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	p := New(Spec{Name: how, Path: os.Args[0], Env: []string{"CHILD=" + how, "ADDR=" + addrs[0]}, LogDir: t.TempDir(), Ready: HTTPReady("http://" + addrs[0])})
	t.Cleanup(func() { _ = p.Kill() })
	return p, addrs[0]
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestStartKillStartStop(t *testing.T) {
	p, _ := child(t, "serves")
	if err := p.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	first := p.PID()
	if err := p.Launch(); err == nil {
		t.Error("Launch started a running process again")
	}
	if err := p.Kill(); err != nil || p.Running() {
		t.Fatalf("kill: %v, running %v", err, p.Running())
	}
	if err := p.Kill(); err != nil {
		t.Errorf("kill of a process that has ended: %v", err)
	}
	if err := p.Start(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if p.PID() == first {
		t.Error("the second run has the same process id")
	}
	if got := p.Log(); got != "serving\n" {
		t.Errorf("log of the second run is %q", got)
	}
	if err := p.Stop(within(t, 20*time.Second)); err != nil || p.Running() {
		t.Errorf("stop: %v", err)
	}
}

func TestStartErrorIncludesLog(t *testing.T) {
	p, _ := child(t, "fails")
	err := p.Start(within(t, 20*time.Second))
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "wrong topic configuration") {
		t.Errorf("error %v", err)
	}
}

func TestUnreadyProcessIsKilled(t *testing.T) {
	p, _ := child(t, "stubborn")
	if err := p.Start(within(t, 100*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "not ready") || p.Running() {
		t.Errorf("not ready: %v, running %v", err, p.Running())
	}
	if err := p.Launch(); err != nil {
		t.Fatal(err)
	}
	// Give the child time to ignore the signal. Without it, the child would stop at once.
	time.Sleep(200 * time.Millisecond)
	if err := p.Stop(within(t, 50*time.Millisecond)); err == nil || p.Running() {
		t.Errorf("stop: %v, running %v", err, p.Running())
	}
	if err := p.Signal(syscall.SIGCONT); err == nil {
		t.Error("Signal succeeded on a process that has ended")
	}
}

func TestRootFromNestedModule(t *testing.T) {
	want, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(want, "tools", "contracttest"))
	if got, err := Root(); err != nil || got != want {
		t.Errorf("root %s, error %v, want %s", got, err, want)
	}
	t.Chdir(t.TempDir())
	if got, err := Root(); err == nil {
		t.Errorf("outside a clone: root %s", got)
	}
}

func TestBuildErrorNamesCommand(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	err = Build(t.Context(), root, t.TempDir(), false, "./no/such/command")
	if err == nil || !strings.Contains(err.Error(), "no/such/command") || errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
