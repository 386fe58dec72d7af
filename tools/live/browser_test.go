//go:build full

package live

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/deferpay/deferpay/tools/chromium"
)

// browser is a page of Chromium that keeps what goes wrong on it.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu      sync.Mutex
	faults  []string // errors and warnings of the console, exceptions
	foreign []string // requests to others than the server of the page
}

// openBrowser opens a page in a window of a size, after other actions. It skips the test where
// there is no Chromium.
func openBrowser(t *testing.T, url string, width, height int64, before ...chromedp.Action) *browser {
	t.Helper()
	path, err := chromium.Path()
	if err != nil {
		t.Skip(err)
	}
	profile, remove, err := chromium.Profile()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	// Chromium has no sandbox for root. It opens our own page alone.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("lang", "en"))
	ctx, kill := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(kill)
	ctx, _ = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	return openPage(t, ctx, url, width, height, before...)
}

// openPage opens a page in a new browser, or in the one of the context.
func openPage(t *testing.T, ctx context.Context, url string, width, height int64, before ...chromedp.Action) *browser {
	t.Helper()
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(ev any) { b.note(ev, url) })
	if err := chromedp.Run(ctx); err != nil { // starts the browser, which ends with this context
		t.Fatal(err)
	}
	b.run(network.Enable(), log.Enable(), runtime.Enable(), emulation.SetDeviceMetricsOverride(width, height, 1, width < 600))
	b.run(before...)
	b.run(chromedp.Navigate(url))
	b.wait("the page starts", `document.documentElement.dataset.ready === "true"`)
	return b
}

// another opens the same page once more in the same browser.
func (b *browser) another(t *testing.T) *browser {
	t.Helper()
	var url string
	b.eval("location.href", &url)
	ctx, stop := chromedp.NewContext(b.ctx)
	t.Cleanup(stop)
	return openPage(t, ctx, url, 1440, 900)
}

// forgive forgets what the browser has logged about answers that are no success.
func (b *browser) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = nil
}

func (b *browser) note(ev any, url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console %s: %v", e.Type, e.Args))
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		b.faults = append(b.faults, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, url) && !strings.HasPrefix(e.Request.URL, "data:") {
			b.foreign = append(b.foreign, e.Request.URL)
		}
	}
}

// clean fails the test if anything has gone wrong on the page.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Error(f)
	}
	for _, u := range b.foreign {
		b.t.Errorf("a request to %s", u)
	}
	b.faults, b.foreign = nil, nil
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval evaluates an expression of the page into a value.
func (b *browser) eval(expression string, into any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, into))
}

func (b *browser) text(id string) string {
	b.t.Helper()
	var out string
	b.eval(fmt.Sprintf("document.getElementById(%q).textContent", id), &out)
	return out
}

// wait waits until an expression is true.
func (b *browser) wait(what, expression string) {
	b.t.Helper()
	b.waitFor(what, expression, 45*time.Second)
}

func (b *browser) waitFor(what, expression string, in time.Duration) {
	b.t.Helper()
	end := time.Now().Add(in)
	for {
		var is bool
		b.eval("Boolean("+expression+")", &is)
		if is {
			return
		}
		if time.Now().After(end) {
			b.picture("failed")
			b.t.Fatalf("%s: not within %s; told %q", what, in, b.text("told"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *browser) click(selector string) {
	b.t.Helper()
	var found bool
	b.eval(fmt.Sprintf("(() => { const e = document.querySelector(%q); if (e) e.click(); return e !== null; })()", selector), &found)
	if !found {
		b.t.Fatalf("the page has no %s", selector)
	}
}

// pictures is the folder into which the tests write pictures of the page, if it is set. They are
// for looking at.
var pictures = os.Getenv("LIVE_PICTURES")

// picture writes what the window shows to a file.
func (b *browser) picture(name string) {
	b.t.Helper()
	if pictures == "" {
		return
	}
	var data []byte
	b.run(chromedp.CaptureScreenshot(&data))
	if err := os.WriteFile(filepath.Join(pictures, name+".png"), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
