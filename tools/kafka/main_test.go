package main

import (
	"bytes"
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		typed string
		n     int
		want  []string
		fault string
	}{
		{"127.0.0.1:9092", 1, []string{"127.0.0.1:9092"}, ""},
		{"127.0.0.1:9092", 3, []string{"127.0.0.1:9092", "127.0.0.1:9093", "127.0.0.1:9094"}, ""},
		{"127.0.0.1:1,127.0.0.1:5", 2, []string{"127.0.0.1:1", "127.0.0.1:5"}, ""},
		{"127.0.0.1:0", 3, nil, ""},
		{"127.0.0.1:1,127.0.0.1:5", 3, nil, "names 2 addresses for 3 brokers"},
		{"9092", 1, nil, "want host:port"},
		{"127.0.0.1:kafka", 1, nil, "is not a port"},
	} {
		got, err := addresses(c.typed, c.n)
		if !slices.Equal(got, c.want) || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s for %d: %v, %v", c.typed, c.n, got, err)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Setenv("DEFERPAY_CACHE", t.TempDir())
	for _, c := range []struct {
		args  string
		want  error
		words string
	}{
		{"", errUsage, "kafka broker"},
		{"start", errUsage, `there is no command "start"`},
		{"broker -help", flag.ErrHelp, "three replicas of which two must be in sync"},
		{"broker -help", flag.ErrHelp, "  -secure\n    \tTLS"},
		{"fetch -help", flag.ErrHelp, "downloads Apache Kafka"},
		{"fetch extra", errUsage, `unexpected argument "extra"`},
		{"broker -brokers 0", errUsage, "-brokers 0"},
		{"broker -addr x", errUsage, "want host:port"},
		{"registry extra", errUsage, `unexpected argument "extra"`},
		{"registry -nonsense", errUsage, "-nonsense"},
		{"registry -brokers 127.0.0.1:1", nil, "start it first, with `make kafka`"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(stderr.String()+err.Error(), c.words) {
			t.Errorf("%q: %v\n%s", c.args, err, stderr.String())
		}
	}
}
