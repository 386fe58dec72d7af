package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// SIGHUP changes nothing: the same processes go on deciding.
func TestHangupChangesNothing(t *testing.T) {
	fulltest.Only(t, "it starts a system for one signal")
	s := start(t, setup{})
	c := s.contracts("hangup", 5000)
	for _, x := range s.services() {
		s.signal(x.Process, syscall.SIGHUP)
	}
	for n, b := range s.Billing {
		s.insist(&purchase{key: fmt.Sprint("hangup-", n), contract: c[0], amount: 1}, func() (*cluster.Service, time.Duration) { return b, patience })
	}
	for _, x := range s.services() {
		if !x.Running() {
			t.Errorf("%s ended", x.Name())
		}
	}
}

// A process goes on when whoever reads its log is gone, and ends by SIGTERM alone.
func TestLogReaderGone(t *testing.T) {
	for _, name := range []string{"contract", "billing"} {
		t.Run(name, func(t *testing.T) {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(binaries, name), "-http", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-brokers", "127.0.0.1:1", "-insecure-dev")
			cmd.Stderr = write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			_ = write.Close()
			url := ""
			for lines := bufio.NewScanner(read); url == "" && lines.Scan(); {
				var entry struct{ Msg, Address string }
				if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "serving health and metrics" {
					url = "http://" + entry.Address + "/readyz"
				}
			}
			_ = read.Close()
			for n := range 20 {
				resp, err := http.Get(url)
				if err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
				_ = resp.Body.Close()
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// A process that gets SIGTERM ends in time, with status 0.
func TestStopsOnSIGTERM(t *testing.T) {
	fulltest.Only(t, "TestRollingRestart stops instances under load")
	s := start(t, setup{})
	s.contracts("stop", 5000)
	for _, b := range s.Billing {
		t.Logf("%s stopped in %v", b.Name(), s.stopped(b).Round(time.Millisecond))
	}
}
