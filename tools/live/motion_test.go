//go:build full

package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/deferpay/deferpay/tools/fulltest"
)

// TestReducedMotion shows the same with and without the wish for reduced motion. With it nothing
// may move; without it everything that can move must, or the test would see nothing.
func TestReducedMotion(t *testing.T) {
	fulltest.Only(t, "it opens two browsers")
	for _, wish := range []string{"no-preference", "reduce"} {
		t.Run(wish, func(t *testing.T) {
			v := New()
			b := openView(t, v)
			b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: wish}}))
			b.eval(`(() => {
				window.moved = {};
				for (const kind of ["animationstart", "transitionrun"]) document.addEventListener(kind, () => { moved[kind] = true; }, true);
				const animate = Element.prototype.animate;
				Element.prototype.animate = function (...how) { moved.animate = true; return animate.apply(this, how); };
			})()`, nil)
			for i := range 3 {
				attempt := fmt.Sprint("a", i)
				v.feed.Add("record", map[string]any{"topic": "billing.log.v1", "offset": i, "type": "PurchaseAccepted", "log": true, "applied": true, "attempt": attempt})
				b.has("billing-log", fmt.Sprintf("@%d", i))
				v.feed.Add("record", map[string]any{"topic": "billing.events.v1", "offset": i, "type": "OperationAccepted", "from": attempt})
				b.has("billing-events", fmt.Sprintf("@%d", i))
				v.feed.SetState(map[string]any{"phase": "running", "seen": map[string]any{"contracts": []any{map[string]any{"ref": "CTR-1", "customer": "CE",
					"views": []any{map[string]any{"instance": "billing-1", "version": 3, "status": "ACTIVE", "ceiling": 500000, "notInvoiced": 100000 * (i + 1), "currency": "EUR"}}}}}})
				b.wait("the gauge shows it", fmt.Sprintf(`document.getElementById("contracts").textContent.includes("%d,000.00")`, i+1))
			}
			b.eval(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))`, nil)
			var moved string
			b.eval(`Object.keys(moved).sort().join(" ") + (document.getAnimations().length && matchMedia("(prefers-reduced-motion: reduce)").matches ? " running" : "")`, &moved)
			if want := map[string]string{"no-preference": "animate animationstart transitionrun", "reduce": ""}[wish]; strings.TrimSpace(moved) != want {
				t.Errorf("moved: %q, want %q", moved, want)
			}
		})
	}
}
