// Package process builds and controls the project's processes from outside: start, wait until
// ready, stop, kill, start again, logs in files. The demo and the system tests use it; services do
// not.
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

// Root is the folder of the module that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory: run this from a clone of the repository")
		}
		dir = parent
	}
}

// Build compiles commands (paths in the module, as "./tools/devkafka") into dir, all in one go,
// without cgo and without debug tables: from nothing, most of the time goes into what they share.
// It takes what `go run` has compiled already, so no other flags. Race builds with the race
// detector, which needs cgo.
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

// FreePorts gives n addresses on the loopback that nobody listens on at the moment.
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

// Spec says what to run.
type Spec struct {
	Name   string // in messages, and of the log file
	Path   string
	Args   []string
	Env    []string // added to this process's own
	LogDir string   // NAME.out and NAME.log (standard error) are appended to
	// Tee, when not nil, is given standard error too. Several processes may share one.
	Tee io.Writer
	// StopStatus is an exit status that is as good as 0 after Stop: a JVM that was asked to end and
	// did in good order ends with 143.
	StopStatus int
	// Ready is asked until it returns nil; without it the process is ready once started.
	Ready func(context.Context) error
}

// Process is one process, or what is left of it. Its methods are safe for concurrent use.
type Process struct {
	spec Spec

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	err  error         // why it ended; to be read once done is closed
	log  int64         // where the current run's log begins
}

// New describes a process that is not started yet.
func New(spec Spec) *Process { return &Process{spec: spec} }

// Name is the spec's.
func (p *Process) Name() string { return p.spec.Name }

// LogFile is where its standard error goes.
func (p *Process) LogFile() string { return filepath.Join(p.spec.LogDir, p.spec.Name+".log") }

// OutFile is where its standard output goes.
func (p *Process) OutFile() string { return filepath.Join(p.spec.LogDir, p.spec.Name+".out") }

// Launch starts the process and does not wait for it to be ready.
func (p *Process) Launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s is running already", p.spec.Name)
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

// Start launches the process and waits until it is ready. When that fails the process is dead and
// the error ends with its last lines.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	return p.WaitReady(ctx)
}

// WaitReady waits for the spec's Ready. A process that ends meanwhile, or is not ready when the
// context ends, is killed and an error.
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

// Running says whether the process has been started and not ended.
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

// PID is the process's id; 0 when it has not been started.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Done is closed when the current run has ended; nil before the first.
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

// Kill ends the process with SIGKILL and waits until it is gone. One that is not running is fine.
func (p *Process) Kill() error { return p.signalAndWait(syscall.SIGKILL) }

// Signal sends a signal and does not wait; SIGSTOP and SIGCONT freeze and wake it.
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

// Stop asks the process to end, and kills it when it has not before the context ended. It is an
// error when it had to be killed, or ended with another status than 0.
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
			return fmt.Errorf("%s stopped badly: %s\n%s", p.spec.Name, p.ended(), p.Tail(10))
		}
		return nil
	case <-ctx.Done():
		_ = p.Kill()
		return fmt.Errorf("%s did not stop and was killed\n%s", p.spec.Name, p.Tail(10))
	}
}

// Log is what the current run wrote on standard error so far.
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

// Tail is the last n lines of Log.
func (p *Process) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

var probe = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// HTTPReady is a Ready that wants status 200 of a URL, as http://127.0.0.1:8081/readyz.
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
