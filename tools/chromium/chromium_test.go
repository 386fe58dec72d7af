package chromium

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	if _, err := Path(); err != nil {
		t.Skip(err)
	}
	printed, _, err := Run(t.Context(), "data:text/html,<p>2</p><script>document.querySelector('p').textContent = 1 + 1 + 1</script>", "--dump-dom")
	if err != nil || !bytes.Contains(printed, []byte("<p>3</p>")) {
		t.Errorf("%v: %s", err, printed)
	}
}

func TestRunWithoutChromium(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, _, err := Run(t.Context(), "about:blank"); err == nil || !strings.Contains(err.Error(), "apt-get install chromium") {
		t.Error(err)
	}
}

func TestProfileIsRemoved(t *testing.T) {
	dir, remove, err := Profile()
	if err != nil {
		t.Fatal(err)
	}
	remove()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s: %v", dir, err)
	}
}
