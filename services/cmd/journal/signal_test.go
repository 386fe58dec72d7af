package main

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// asCommand is the variable that makes the test binary the command.
const asCommand = "JOURNAL_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A second signal ends a command at once, also if the broker takes requests and answers none.
func TestSecondSignal(t *testing.T) {
	broker, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "verify", "-log", "billing", "-brokers", broker.Addr().String())
	cmd.Env = append(os.Environ(), asCommand+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := broker.Accept() // the command waits now
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	often := time.NewTicker(time.Millisecond) // signals that arrive together count as one
	defer often.Stop()
	for {
		select {
		case <-often.C:
			cmd.Process.Signal(os.Interrupt)
			continue
		case <-ended:
		}
		break
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("the command ended with %v, not by the signal", cmd.ProcessState)
	}
}
