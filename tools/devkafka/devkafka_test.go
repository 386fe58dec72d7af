package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/process"
)

var path string // of the binary

func TestMain(m *testing.M) {
	status, err := func() (int, error) {
		root, err := process.Root()
		if err != nil {
			return 1, err
		}
		dir, err := os.MkdirTemp("", "devkafka")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "devkafka")
		if err := process.Build(context.Background(), root, dir, false, "./tools/devkafka"); err != nil {
			return 1, err
		}
		return m.Run(), nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// start runs devkafka as a process of its own and reads its ready line.
func start(t *testing.T, args ...string) (*process.Process, Ready) {
	t.Helper()
	logs := t.TempDir()
	out := filepath.Join(logs, "devkafka.out")
	var ready Ready
	p := process.New(process.Spec{Name: "devkafka", Path: path, Args: args, LogDir: logs, Ready: func(context.Context) error {
		line, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		return json.Unmarshal(line, &ready)
	}})
	t.Cleanup(func() { _ = p.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return p, ready
}

func client(t *testing.T, ready Ready, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(ready.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAcknowledgedSurvivesSIGKILL(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p, ready := start(t, "-broker", "127.0.0.1:0", "-registry", "127.0.0.1:0", "-data", data)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	c := client(t, ready)
	compact, forever := "compact", "-1"
	admin := kadm.NewClient(c)
	if _, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": &forever}, "log"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(ctx, 3, 1, map[string]*string{"cleanup.policy": &compact}, "facts"); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "log", Key: []byte("k"), Value: fmt.Appendf(nil, "%d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset("log", 0, 123, -1)
	if err := admin.CommitAllOffsets(ctx, "group", offsets); err != nil {
		t.Fatal(err)
	}
	schemas, err := sr.NewClient(sr.URLs(ready.Registry))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schemas.CreateSchema(ctx, "facts-R", sr.Schema{Schema: `"string"`}); err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}

	_, again := start(t, "-broker", ready.Brokers[0], "-registry", strings.TrimPrefix(ready.Registry, "http://"), "-data", data)
	if fmt.Sprint(again) != fmt.Sprint(ready) {
		t.Errorf("ready line %+v, was %+v", again, ready)
	}
	c = client(t, again, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"log": {0: kgo.NewOffset().AtStart()}}))
	admin = kadm.NewClient(c)
	configs, err := admin.DescribeTopicConfigs(ctx, "log", "facts")
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]string{"log": "retention.ms=-1", "facts": "cleanup.policy=compact"} {
		rc, err := configs.On(topic, nil)
		if err != nil || rc.Err != nil {
			t.Fatalf("topic %s was lost: %v %v", topic, err, rc.Err)
		}
		found := false
		for _, kv := range rc.Configs {
			found = found || kv.Key+"="+kv.MaybeValue() == want
		}
		if !found {
			t.Errorf("topic %s no longer has %s", topic, want)
		}
	}
	if topics, err := admin.ListTopics(ctx, "facts"); err != nil || len(topics["facts"].Partitions) != 3 {
		t.Errorf("facts: %+v, %v", topics, err)
	}
	for i := 0; i < 500; {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != fmt.Sprint(i) {
				t.Fatalf("record %d is %s", i, r.Value)
			}
			i++
		})
	}
	if got, err := admin.FetchOffsets(ctx, "group"); err != nil {
		t.Error(err)
	} else if o, ok := got.Lookup("log", 0); !ok || o.At != 123 {
		t.Errorf("committed offset of the group is %+v", o)
	}
	if got, err := schemas.SchemaByVersion(ctx, "facts-R", 1); err != nil || got.ID != 1 {
		t.Errorf("schema is %+v, %v", got, err)
	}
	if r, err := c.ProduceSync(ctx, &kgo.Record{Topic: "log", Value: []byte("next")}).First(); err != nil || r.Offset != 500 {
		t.Errorf("next record has offset %d, %v", r.Offset, err)
	}
}

func TestSIGTERMStopsCleanly(t *testing.T) {
	p, ready := start(t, "-broker", "127.0.0.1:0", "-registry", "127.0.0.1:0")
	if ready.Data != "memory" || len(ready.Brokers) != 1 {
		t.Errorf("ready line %+v", ready)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func TestWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-sync":                       "-sync needs -data",
		"start":                       `unexpected argument "start"`,
		"-broker nowhere":             "broker address",
		"-broker 127.0.0.1:0 -port 1": "flag provided but not defined",
		"-broker 127.0.0.1:kafka":     "not a number",
		"-broker 127.0.0.1:0 -registry 127.0.0.1:99999": "start the registry",
	} {
		err := run(t.Context(), strings.Fields(args), &strings.Builder{}, &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", args, err, want)
		}
	}
}
