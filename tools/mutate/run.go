package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/fulltest"
)

// Verdict is what became of a mutation.
type Verdict string

// The verdicts. Only a caught mutation is as it should be.
const (
	Caught        Verdict = "caught"
	Survived      Verdict = "survived"
	NotApplicable Verdict = "not applicable"
	DoesNotBuild  Verdict = "does not build"
	NoTest        Verdict = "no test"
)

// result is a verdict and what led to it.
type result struct {
	Mutation
	verdict Verdict
	by      string // the test that caught it
	detail  string // why it was not caught, or the output of the test
	took    time.Duration
}

type runner struct {
	root     string
	parallel int
	timeout  time.Duration
	verbose  bool
	out      io.Writer

	mu       sync.Mutex
	controls map[Test]func() (time.Duration, error)
}

// all tests the mutations and returns the exit status.
func (r *runner) all(ctx context.Context, list []Mutation) int {
	r.controls = map[Test]func() (time.Duration, error){}
	results := make(chan result)
	places := make(chan struct{}, r.parallel)
	var workers sync.WaitGroup
	go func() {
		for _, m := range list {
			places <- struct{}{}
			workers.Go(func() {
				defer func() { <-places }()
				results <- r.one(ctx, m)
			})
		}
		workers.Wait()
		close(results)
	}()
	count := map[Verdict]int{}
	done := 0
	for res := range results {
		if ctx.Err() != nil {
			continue // what an interrupted test says means nothing
		}
		done++
		count[res.verdict]++
		r.report(res, done, len(list))
	}
	if ctx.Err() != nil {
		fmt.Fprintf(r.out, "mutate: interrupted after %d of %d\n", done, len(list))
		return 130
	}
	return r.sum(count, len(list))
}

func (r *runner) report(res result, done, of int) {
	by := ""
	if res.by != "" {
		by = " by " + res.by
	}
	fmt.Fprintf(r.out, "%*d/%d %-14s %-4s %s%s (%.1f s)\n", len(fmt.Sprint(of)), done, of, res.verdict, res.Property(), res.Name, by, res.took.Seconds())
	if res.verdict != Caught {
		fmt.Fprintf(r.out, "    rule: %s\n    test: %s\n", res.Rule, res.Test)
	}
	if res.detail != "" && (res.verdict != Caught || r.verbose) {
		fmt.Fprintf(r.out, "    %s\n", strings.ReplaceAll(strings.TrimSpace(res.detail), "\n", "\n    "))
	}
}

func (r *runner) sum(count map[Verdict]int, of int) int {
	fmt.Fprintf(r.out, "mutate: %d mutations", of)
	for _, v := range []Verdict{Caught, Survived, NotApplicable, DoesNotBuild, NoTest} {
		if count[v] > 0 || v == Caught {
			fmt.Fprintf(r.out, ", %d %s", count[v], v)
		}
	}
	fmt.Fprintln(r.out)
	if count[Caught] == of {
		return 0
	}
	return 1
}

// one tests a mutation.
func (r *runner) one(ctx context.Context, m Mutation) result {
	began := time.Now()
	res := result{Mutation: m}
	mutated, err := m.Apply(r.root)
	if err != nil {
		res.verdict, res.detail = NotApplicable, err.Error()
	} else if usually, err := r.control(ctx, m.Test); err != nil {
		res.verdict, res.detail = NoTest, err.Error()
	} else {
		r.judge(ctx, &res, mutated, usually)
	}
	res.took = time.Since(began)
	return res
}

// control runs a test without a mutation, once, and returns how long it takes. An error is returned
// unless it runs and passes.
func (r *runner) control(ctx context.Context, t Test) (time.Duration, error) {
	r.mu.Lock()
	once, found := r.controls[t]
	if !found {
		once = sync.OnceValues(func() (time.Duration, error) {
			switch o, err := r.test(ctx, t, 10*time.Minute); {
			case err != nil:
				return 0, err
			case len(o.failed) > 0 || o.unbuilt || o.ended:
				return 0, fmt.Errorf("it fails without a mutation:\n%s", o.text)
			case o.ran == 0:
				return 0, errors.New("the pattern matches no test")
			default:
				return o.took, nil
			}
		})
		r.controls[t] = once
	}
	r.mu.Unlock()
	return once()
}

// patience is how many times what a test takes without a mutation it may take with one. A mutation
// that makes it hang is caught then; a slow machine alone is not taken for that.
const patience = 10

func (r *runner) judge(ctx context.Context, res *result, mutated string, usually time.Duration) {
	overlay, remove, err := r.overlay(res.File, mutated)
	if err != nil {
		res.verdict, res.detail = NotApplicable, err.Error()
		return
	}
	defer remove()
	limit := max(r.timeout, (patience * usually).Round(time.Second))
	o, err := r.test(ctx, res.Test, limit, "-overlay="+overlay)
	switch {
	case err != nil:
		res.verdict, res.detail = NoTest, err.Error()
	case o.unbuilt:
		res.verdict, res.detail = DoesNotBuild, o.text
	case o.timedOut:
		res.verdict, res.by, res.detail = Caught, fmt.Sprintf("a timeout of %s", limit), o.text
	case len(o.failed) > 0:
		res.verdict, res.by, res.detail = Caught, o.failed[0], o.text
	case o.ended:
		res.verdict, res.by, res.detail = Caught, "the end of the test program", o.text
	default:
		res.verdict = Survived
	}
}

// overlay writes a file that makes go test read the mutated text instead of the file.
func (r *runner) overlay(name, mutated string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	root, err := filepath.Abs(r.root)
	if err != nil {
		return "", remove, err
	}
	source, path := filepath.Join(dir, filepath.Base(name)), filepath.Join(dir, "overlay.json")
	replace := map[string]map[string]string{"Replace": {filepath.Join(root, filepath.FromSlash(name)): source}}
	data, err := json.Marshal(replace)
	if err == nil {
		err = errors.Join(os.WriteFile(source, []byte(mutated), 0o600), os.WriteFile(path, data, 0o600))
	}
	return path, remove, err
}

// observed is what go test reported.
type observed struct {
	ran      int      // tests, without their subtests
	failed   []string // tests, without their subtests
	took     time.Duration
	unbuilt  bool
	ended    bool // the program failed and no test did
	timedOut bool
	text     string
}

// test runs go test, for so long at most. An error is returned if it could not be run.
func (r *runner) test(ctx context.Context, t Test, limit time.Duration, flags ...string) (observed, error) {
	module, pkg := moduleOf(r.root, t.Package)
	args := append([]string{"test", "-json", "-count=1", "-vet=off", "-failfast", "-timeout=" + limit.String(), "-run=" + t.Run}, flags...)
	env := append(os.Environ(), "RAPID_NOFAILFILE=true") // rapid would write into the work tree
	if t.Full {
		args, env = append(args, "-tags="+fulltest.Tag), append(env, fulltest.Variable+"=1")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Env = env
	cmd.Dir = module
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return observed{}, err
	}
	o, reported := observe(out)
	if !reported {
		return o, fmt.Errorf("go test: %w\n%s", err, stderr.String())
	}
	return o, nil
}

// moduleOf returns the folder of the module that a package belongs to, and the package as it is
// named there. It is the root if the package is in no module below it.
func moduleOf(root, pkg string) (module, name string) {
	for dir := path.Clean(pkg); dir != "." && dir != "/"; dir = path.Dir(dir) {
		at := filepath.Join(root, filepath.FromSlash(dir))
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, "." + strings.TrimPrefix(path.Clean(pkg), dir)
		}
	}
	return root, pkg
}

// event is a line of go test -json, or of the build before it.
type event struct {
	Action      string
	Test        string
	Output      string
	FailedBuild string
	Elapsed     float64 // seconds
}

// observe reads what go test -json printed. It reports false if that is not a report.
func observe(out []byte) (o observed, ok bool) {
	var text strings.Builder
	failed := false
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		ok = true
		text.WriteString(e.Output)
		top := e.Test != "" && !strings.Contains(e.Test, "/")
		switch {
		case e.Action == "build-fail" || e.FailedBuild != "":
			o.unbuilt = true
		case e.Action == "run" && top:
			o.ran++
		case e.Action == "fail" && top && !slices.Contains(o.failed, e.Test):
			o.failed = append(o.failed, e.Test)
		case e.Action == "fail" && e.Test == "":
			failed = true
		case e.Action == "pass" && e.Test == "":
			o.took = time.Duration(e.Elapsed * float64(time.Second))
		}
		o.timedOut = o.timedOut || strings.HasPrefix(e.Output, "panic: test timed out")
	}
	o.ended = failed && len(o.failed) == 0 && !o.unbuilt
	o.text = tail(text.String())
	return o, ok
}

// tail returns the last lines of what was printed.
func tail(text string) string {
	const most = 40
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
