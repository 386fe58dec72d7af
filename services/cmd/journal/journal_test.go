package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/services/e2e/oldlog"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// broker is a broker to run commands on.
type broker struct {
	t    *testing.T
	addr string
}

// empty starts a broker with the topics of the services.
func empty(t *testing.T) *broker {
	t.Helper()
	k := start(t)
	if _, _, err := cluster.Deploy(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	return &broker{t, k.Broker}
}

// recorded starts a broker with the logs of a system that has run.
func recorded(t *testing.T) *broker {
	t.Helper()
	r, err := oldlog.Load("../../e2e/oldlog/testdata/log-1")
	if err != nil {
		t.Fatal(err)
	}
	k := start(t)
	if err := r.Restore(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	return &broker{t, k.Broker}
}

func start(t *testing.T) *embedded.Kafka {
	t.Helper()
	k := embeddedtest.Start(t)
	return k
}

// result is what a command printed, and its exit status.
type result struct {
	status      int
	out, errors string
}

func (b *broker) run(line string, more ...string) result {
	var out, errors bytes.Buffer
	env := func(name string) string { return map[string]string{"KAFKA_BROKERS": b.addr}[name] }
	status := run(b.t.Context(), append(strings.Fields(line), more...), env, &out, &errors)
	return result{status, out.String(), errors.String()}
}

// must runs a command that succeeds, and returns what it printed.
func (b *broker) must(line string, more ...string) string {
	b.t.Helper()
	r := b.run(line, more...)
	if r.status != 0 {
		b.t.Fatalf("journal %s: status %d: %s", line, r.status, r.errors)
	}
	return r.out
}

// refused runs a command that fails with a status and an error that has the words.
func (b *broker) refused(status int, words, line string, more ...string) {
	b.t.Helper()
	r := b.run(line, more...)
	if r.status != status || !strings.Contains(r.errors, words) || r.out != "" {
		b.t.Errorf("journal %s: status %d, %q on standard error, %q on standard output; want status %d and %q", line, r.status, r.errors, r.out, status, words)
	}
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func (b *broker) verify(args string) admin.Summary {
	b.t.Helper()
	return decode[admin.Summary](b.t, b.must("verify "+args))
}

func (b *broker) write(topic string, r *kgo.Record) int64 {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.DefaultProduceTopic(topic))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	got, err := client.ProduceSync(b.t.Context(), r).First()
	if err != nil {
		b.t.Fatal(err)
	}
	return got.Offset
}

func (b *broker) read(topic string) (all []*kgo.Record) {
	b.t.Helper()
	if err := scan(b.t.Context(), []kgo.Opt{kgo.SeedBrokers(b.addr)}, topic, func(r *kgo.Record) { all = append(all, r) }); err != nil {
		b.t.Fatal(err)
	}
	return all
}

// A restored log is the same record by record, leads to the same states, and so does the dump.
func TestDumpRestoreVerify(t *testing.T) {
	from, to := recorded(t), empty(t)
	for _, log := range []string{"contract", "billing"} {
		file := filepath.Join(t.TempDir(), log)
		original := from.verify("-log " + log)
		if original.Outcomes[admin.Applied] < 10 || original.Outcomes[admin.Unreadable] != 0 || len(original.Writers) == 0 {
			t.Fatalf("%s has %+v", log, original)
		}
		from.must("dump -log "+log+" -out", file)
		if got := from.verify("-log " + log + " -file " + file); got.Hash != original.Hash {
			t.Errorf("the dump of %s has the hash %s, the log %s", log, got.Hash, original.Hash)
		}
		to.must("restore -log "+log, file)
		if got := to.verify("-log " + log); fmt.Sprint(got) != fmt.Sprint(original) {
			t.Errorf("%s restored\ngot  %+v\nwant %+v", log, got, original)
		}
		if got := from.verify(fmt.Sprintf("-log %s -to %d", log, original.Records/2)); got.Hash == original.Hash {
			t.Errorf("half of %s has the hash of the whole", log)
		}
		was, is := from.read(log+".log.v1"), to.read(log+".log.v1")
		for i := range was {
			if was[i].Offset != is[i].Offset || !bytes.Equal(was[i].Key, is[i].Key) || !bytes.Equal(was[i].Value, is[i].Value) {
				t.Fatalf("record @%d of %s was changed", was[i].Offset, log)
			}
		}
	}
}

// A dump from an offset on continues a restored one, and nothing else.
func TestDumpContinues(t *testing.T) {
	from, to := recorded(t), empty(t)
	dir := t.TempDir()
	whole, first, second := filepath.Join(dir, "whole"), filepath.Join(dir, "first"), filepath.Join(dir, "second")
	from.must("dump -log billing -out", whole)
	end := from.write("billing.log.v1", &kgo.Record{Value: []byte("garbage")}) + 1
	from.must(fmt.Sprintf("dump -log billing -from %d -out", end-1), second)
	to.refused(1, "restore the one before it first", "restore -log billing", second)
	to.must("restore -log billing", whole)
	to.must("restore -log billing", second)
	if n := len(to.read("billing.log.v1")); int64(n) != end {
		t.Errorf("%d records, want %d", n, end)
	}
	other := empty(t)
	other.must("restore -log billing", whole)
	other.write("billing.log.v1", &kgo.Record{Value: []byte("other garbage")})
	from.write("billing.log.v1", &kgo.Record{Value: []byte("more")})
	from.must(fmt.Sprintf("dump -log billing -from %d -out", end), first)
	other.refused(1, "is not the one that the dump continues", "restore -log billing", first)
	from.refused(1, "it cannot be dumped from", fmt.Sprintf("dump -log billing -from %d -out", end+9), first)
}

// What must not be restored, and where, is refused before anything is written.
func TestRestoreRefuses(t *testing.T) {
	from, to := recorded(t), empty(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "billing.dump")
	from.must("dump -log billing -out", file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(whole)
	changed[len(changed)/2] ^= 1
	for name, content := range map[string][]byte{
		"cut short": whole[:len(whole)/2], "one byte short": whole[:len(whole)-1], "without its end": whole[:len(whole)-40],
		"empty": {}, "two dumps": append(bytes.Clone(whole), whole...), "a byte more": append(bytes.Clone(whole), 'x'), "another file": []byte(strings.Repeat("text\n", 100)), "changed": changed,
	} {
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		to.refused(1, "not a whole dump", "restore -log billing", bad)
	}
	to.refused(1, "the dump is of billing.log.v1, not of contract.log.v1", "restore -log contract", file)
	to.refused(1, "billing.dump: it is a dump of billing.log.v1, not of contract.log.v1", "verify -log contract -file", file)
	to.refused(1, "no such file", "restore -log billing", file+".no")
	to.refused(1, "is a directory", "restore -log billing", dir)
	pipe, into, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer into.Close()
	to.refused(1, "it has to be a file and no pipe", "restore -log billing", fmt.Sprint("/dev/fd/", pipe.Fd()))
	if n := len(to.read("billing.log.v1")); n != 0 {
		t.Errorf("%d records were written all the same", n)
	}
	from.refused(1, "billing.log.v1 is not empty", "restore -log billing", file)
	other := &broker{t, start(t).Broker}
	other.refused(1, "UNKNOWN_TOPIC_OR_PARTITION", "restore -log billing", file)
}

// A dump that continues another one leads to no states of its own.
func TestContinuationIsNotRead(t *testing.T) {
	b := recorded(t)
	file := filepath.Join(t.TempDir(), "more.dump")
	b.must("dump -log billing -from 5 -out", file)
	for _, command := range []string{"cat", "verify"} {
		b.refused(1, "more.dump: it begins at 5, and what became of its records depends on those before", command+" -log billing -file", file)
	}
}

// A dump replaces another file, and nothing that is no file. If it fails, nothing is left of it.
func TestDumpFile(t *testing.T) {
	b := recorded(t)
	dir := t.TempDir()
	folder, link, old := filepath.Join(dir, "folder"), filepath.Join(dir, "link"), filepath.Join(dir, "old")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.Symlink(os.DevNull, link), os.WriteFile(old, []byte("old"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{folder, link} {
		b.refused(1, "is there already and is no regular file", "dump -log billing -out", to)
	}
	b.refused(1, "no such file", "dump -log billing -out", filepath.Join(dir, "none", "file"))
	b.refused(1, "it cannot be dumped from", "dump -log billing -from 99999 -out", old)
	if text, err := os.ReadFile(old); err != nil || string(text) != "old" {
		t.Errorf("the dump that failed has replaced the file: %q, %v", text, err)
	}
	b.must("dump -log billing -out", old)
	b.must("verify -log billing -file", old)
	if names := namesIn(t, dir); fmt.Sprint(names) != "[folder link old]" {
		t.Errorf("left behind: %v", names)
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

// Two dumps to one file at the same time do not write into each other.
func TestTwoDumpsAtOnce(t *testing.T) {
	b := recorded(t)
	file := filepath.Join(t.TempDir(), "dump")
	var both sync.WaitGroup
	for range 8 {
		both.Go(func() {
			if r := b.run("dump -log billing -out " + file); r.status != 0 {
				t.Errorf("status %d, %s", r.status, r.errors)
			}
		})
	}
	both.Wait()
	b.must("verify -log billing -file", file)
}

// A command that prints for somebody who has gone, such as head, ends without a word.
func TestReaderGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "billing.dump")
	recorded(t).must("dump -log billing -out", file)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	_ = read.Close()
	var said strings.Builder
	cmd := exec.Command(os.Args[0], "cat", "-log", "billing", "-file", file)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), asCommand+"=1"), write, &said
	err = cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || said.Len() > 0 {
		t.Errorf("it ended with %v and said %s", err, &said)
	}
}

// What is not in the log is not shown as nothing.
func TestOffsetsOutOfRange(t *testing.T) {
	b := recorded(t)
	n := b.verify("-log billing").Records
	if out := b.must(fmt.Sprintf("cat -log billing -from %d", n)); out != "" {
		t.Errorf("cat from the end shows %s", out)
	}
	b.refused(1, fmt.Sprintf("billing.log.v1 ends at %d: it has no record @%d", n, n+1), fmt.Sprintf("cat -log billing -from %d", n+1))
	b.refused(1, fmt.Sprintf("it has no record @%d", n), fmt.Sprintf("verify -log billing -to %d", n+1))
}

// A command ends if the broker is away for longer than answerLimit while it runs, and not if it is
// back before.
func TestBrokerGoesAway(t *testing.T) {
	journaltest.Virtually(t, func(t *testing.T, _ *kfake.Cluster, n *journaltest.Network, opts []kgo.Opt) {
		journaltest.Topics(t, opts)
		ctx, stop := context.WithCancelCause(t.Context())
		defer stop(nil)
		var out strings.Builder
		go watch(ctx, &out, append(opts, kgo.RetryTimeout(answerLimit)), journaltest.Log, stop)
		time.Sleep(time.Minute)
		for range 3 {
			n.Cut(true)
			time.Sleep(answerLimit / 2)
			n.Cut(false)
			time.Sleep(time.Minute)
		}
		if err := context.Cause(ctx); err != nil {
			t.Fatalf("a broker that was back stopped the command: %v", err)
		}
		n.Cut(true)
		time.Sleep(time.Minute)
		if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), "the broker is away") {
			t.Errorf("a minute later: %v", err)
		}
		if !strings.HasPrefix(out.String(), "journal: waiting for the broker: ") {
			t.Errorf("it said %q", &out)
		}
	})
}

// Every topic that is copied can be restored as the contracts declare it.
func TestEveryCopyIsRestored(t *testing.T) {
	from, to := recorded(t), empty(t)
	from.write("billing.dlq.v1", &kgo.Record{Key: []byte("CTR-1"), Value: []byte("a letter")})
	for _, topic := range append([]string{"contract", "billing"}, others...) {
		file := filepath.Join(t.TempDir(), topic)
		from.must("dump -log "+topic+" -out", file)
		to.must("restore -log "+topic, file)
	}
	if was, is := from.must("dlq list billing"), to.must("dlq list billing"); was != is || was == "" {
		t.Errorf("the letters are\n%s\nand were\n%s", is, was)
	}
}

// A restore that was interrupted says what is left of it, and main keeps that.
func TestInterruptedRestore(t *testing.T) {
	b, to := recorded(t), empty(t)
	file := filepath.Join(t.TempDir(), "billing.dump")
	b.must("dump -log billing -out", file)
	dump, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer dump.Close()
	interrupted, interrupt := context.WithCancelCause(t.Context())
	var out, printed strings.Builder
	c := call{interrupted, []string{"-brokers", to.addr}, func(string) string { return "" }, &out, &printed}
	common := &common{}
	status := c.main(settings.New("journal restore", ""), common, func() error { return nil }, func() string { return "" }, func(ctx context.Context) error {
		topic, err := common.topic("billing")
		if err != nil {
			return err
		}
		topic.Progress = func(doing string, _, _ int64) {
			if doing == "restore" {
				interrupt(fmt.Errorf("a signal (%w)", context.Canceled))
			}
		}
		_, err = topic.Restore(ctx, dump)
		return err
	})
	if words := "a signal (context canceled). billing.log.v1 may have a part of the records: delete and create the topic"; status != 1 || !strings.Contains(printed.String(), words) {
		t.Errorf("status %d, %s, want %q", status, &printed, words)
	}
}

// A command that waits for a broker that is away fails with the reason.
func TestCommandEndsWithoutBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, errors strings.Builder
		c := call{t.Context(), []string{"-brokers", "127.0.0.1:1"}, func(string) string { return "" }, &out, &errors}
		status := c.main(settings.New("journal wait", ""), &common{}, func() error { return nil }, func() string { return "billing.log.v1" }, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if status != 1 || !strings.Contains(errors.String(), "journal wait: the broker is away: look for billing.log.v1: ") {
			t.Errorf("status %d, %s", status, &errors)
		}
	})
}

// Garbage is found, shown and declared void. Nothing else changes.
func TestVoidGarbage(t *testing.T) {
	b := recorded(t)
	before := b.verify("-log contract")
	offset := b.write("contract.log.v1", &kgo.Record{Value: []byte("garbage")})
	r := b.run("verify -log contract")
	if words := fmt.Sprintf("the first one @%d", offset); r.status != 1 || !strings.Contains(r.errors, words) {
		t.Errorf("verify: status %d, %s", r.status, r.errors)
	}
	shown := decode[admin.Reading](t, b.must(fmt.Sprintf("cat -log contract -from %d", offset)))
	if shown.Outcome != admin.Unreadable || string(shown.Value) != "garbage" || !strings.Contains(shown.Why, "is not a record of a journal") {
		t.Errorf("cat shows %+v", shown)
	}
	b.refused(1, "only a record that no instance can read", "void -log contract -reason x -offset", fmt.Sprint(offset-1))
	b.refused(1, "it has no record", "void -log contract -reason x -offset", fmt.Sprint(offset+1))
	b.must("void -log contract -reason test -writer somebody -offset", fmt.Sprint(offset))
	for _, none := range []int64{offset + 7, math.MaxInt64} {
		b.refused(1, fmt.Sprintf("it has no record @%d", none), "void -log contract -reason x -offset", fmt.Sprint(none))
	}
	b.refused(1, "is declared void already", "void -log contract -reason x -offset", fmt.Sprint(offset))
	after := b.verify("-log contract")
	if after.Hash != before.Hash || after.Outcomes[admin.DeclaredVoid] != 1 || after.Outcomes[admin.Operator] != 1 || after.Writers["somebody"] != 1 {
		t.Errorf("after it\ngot  %+v\nwas  %+v", after, before)
	}
	one := b.must(fmt.Sprintf("cat -log contract -from %d -to %d", offset, offset+1))
	if shown := decode[admin.Reading](t, one); shown.Outcome != admin.DeclaredVoid {
		t.Errorf("cat up to the record itself shows %s", one)
	}
	lines := strings.Split(strings.TrimSpace(b.must(fmt.Sprintf("cat -log contract -from %d", offset))), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"outcome":"declared-void"`) || !strings.Contains(lines[1], `"reason":"test"`) {
		t.Errorf("cat shows %s", lines)
	}
}

// An impossible record, of a writer that nobody knows, parks its contract until it is released.
func TestCorrectParked(t *testing.T) {
	b := recorded(t)
	var last admin.Reading
	for line := range strings.Lines(b.must("cat -log contract")) {
		if r := decode[admin.Reading](t, line); r.Outcome == admin.Applied && r.Kind == "Activated" {
			last = r
		}
	}
	body, err := avrobin.EncodeSingleObject(&contractlog.Activated{ContractRef: strings.TrimPrefix(string(last.Expects[0].Stream), "contract/")})
	if err != nil {
		t.Fatal(err)
	}
	stream := string(last.Expects[0].Stream)
	value, err := avrobin.EncodeSingleObject(&journalrecord.JournalRecord{
		Kind: "Activated", Attempt: journalrecord.AttemptID{1}, DecidedAt: time.Now(), Writer: "stranger", Body: body,
		Expects: []journalrecord.Expectation{{Stream: stream, Attempt: b.lastOf("contract", stream)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	offset := b.write("contract.log.v1", &kgo.Record{Value: value})
	s := b.verify("-log contract")
	if len(s.Parked) != 1 || string(s.Parked[0].Stream) != stream || s.Parked[0].Offset != offset || s.Writers["stranger"] != 1 {
		t.Fatalf("parked %+v, writers %v", s.Parked, s.Writers)
	}
	b.refused(1, `stream "contract/CTR-none" of contract.log.v1 is not parked`, "correct -log contract -stream CTR-none -reason x")
	b.must("correct -log contract -reason mended -stream", strings.TrimPrefix(stream, "contract/"))
	if s := b.verify("-log contract"); len(s.Parked) != 0 {
		t.Errorf("parked %+v after the release", s.Parked)
	}
}

// lastOf returns the attempt that changed a stream last.
func (b *broker) lastOf(log, stream string) *journalrecord.AttemptID {
	b.t.Helper()
	var last string
	for line := range strings.Lines(b.must("cat -log " + log)) {
		r := decode[admin.Reading](b.t, line)
		for _, e := range r.Expects {
			if r.Outcome == admin.Applied && string(e.Stream) == stream {
				last = r.Attempt
			}
		}
	}
	var a journalrecord.AttemptID
	if _, err := hex.Decode(a[:], []byte(strings.ReplaceAll(last, "-", ""))); err != nil {
		b.t.Fatal(err)
	}
	return &a
}

// Dead letters are sent to the topic that the handlers alone read, once each, and never to the one
// that they came from.
func TestRedrive(t *testing.T) {
	b := empty(t)
	facts := len(b.read("contract.facts.v1"))
	large := b.write("contract.facts.v1", &kgo.Record{Key: []byte("CTR-2"), Value: []byte("a large value")})
	letter := func(key, at string, value []byte, more ...kgo.RecordHeader) {
		headers := append(more, kgo.RecordHeader{Key: "ce_type", Value: []byte("deferpay.event.ContractActivated")})
		for name, v := range map[string]string{"dl_topic": "contract.facts.v1", "dl_partition": "0", "dl_offset": at, "dl_error": "broken", "dl_attempts": "1"} {
			headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(v)})
		}
		b.write("billing.dlq.v1", &kgo.Record{Key: []byte(key), Value: value, Headers: headers})
	}
	letter("CTR-1", "7", []byte("a value"))
	letter("CTR-2", fmt.Sprint(large), nil, kgo.RecordHeader{Key: "dl_size", Value: []byte("13")})
	letter("CTR-3", "9999", nil, kgo.RecordHeader{Key: "dl_size", Value: []byte("13")})

	shown := strings.Split(strings.TrimSpace(b.must("dlq list billing")), "\n")
	if len(shown) != 3 || !strings.Contains(shown[0], `"key":"CTR-1"`) || !strings.Contains(shown[1], `"size":13,"leftOut":true`) {
		t.Fatalf("listed %s", shown)
	}
	b.must("dlq redrive -offset 0,1 billing")
	got := b.read("billing.redrive.v1")
	if len(got) != 2 || string(got[0].Value) != "a value" || string(got[1].Value) != "a large value" || string(got[1].Key) != "CTR-2" ||
		header(got[0], "ce_type") != "deferpay.event.ContractActivated" || header(got[0], letterHeader) != "billing.dlq.v1@0" {
		t.Fatalf("sent %+v", got)
	}
	if shown := b.must("dlq list billing.dlq.v1"); !strings.Contains(shown, `"redriven":[1]`) {
		t.Errorf("listed %s", shown)
	}
	r := b.run("dlq redrive billing") // what is left is not there any more
	if r.status != 1 || !strings.Contains(r.errors, "is not at contract.facts.v1/0/9999 any more") {
		t.Errorf("status %d, %s", r.status, r.errors)
	}
	if n := len(b.read("billing.redrive.v1")); n != 2 {
		t.Errorf("%d messages were sent, want 2", n)
	}
	if n := len(b.read("contract.facts.v1")); n != facts+1 {
		t.Errorf("%d records on the topic of facts, want %d", n, facts+1)
	}
}

func TestUsage(t *testing.T) {
	b := &broker{t, "127.0.0.1:1"}
	for line, words := range map[string]string{
		"":                                  "journal cat",
		"copy":                              `unknown command "copy"`,
		"dlq":                               `unknown command "dlq"`,
		"cat":                               `-log "" is no log`,
		"cat -log contract.facts.v1":        `-log "contract.facts.v1" is no log`,
		"cat -log billing -from -1":         "-from is not negative",
		"verify -log billing -to -2":        "-to only if it is -1",
		"cat -log billing -from 5 -to 3":    "-from 5 is behind -to 3",
		"verify -log billing -file x -to 3": "-to goes without -file",
		"dump -log billing.events.v1":       `-log "billing.events.v1" is not copied`,
		"restore -log billing":              "no FILE",
		"void -log billing -reason x":       "-offset is required",
		"void -log billing -offset 1":       "-reason is required",
		"correct -log billing -reason x":    "-stream is required",
		"dlq redrive contract.facts.v1":     `"contract.facts.v1" has no dead letters`,
		"dlq list":                          "no TOPIC",
		"dlq redrive -offset= billing":      `"" is no offset`,
		"dlq redrive -offset x billing":     `"x" is no offset`,
		"dlq redrive -offset -1 billing":    `"-1" is no offset`,
		"dlq redrive -offset 3,3 billing":   "3 is there twice",
		"verify -log billing more":          `unexpected argument "more"`,
	} {
		b.refused(2, words, line)
	}
	for name := range commands {
		if r := b.run(name + " --help"); r.status != 0 || !strings.Contains(r.out, "  journal "+name+" ") {
			t.Errorf("journal %s --help: status %d, without an example: %s", name, r.status, r.out)
		}
	}
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, "read")
	now := time.Now()
	p.now = func() time.Time { return now }
	p.at(64, 1000)
	now = now.Add(3 * time.Second)
	p.at(129, 1000)
	p.at(192, 1000)
	now = now.Add(3 * time.Second)
	p.at(256, 0)
	if want := "journal: read: 129 of 1000 records, 12 %\njournal: read: 256 records\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
