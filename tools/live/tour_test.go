//go:build full

package live

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// rowsOfStep is the number of rows that each step of a pretended system adds.
const rowsOfStep = 4

// pretended is a system that plays each step at once.
type pretended struct {
	v *View

	mu     sync.Mutex
	played int
	events int // that a browser of the present run receives
}

func (p *pretended) state() {
	p.v.feed.SetState(map[string]any{"phase": "running", "restartable": true, "stage": map[string]any{"busy": "", "unavailable": map[string]string{},
		"frozen": []string{}, "down": []string{}, "cut": []string{}, "step": 0, "played": p.played, "playable": len(story.Steps()), "ahead": 0}})
}

func (p *pretended) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.PathValue("action") == "restart" {
		p.played = 0
		p.v.feed.Restart()
	} else if number, err := strconv.Atoi(r.URL.Query().Get("number")); err != nil || number != p.played+1 {
		http.Error(w, "{}", http.StatusConflict)
		return
	} else {
		p.played = number
		p.v.feed.Add("step", map[string]any{"number": number, "ended": false})
		for i := range rowsOfStep {
			p.v.feed.Add("record", map[string]any{"topic": "billing.log.v1", "log": true, "applied": true, "offset": number*rowsOfStep + i, "type": "PurchaseAccepted"})
		}
		p.v.feed.Add("step", map[string]any{"number": number, "ended": true})
		p.events += rowsOfStep + 2
	}
	p.state()
	w.WriteHeader(http.StatusAccepted)
}

// openPretended opens a page whose clock stands still, on a system that is pretended.
func openPretended(t *testing.T) (*browser, *pretended) {
	t.Helper()
	clock, err := os.ReadFile("testdata/clock.js")
	if err != nil {
		t.Fatal(err)
	}
	p := &pretended{v: New()}
	p.state()
	mux := http.NewServeMux()
	mux.Handle("POST /do/{action}", p)
	mux.Handle("/", p.v.Handler(""))
	server := httptest.NewServer(mux)
	b := openBrowser(t, server.URL+"/", 1440, 900, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(string(clock)).Do(ctx)
		return err
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return b, p
}

// moment is what the page shows when it presses a button, or at the end of the time it was given.
type moment struct {
	Pressed               bool
	Now, LastRow, Closest float64 // in milliseconds
	Count, Title, Why     string
	Tour                  string // label of the button
}

// untilPress waits until the page has received everything, and moves its clock.
func (b *browser) untilPress(p *pretended, most time.Duration) (m moment) {
	b.t.Helper()
	b.wait("what was pressed is answered", "test.answered === test.presses")
	p.mu.Lock()
	played, events := p.played, p.events
	p.mu.Unlock()
	b.wait("the page has received everything", fmt.Sprintf("test.received === %d && test.state.stage?.played === %d", events, played))
	b.eval(fmt.Sprintf("test.untilPress(%d)", most.Milliseconds()), &m)
	return m
}

// Bounds of the normal pace. Subtitles of a film have up to 17 letters a second.
const (
	lettersASecond = 17
	longestStep    = 40 * time.Second
	longestTour    = 15 * time.Minute
	betweenRows    = 400 // milliseconds
)

// TestTourAtNormalPace plays the tour on a clock of the test, in the full form in both languages.
// Each step must be shown with its texts, row after row, and stand long enough to be read.
func TestTourAtNormalPace(t *testing.T) {
	for _, lang := range fulltest.Choose([]string{"en"}, []string{"en", "fr"}) {
		t.Run(lang, func(t *testing.T) {
			b, p := openPretended(t)
			if lang == "fr" {
				b.click("#language")
			}
			b.wait("the page has the state", `test.state.stage`)
			b.click("#tour")
			all := textsIn(t, lang)
			total := b.playAll(p, lang, all)
			if t.Logf("the tour takes %s", total.Round(time.Second)); total > longestTour {
				t.Errorf("the tour takes %s, at most %s", total, longestTour)
			}
			b.startAgainByTour(p, lang, all)
			b.clean()
		})
	}
}

// textsIn returns the texts of the steps in a language.
func textsIn(t *testing.T, lang string) (out []story.Text) {
	t.Helper()
	both, err := Texts()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range both {
		out = append(out, map[string]story.Text{"en": s.EN, "fr": s.FR}[lang])
	}
	return out
}

// playAll follows the tour from the first step to the last one, and returns how long it takes.
func (b *browser) playAll(p *pretended, lang string, all []story.Text) time.Duration {
	b.t.Helper()
	before := 0.0
	for i, text := range all {
		m := b.untilPress(p, longestStep)
		b.isStep(m, i+1, lang, text)
		if i+1 == len(all) {
			break
		}
		if !m.Pressed {
			b.t.Fatalf("step %d is still shown after %s", i+1, longestStep)
		}
		reading := time.Duration(len([]rune(text.Title+text.Why))) * time.Second / lettersASecond
		if stands := time.Duration(m.Now-m.LastRow) * time.Millisecond; stands < reading {
			b.t.Errorf("step %d stands %s after its last row, and reading it takes %s", i+1, stands, reading)
		}
		if m.LastRow-before < (rowsOfStep-1)*betweenRows || m.Closest < betweenRows {
			b.t.Errorf("step %d: two rows come %.0f ms apart, want at least %d", i+1, m.Closest, betweenRows)
		}
		before = m.Now
	}
	return time.Duration(before) * time.Millisecond
}

// isStep checks that the page shows a step with its texts.
func (b *browser) isStep(m moment, number int, lang string, text story.Text) {
	b.t.Helper()
	count := fmt.Sprintf("Step %d of %d", number, len(story.Steps()))
	if lang == "fr" {
		count = fmt.Sprintf("Étape %d sur %d", number, len(story.Steps()))
	}
	if m.Count != count || m.Title != text.Title || m.Why != text.Why {
		b.t.Errorf("step %d is shown as %q, %q, %q, want %q, %q, %q", number, m.Count, m.Title, m.Why, count, text.Title, text.Why)
	}
}

// startAgainByTour plays the first steps again after the last one, with a pause.
func (b *browser) startAgainByTour(p *pretended, lang string, all []story.Text) {
	b.t.Helper()
	if m := b.untilPress(p, time.Minute); m.Pressed || m.Tour != map[string]string{"en": "Tour from the start", "fr": "Revoir la visite"}[lang] {
		b.t.Fatalf("after the last step: %+v", m)
	}
	p.mu.Lock()
	p.events = 0
	p.mu.Unlock()
	b.eval("test.received = 0; test.presses = test.answered = 0; test.newest = 0", nil)
	b.click("#tour")
	b.wait("the tour begins again", "test.answered === 2")
	m := b.untilPress(p, longestStep)
	b.isStep(m, 1, lang, all[0])
	b.click("#tour")
	if m := b.untilPress(p, 10*time.Minute); m.Pressed {
		b.t.Error("the tour goes on in the pause")
	}
	b.click("#tour")
	m = b.untilPress(p, longestStep)
	b.isStep(m, 3, lang, all[2])
}
