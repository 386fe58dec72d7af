package settings

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, env map[string]string, args ...string) (Common, string, error) {
	t.Helper()
	var c Common
	var out strings.Builder
	s := New("billing", "Billing decides purchases.")
	c.Register(s, "127.0.0.1:8082")
	err := s.Parse(args, func(k string) string { return env[k] }, &out)
	return c, out.String(), err
}

func TestFlagThenEnvironmentThenDefault(t *testing.T) {
	env := map[string]string{"HTTP_ADDR": "127.0.0.1:1", "KAFKA_BROKERS": "a:1, b:2,", "LOG_LEVEL": "debug", "INSECURE_DEV": "true"}
	c, _, err := parse(t, env, "-http", "127.0.0.1:2")
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPAddr != "127.0.0.1:2" {
		t.Errorf("HTTPAddr = %q, want that of the flag", c.HTTPAddr)
	}
	if len(c.Brokers) != 2 || c.Brokers[0] != "a:1" || c.Brokers[1] != "b:2" {
		t.Errorf("Brokers = %q, want the variable's two", c.Brokers)
	}
	if c.LogLevel != slog.LevelDebug || !c.InsecureDev {
		t.Errorf("LogLevel = %v, InsecureDev = %v, want the variables'", c.LogLevel, c.InsecureDev)
	}
	if c.Registry != "http://127.0.0.1:8085" || c.Writer == "" {
		t.Errorf("Registry = %q, Writer = %q, want the defaults", c.Registry, c.Writer)
	}
}

func TestHelpNamesFlagsAndVariables(t *testing.T) {
	_, out, err := parse(t, nil, "--help")
	if !errors.Is(err, ErrHelp) {
		t.Fatalf("error = %v, want ErrHelp", err)
	}
	for _, want := range []string{"Billing decides purchases.", "-http", "[HTTP_ADDR]", "127.0.0.1:8082", "-insecure-dev", "[KAFKA_BROKERS]"} {
		if !strings.Contains(out, want) {
			t.Errorf("help lacks %q:\n%s", want, out)
		}
	}
}

func TestBadUse(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"unknown flag":  {nil, []string{"-brokrs", "x"}, "see billing --help"},
		"argument":      {nil, []string{"run"}, `unexpected argument "run"`},
		"bad variable":  {map[string]string{"LOG_LEVEL": "loud"}, nil, "environment variable LOG_LEVEL"},
		"bad flag kind": {nil, []string{"-insecure-dev=perhaps"}, "invalid boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := parse(t, c.env, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for args, want := range map[string]string{
		"":                                                "no credentials",
		"-insecure-dev":                                   "",
		"-insecure-dev -http [::1]:8082":                  "",
		"-insecure-dev -http localhost:8082":              "",
		"-insecure-dev -http :8082":                       "loopback address only",
		"-insecure-dev -http 0.0.0.0:8082":                "loopback address only",
		"-insecure-dev -http 10.0.0.1:8082":               "loopback address only",
		"-insecure-dev -http billing:8082":                "loopback address only",
		"-credentials f -http :8082":                      "",
		"-credentials f":                                  "",
		"-jwt-issuer i":                                   "",
		"-credentials f -jwt-issuer i":                    "",
		"-jwt-issuer i -insecure-dev":                     "exclude each other",
		"-credentials f -insecure-dev":                    "exclude each other",
		"-credentials f -clock-offset-file c":             "",
		"-credentials f -clock-offset-file c -http :8082": "loopback address only",
		"-insecure-dev -clock-offset-file c":              "",
		"-insecure-dev -brokers ,":                        "no Kafka brokers",
		"-credentials f -tls-cert c":                      "belong together",
		"-credentials f -tls-key k":                       "belong together",
		"-credentials f -rate -1":                         "-rate is negative",
		"-credentials f -rate NaN":                        "-rate is not a number",
		"-credentials f -max-connections -1":              "-max-connections",
		"-credentials f -max-connections-per-address -1":  "-max-connections-per-address",
		"-credentials f -max-connections 0":               "",
		"-jwt-issuer https://i -jwt-audience a -jwt-keys k -jwt-customers-claim=": "-jwt-customers-claim is empty",
		"-credentials f -http 8082":             "-http",
		"-credentials f -http :65000":           "give -admin",
		"-credentials f -http :65000 -admin :1": "",
	} {
		c, _, err := parse(t, nil, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Check(%q) = %v, want %q", args, err, want)
		}
	}
}

func TestAdminIsOnThisMachine(t *testing.T) {
	for args, want := range map[string]string{
		"": "127.0.0.1:9082", "-http 0.0.0.0:8083": "127.0.0.1:9083", "-http [::]:8081": "127.0.0.1:9081", "-http 127.0.0.1:0": "127.0.0.1:0",
		"-http :8082 -admin 10.0.0.1:1": "10.0.0.1:1",
	} {
		c, _, err := parse(t, nil, strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Admin(); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", args, got, err, want)
		}
	}
}

func TestDurations(t *testing.T) {
	read := func(env string, args ...string) (d time.Duration, err error) {
		s := New("x", "")
		s.Duration(&d, "tick", "TICK", time.Second, "how often, as a `duration`")
		err = s.Parse(args, func(string) string { return env }, io.Discard)
		return d, err
	}
	for env, want := range map[string]time.Duration{"": time.Second, "0": 0, "2m": 2 * time.Minute} {
		if d, err := read(env); err != nil || d != want {
			t.Errorf("%q: %v, %v", env, d, err)
		}
	}
	if d, err := read("2m", "-tick", "3s"); err != nil || d != 3*time.Second {
		t.Errorf("flag and variable: %v, %v", d, err)
	}
	for _, bad := range []string{"-1s", "soon"} {
		if d, err := read(bad); err == nil {
			t.Errorf("%q: %v", bad, d)
		}
	}
}

func TestMainStatus(t *testing.T) {
	ok := func() error { return nil }
	for name, c := range map[string]struct {
		args       []string
		check, run func() error
		status     int
		says       string
	}{
		"orderly": {nil, ok, ok, 0, ""},
		"help":    {[]string{"--help"}, nil, nil, 0, "Usage: x"},
		"usage":   {[]string{"-nonsense"}, nil, nil, 2, "x: flag provided"},
		"check":   {nil, func() error { return errors.New("no keys") }, nil, 2, "x: no keys\n"},
		"failure": {nil, ok, func() error { return errors.New("no disk") }, 1, "x: no disk\n"},
	} {
		var out strings.Builder
		status := Main(New("x", ""), c.args, func(string) string { return "" }, &out, &out, c.check, c.run)
		if status != c.status || !strings.Contains(out.String(), c.says) || c.says == "" && out.Len() > 0 {
			t.Errorf("%s: status %d, %q", name, status, out.String())
		}
	}
}

// A service goes on when whoever reads its log is gone. The child is this test once more, which
// writes to nobody.
func TestLogReaderGone(t *testing.T) {
	const child = "LOG_READER_GONE"
	if os.Getenv(child) != "" {
		os.Exit(Serve(New("x", ""), nil, os.Getenv, io.Discard, os.Stderr, func() error { return nil }, func() error {
			_, err := io.Copy(io.Discard, os.Stdin) // until the reader is gone
			_, _ = os.Stderr.WriteString("a line of the log\n")
			return err
		}))
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLogReaderGone$")
	cmd.Env, cmd.Stderr = append(os.Environ(), child+"=1"), write
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = write.Close(), read.Close()
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
