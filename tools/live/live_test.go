//go:build full

package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	// The services and the broker are built and started. They are imported so that go test does not
	// reuse a cached result after they have changed.
	"github.com/deferpay/deferpay/tools/cluster"
	_ "github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/live/link"
	"github.com/deferpay/deferpay/tools/process"
)

// startSystem starts a system and shows it in a view, which can replace it by another one.
func startSystem(t *testing.T, v *View) {
	t.Helper()
	stop, bin, err := startOne(t, v, "")
	if err != nil {
		t.Fatal(err)
	}
	v.Restart = func() error {
		if err := stop(); err != nil {
			return err
		}
		stop, _, err = startOne(t, v, bin)
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// startOne starts a system with the binaries of a folder, or with new ones, and shows it.
func startOne(t *testing.T, v *View, bin string) (stop func() error, bins string, err error) {
	root, err := process.Root()
	if err != nil {
		return nil, "", err
	}
	links := link.New()
	c, err := cluster.Start(t.Context(), cluster.Options{Dir: t.TempDir(), Bin: bin, Link: links.Connect})
	if err != nil {
		links.Close()
		return nil, "", err
	}
	stop = func() error {
		v.Detach()
		defer links.Close()
		return c.Stop()
	}
	if _, err := v.Attach(System{Cluster: c, Network: links, Specs: filepath.Join(root, "specs")}); err != nil {
		return nil, "", errors.Join(err, stop())
	}
	return stop, filepath.Join(c.Dir, "bin"), nil
}

// openView serves a view and opens it in a browser.
func openView(t *testing.T, v *View) *browser {
	t.Helper()
	server := httptest.NewServer(v.Handler(""))
	b := openBrowser(t, server.URL+"/", 1440, 900)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return b
}

// TestLiveView plays the whole story and every fault in a browser that was there before the system.
func TestLiveView(t *testing.T) {
	fulltest.Only(t, "it plays the story in a browser")
	v := New()
	b := openView(t, v)
	b.wait("the page shows that the system starts", `document.getElementById("phase").dataset.phase === "starting"`)
	b.accessible("before the system")
	startSystem(t, v)
	b.wait("the system runs", `document.getElementById("phase").dataset.phase === "running"`)
	for _, part := range []struct {
		name string
		play func(*browser)
	}{{"tour", playTour}, {"two tours", playTwoTours}, {"scenes", playScenes}, {"instances", harmInstances}, {"path", followPath}, {"story", playStory}, {"looks", looks}, {"again", startAgain}} {
		if !t.Run(part.name, func(t *testing.T) {
			b.t = t
			part.play(b)
			b.clean()
		}) {
			return
		}
		b.t = t
	}
}

// playTour lets the tour play the first steps and pauses it.
func playTour(b *browser) {
	b.eval(`(() => { const s = document.getElementById("speed"); s.value = "3"; s.dispatchEvent(new Event("change")); })()`, nil)
	b.click("#tour")
	b.wait("the tour plays the fifth step", `document.getElementById("count").textContent.startsWith("Step 5 ")`)
	if got := b.text("title"); got != "It buys 1,200.00 EUR on billing-1" {
		b.t.Errorf("the title of step 5 is %q", got)
	}
	b.picture("tour")
	b.click("#tour")
	b.wait("the purchase is shown everywhere", `["billing-http", "billing-log", "billing-events"].every((id) => document.getElementById(id).textContent.includes("BOP-1-1"))`)
	b.wait("the gauge shows the purchase", `document.getElementById("contracts").textContent.includes("1,200.00 of 5,000.00 EUR")`)
	b.idle()
}

// playTwoTours starts the tour in two browsers at once. They play one story together.
func playTwoTours(b *browser) {
	const last = 9
	b.eval(`window.begun = []; new EventSource("events").addEventListener("events", (m) => {
		for (const e of JSON.parse(m.data)) if (e.kind === "step" && !e.body.ended) window.begun.push(e.body.number);
	})`, nil)
	other := b.another(b.t)
	for _, x := range []*browser{b, other} {
		x.eval(`(() => { const s = document.getElementById("speed"); s.value = "3"; s.dispatchEvent(new Event("change")); })()`, nil)
		x.click("#tour")
	}
	for _, x := range []*browser{b, other} {
		x.wait("both pages show the same story", fmt.Sprintf(`/^Step (%d|%d) /.test(document.getElementById("count").textContent)`, last, last+1))
		x.click("#tour")
	}
	b.idle()
	var twice bool
	b.eval("new Set(begun).size !== begun.length || begun.some((n, i) => n !== i + 1)", &twice)
	if twice {
		b.t.Error("a step was played twice, or out of turn")
	}
	// a story that is started while another one runs is refused, and the page says so
	b.eval(`window.statuses = null; Promise.all([12, 13].map((n) => fetch("do/step?number=" + n, { method: "POST" }))).then((a) => { window.statuses = a.map((x) => x.status).sort().join(" "); })`, nil)
	b.wait("both are answered", "window.statuses")
	var statuses string
	b.eval("window.statuses", &statuses)
	if statuses != "202 409" {
		b.t.Errorf("two stories at once: %s, want 202 and 409", statuses)
	}
	b.wait("one of them is played", `document.querySelectorAll("#steps .done").length >= 12`)
	b.idle()
	b.forgive()
	other.forgive() // the refused presses of its tour
	other.clean()
	b.run(page.BringToFront())
}

// startAgain replaces the system after the story, and another time in the middle of a step.
func startAgain(b *browser) {
	b.eval(`(() => { const s = document.getElementById("speed"); s.value = "3"; s.dispatchEvent(new Event("change")); })()`, nil)
	if got := b.text("tour"); got != "Tour from the start" && got != "Revoir la visite" {
		b.t.Errorf("after the story the tour is called %q", got)
	}
	b.click("#tour")
	b.waitFor("the tour begins again", `/ 2 (of|sur) /.test(document.getElementById("count").textContent)`, time.Minute)
	b.click("#tour")
	var old bool
	b.eval(`document.getElementById("contracts").textContent.includes("CE-LIVE-") || document.querySelectorAll("#steps .done").length > 3`, &old)
	if old {
		b.t.Error("something of the former system is still shown")
	}
	b.idle()
	b.click(`#steps [data-step="13"]`)
	b.wait("the step is being played", `document.querySelector("#steps .now")`)
	b.click("#restart")
	b.waitFor("the system starts again", `document.getElementById("phase").dataset.phase === "starting"`, 20*time.Second)
	b.waitFor("it runs", `document.getElementById("phase").dataset.phase === "running" && !document.querySelector("#steps .done, #steps .now, .item")`, time.Minute)
	if told := b.text("told"); strings.Contains(told, "Failed") || strings.Contains(told, "Échec") {
		b.t.Errorf("after the new start: %q", told)
	}
	b.scene("buy")
}

// idle waits until no action runs.
func (b *browser) idle() {
	b.t.Helper()
	b.wait("the action ends", `document.querySelector('[data-action="buy"]').getAttribute("aria-disabled") !== "true"`)
}

// scene presses the button of a scene and waits until it has been played well.
func (b *browser) scene(name string) {
	b.t.Helper()
	b.idle()
	b.click(fmt.Sprintf(`#scenes [data-action=%q]`, name))
	b.wait("the scene "+name+" is told", fmt.Sprintf(`document.getElementById("told").textContent.includes(document.querySelector('#scenes [data-action=%q]').textContent)`, name))
	b.wait("the scene "+name+" ends", `/ Done\.$|Failed|Busy/.test(document.getElementById("told").textContent)`)
	if told := b.text("told"); !strings.HasSuffix(told, "Done.") {
		b.t.Fatalf("%s: %s", name, told)
	}
	b.idle()
}

// has waits until a list has a row with a text.
func (b *browser) has(list, text string) {
	b.t.Helper()
	b.wait(list+" shows "+text, fmt.Sprintf(`[...document.querySelectorAll("#%s .item")].some((e) => e.textContent.includes(%q))`, list, text))
}

func playScenes(b *browser) {
	if got := b.pressTwice(); got != "202 409" {
		b.t.Errorf("a button pressed twice at once: %s, want 202 and 409", got)
	}
	b.scene("lost")
	b.has("billing-http", "answer lost")
	b.has("billing-http", "replayed")
	b.picture("lost")
	b.scene("twins")
	b.scene("race")
	b.has("billing-http", "CEILING_EXCEEDED")
	b.picture("race")
	b.scene("replay")
	b.has("contract-facts", "again, same id")
	b.scene("poison")
	b.has("contract-facts", "cannot be decoded")
	b.has("dead-letters", "billing.dlq")
	b.scene("rush")
	b.wait("a void record is shown with the reason", `[...document.querySelectorAll("#billing-log .void .why")].some((e) => e.textContent.includes(" already"))`)
	b.picture("rush")
}

// pressTwice sends what a double click sends, and returns both statuses.
func (b *browser) pressTwice() string {
	var statuses []int
	b.eval(`window.pressed = null; Promise.all([1, 2].map(() => fetch("do/buy", { method: "POST" }))).then((a) => { window.pressed = a.map((x) => x.status).sort(); })`, nil)
	b.wait("both presses are answered", "window.pressed")
	b.eval("window.pressed", &statuses)
	b.forgive()
	b.wait("the purchase ends", `/^A purchase.*Done\.$/.test(document.getElementById("told").textContent)`)
	return strings.Trim(fmt.Sprint(statuses), "[]")
}

// harm presses a button of an instance and waits for what becomes of it.
func (b *browser) harm(instance, action, becomes string) {
	b.t.Helper()
	b.idle()
	card := fmt.Sprintf(`[...document.querySelectorAll(".instance")].find((e) => e.querySelector("b").textContent === %q)`, instance)
	b.wait("the card of "+instance, card)
	b.eval(fmt.Sprintf(`%s.querySelector('[data-action=%q]').click()`, card, action), nil)
	b.wait(instance+" is "+becomes, fmt.Sprintf(`%s.dataset.how === %q`, card, becomes))
	b.idle()
	if told := b.text("told"); strings.Contains(told, "Failed") {
		b.t.Errorf("%s %s: %s", action, instance, told)
	}
}

func harmInstances(b *browser) {
	b.harm("billing-1", "kill", "down")
	b.scene("buy") // the other instance decides
	b.harm("billing-1", "back", "ready")
	b.harm("billing-2", "freeze", "frozen")
	b.scene("buy")
	b.picture("frozen")
	b.harm("billing-2", "back", "ready")
	b.harm("billing-1", "cut", "cutOff")
	b.scene("buy")
	b.harm("billing-1", "back", "ready")
	b.harm("contract-1", "stop", "down")
	b.scene("buy") // billing never calls contract
	b.harm("contract-1", "back", "ready")
}

// followPath follows a purchase from an instance that is killed before its answer arrives to the
// other one, which answers the retry.
func followPath(b *browser) {
	b.scene("crash")
	b.wait("billing-1 is not running", `[...document.querySelectorAll(".instance")].some((e) => e.dataset.how === "down" && e.textContent.includes("billing-1"))`)
	b.eval(`[...document.querySelectorAll("#billing-http .item")].find((e) => e.textContent.includes("replayed")).querySelector("button").click()`, nil)
	// the killed instance may have been the one that publishes
	b.wait("the path grows to the event", `document.getElementById("path").open && document.querySelector("#path-picture .event")`)
	var kinds map[string]int
	b.eval(`(() => { const out = {}; for (const g of document.querySelectorAll("#path-picture .step")) { const k = g.classList[1]; out[k] = (out[k] || 0) + 1; } return out; })()`, &kinds)
	if kinds["http"] != 2 || kinds["lost"] != 1 || kinds["harm"] != 1 || kinds["back"] != 1 || kinds["append"] != 1 || kinds["event"] < 1 {
		b.t.Errorf("the path has the arrows %v, want two requests, a lost answer, a kill, an answer, a record and an event", kinds)
	}
	var order []string
	b.eval(`[...document.querySelectorAll("#path-picture .step")].map((g) => g.getAttribute("aria-label")).filter((l) => /client →|→ client|killed/.test(l)).map((l) => l.replace(/:.*(killed|POST|lost|201).*/, " $1"))`, &order)
	if want := []string{"client → billing-1 POST", "billing-1 → client lost", "billing-1 → billing-1 killed", "client → billing-2 POST", "billing-2 → client 201"}; !slices.Equal(order, want) {
		b.t.Errorf("the path goes %q, want %q", order, want)
	}
	b.eval(`[...document.querySelectorAll("#path-picture .harm")].at(0).dispatchEvent(new Event("click"))`, nil)
	if got := b.text("path-detail"); !strings.Contains(got, "ends at once") {
		b.t.Errorf("the detail of the kill is %q", got)
	}
	var traces int
	b.eval(`document.querySelectorAll("#path-trace code").length`, &traces)
	if traces != 2 {
		b.t.Errorf("the path has %d traces, want those of both requests", traces)
	}
	b.picture("path")
	b.accessible("the path")
	b.click("#path-close")
	b.harm("billing-1", "back", "ready")
	b.eval(`[...document.querySelectorAll("#contract-facts .item")].find((e) => e.textContent.includes("ContractActivated")).querySelector("button").click()`, nil)
	b.wait("the path of a fact ends in the log of the other service", `[...document.querySelectorAll("#path-picture .step.append text")].some((e) => e.textContent.includes("ContractObserved"))`)
	b.picture("path-fact")
	b.click("#path-close")
}

// playStory plays the rest of the story, in spite of a fault that it has to undo first.
func playStory(b *browser) {
	b.harm("billing-1", "freeze", "frozen")
	b.click(`#steps [data-step="31"]`)
	b.waitFor("the story is played", `document.querySelectorAll("#steps .done").length === 31`, 3*time.Minute)
	b.wait("the last step is shown", `document.getElementById("count").textContent === "Step 31 of 31"`)
	b.idle()
	b.scene("month")
	b.has("billing-events", "InvoiceIssued")
	b.picture("played")
}

// looks checks the page in both sizes, languages and themes.
func looks(b *browser) {
	for _, width := range []int64{1440, 390} {
		b.run(emulation.SetDeviceMetricsOverride(width, 900, 1, width < 600))
		for _, theme := range []string{"light", "dark"} {
			b.eval(fmt.Sprintf(`if (document.documentElement.dataset.theme !== %q) document.getElementById("theme").click()`, theme), nil)
			name := fmt.Sprintf("%d-%s", width, theme)
			b.picture(name)
			b.accessible(name)
			var over int64
			b.eval(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over)
			if over > 0 {
				b.t.Errorf("%s: the page is %d pixels wider than the window", name, over)
			}
		}
		b.click("#language")
	}
	if got := b.text("count"); !strings.HasPrefix(got, "Step ") {
		b.t.Errorf("after two changes of the language: %q", got)
	}
}

// TestPortrait writes the picture of the README to the file that LIVE_PORTRAIT names: a part of the
// story, a race with its void record, and a frozen instance.
func TestPortrait(t *testing.T) {
	file := os.Getenv("LIVE_PORTRAIT")
	if file == "" {
		t.Skip("LIVE_PORTRAIT names no file")
	}
	v := New()
	b := openView(t, v)
	b.run(emulation.SetDeviceMetricsOverride(1360, 860, 1, false))
	startSystem(t, v)
	b.wait("the system runs", `document.getElementById("phase").dataset.phase === "running"`)
	b.idle()
	b.click(`#steps [data-step="7"]`)
	b.wait("the steps are played", `document.querySelectorAll("#steps .done").length === 7`)
	for range 20 { // until both decide before either record is read back
		b.scene("race")
		var void bool
		if b.eval(`[...document.querySelectorAll("#billing-log .item")].slice(0, 3).some((e) => e.classList.contains("void"))`, &void); void {
			break
		}
	}
	b.wait("everything is published and taken in", `!document.querySelector(".flow .warn")`)
	var idle string // the instance that does not publish
	b.eval(`[...document.querySelectorAll("#billing-instances .instance")].find((e) => e.querySelector(".pub").hidden).querySelector("b").textContent`, &idle)
	b.harm(idle, "freeze", "frozen")
	b.wait("the read models are up to date, and nothing moves", `document.querySelector("#contracts .sum").textContent.startsWith("3,000.00") && !document.getAnimations().length && !document.querySelector(".flow .warn")`)
	var data []byte
	b.run(chromedp.CaptureScreenshot(&data))
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReconnects takes the server away while things happen.
func TestReconnects(t *testing.T) {
	v := New()
	v.feed.Add("record", map[string]any{"topic": "billing.log.v1", "offset": 1, "type": "First", "log": true, "applied": true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	server := &http.Server{Handler: v.Handler(addr)}
	go func() { _ = server.Serve(l) }()
	b := openBrowser(t, "http://"+addr+"/", 1440, 900)
	b.has("billing-log", "First")
	b.clean()
	_ = server.Close()
	b.wait("the page shows that the server is away", `document.getElementById("phase").dataset.phase === "away"`)
	v.feed.Add("record", map[string]any{"topic": "billing.log.v1", "offset": 2, "type": "Missed", "log": true, "applied": true})
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	server = &http.Server{Handler: v.Handler(addr)}
	defer server.Close()
	go func() { _ = server.Serve(l) }()
	b.has("billing-log", "Missed")
	b.has("billing-log", "First")
	b.wait("the page says what it has missed", `document.getElementById("toast").textContent === "Connected again. 1 events happened meanwhile."`)
	var marked int
	b.eval(`document.querySelectorAll("#billing-log .missed").length`, &marked)
	if marked != 1 {
		t.Errorf("%d rows are marked as missed, want 1", marked)
	}
}

// TestManyEvents sends more than 200 events a second. The page must stay responsive.
func TestManyEvents(t *testing.T) {
	fulltest.Only(t, "it fills the page for six seconds")
	v := New()
	b := openView(t, v)
	b.eval(`(() => {
		window.slowest = 0;
		let last = performance.now();
		setInterval(() => { const now = performance.now(); window.slowest = Math.max(window.slowest, now - last); last = now; }, 20);
	})()`, nil)
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; <-tick.C {
			for range 5 {
				n++
				v.feed.Add("record", map[string]any{"topic": []string{"billing.log.v1", "billing.events.v1"}[n%2], "offset": n, "type": "PurchaseAccepted",
					"log": n%2 == 0, "applied": n%4 == 0, "attempt": fmt.Sprint(n), "expects": []any{map[string]any{"stream": "contract/CTR-1", "offset": n - 1, "met": n%4 == 0, "last": n}}})
			}
		}
	})
	time.Sleep(6 * time.Second)
	b.click("#language")
	b.wait("the page answers a click", `document.documentElement.lang === "fr"`)
	stop()
	sending.Wait()
	b.wait("the last rows are shown", fmt.Sprintf(`document.querySelector("#billing-log .offset").textContent.slice(1) > %d`, 1200))
	var slowest float64
	var rows int
	b.eval("window.slowest", &slowest)
	b.eval(`document.querySelectorAll(".item").length`, &rows)
	if slowest > 700 {
		t.Errorf("the page stood still for %.0f ms", slowest)
	}
	if rows > 60 {
		t.Errorf("the page has %d rows, want at most 30 in each list", rows)
	}
	b.clean()
}
