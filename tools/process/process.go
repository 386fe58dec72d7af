// Package process builds the project's commands and controls them as child processes: it starts
// them, waits until they are ready, stops or kills them, and keeps their logs in files. The demo
// and the system tests import it; services never do.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// module begins the go.mod at the root of the repository. Some tools below it are modules of their
// own.
const module = "module github.com/deferpay/deferpay\n"

// Root returns the root directory of the repository that contains the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(text), module) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not in a clone of the repository")
		}
		dir = parent
	}
}

// Build compiles commands, given as package paths such as "./tools/devkafka", into dir. One go
// build compiles them all, because with an empty build cache most of the time goes into the
// packages that they share. They are built without cgo and without debug tables, and with no other
// flags, so that packages that `go run` has compiled are reused. With race, they are built with the
// race detector, which needs cgo.
func Build(ctx context.Context, root, dir string, race bool, commands ...string) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if race {
		args, env = append(args, "-race"), append(os.Environ(), "CGO_ENABLED=1")
	} else {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, commands...)...)
	cmd.Dir, cmd.Env = root, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", strings.Join(commands, " "), err, out.String())
	}
	return nil
}

// FreePorts returns n loopback addresses on which nobody is listening at the moment.
func FreePorts(n int) ([]string, error) {
	var out []string
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// Spec describes a process.
type Spec struct {
	Name   string // used in messages and for the log files
	Path   string
	Args   []string
	Env    []string // added to the environment of this process
	LogDir string   // standard output is appended to NAME.out, standard error to NAME.log
	// Tee, if not nil, also receives standard error. Several processes may share one.
	Tee io.Writer
	// StopStatus is an exit status that Stop accepts besides 0. A JVM that ends in good order after
	// SIGTERM exits with 143.
	StopStatus int
	// Ready is called until it returns nil. If it is nil, the process is ready once it is started.
	Ready func(context.Context) error
}

// Process is a process that may be started any number of times, one run after the other. Its
// methods are safe for concurrent use.
type Process struct {
	spec Spec

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	err  error         // why it ended; valid once done is closed
	log  int64         // offset in the log file at which the current run begins
}

// New returns a process that has not been started.
func New(spec Spec) *Process { return &Process{spec: spec} }

// Name returns the name of the process.
func (p *Process) Name() string { return p.spec.Name }

// LogFile returns the path of the file that receives standard error.
func (p *Process) LogFile() string { return filepath.Join(p.spec.LogDir, p.spec.Name+".log") }

// OutFile returns the path of the file that receives standard output.
func (p *Process) OutFile() string { return filepath.Join(p.spec.LogDir, p.spec.Name+".out") }

// Launch starts the process without waiting until it is ready.
func (p *Process) Launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s is already running", p.spec.Name)
	}
	out, err := appendTo(p.OutFile())
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := appendTo(p.LogFile())
	if err != nil {
		return err
	}
	if p.log, err = log.Seek(0, io.SeekEnd); err != nil {
		return errors.Join(err, log.Close())
	}
	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.Stdout, cmd.Stderr = out, log
	if p.spec.Tee != nil {
		cmd.Stderr = io.MultiWriter(log, p.spec.Tee)
	}
	cmd.SysProcAttr = apart()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.spec.Name, errors.Join(err, log.Close()))
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		err := errors.Join(cmd.Wait(), log.Close())
		p.mu.Lock()
		defer p.mu.Unlock()
		p.err = err
		close(done)
	}(p.done)
	return nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}

// Start launches the process and waits until it is ready. If that fails, the process has ended, and
// the error includes the last lines of its log.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	return p.WaitReady(ctx)
}

// WaitReady waits until the process is ready. An error is returned if the process ends first, or is
// not ready when ctx ends; in the second case the process is killed.
func (p *Process) WaitReady(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := p.spec.Ready(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("%s ended before it was ready (%s)\n%s", p.spec.Name, p.ended(), p.Tail(10))
		case <-ctx.Done():
			_ = p.Kill()
			return fmt.Errorf("%s is not ready: %w\n%s", p.spec.Name, err, p.Tail(10))
		case <-tick.C:
		}
	}
}

// Running reports whether the process has been started and has not ended.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *Process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID returns the id of the process, or 0 if it has not been started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Done returns a channel that is closed when the current run ends. It is nil before the first run.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

func (p *Process) ended() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Kill sends SIGKILL and waits until the process has ended. It does nothing if the process is not
// running.
func (p *Process) Kill() error { return p.signalAndWait(syscall.SIGKILL) }

// Signal sends a signal without waiting for its effect. SIGSTOP freezes the process and SIGCONT
// resumes it.
func (p *Process) Signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return fmt.Errorf("%s is not running", p.spec.Name)
	}
	return p.cmd.Process.Signal(s)
}

func (p *Process) signalAndWait(s os.Signal) error {
	p.mu.Lock()
	running, done := p.running(), p.done
	var err error
	if running {
		err = p.cmd.Process.Signal(s)
	}
	p.mu.Unlock()
	if !running {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-done
	return nil
}

// Stop sends SIGTERM and waits until the process has ended. If ctx ends first, the process is
// killed. An error is returned if it had to be killed or exited with a status that is neither 0 nor
// the spec's StopStatus.
func (p *Process) Stop(ctx context.Context) error {
	p.mu.Lock()
	running, done := p.running(), p.done
	p.mu.Unlock()
	if !running {
		return nil
	}
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = p.Kill()
		return err
	}
	select {
	case <-done:
		var exit *exec.ExitError
		if p.err != nil && !(errors.As(p.err, &exit) && exit.ExitCode() == p.spec.StopStatus) {
			return fmt.Errorf("%s did not exit cleanly: %s\n%s", p.spec.Name, p.ended(), p.Tail(10))
		}
		return nil
	case <-ctx.Done():
		_ = p.Kill()
		return fmt.Errorf("%s did not stop and was killed\n%s", p.spec.Name, p.Tail(10))
	}
}

// Log returns what the current run has written to standard error so far.
func (p *Process) Log() string {
	p.mu.Lock()
	from := p.log
	p.mu.Unlock()
	data, err := os.ReadFile(p.LogFile())
	if err != nil || int64(len(data)) < from {
		return ""
	}
	return string(data[from:])
}

// Tail returns the last n lines of Log.
func (p *Process) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var probe = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// HTTPReady returns a function for Spec.Ready that requires status 200 from a URL such as
// http://127.0.0.1:8081/readyz.
func HTTPReady(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := probe.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(body))
	}
}
