package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

// The account of the test. Nothing else in the system has these.
const (
	secretIBAN  = "DE75512108001245126199"
	secretBIC   = "SOGEDEFFXXX"
	secretOwner = "Wilhelmine Verschwiegen"
)

// secrets are the ways in which the account could be written down.
func secrets() map[string][]byte {
	found := map[string][]byte{
		"IBAN": []byte(secretIBAN), "IBAN in groups": []byte("DE75 5121 0800"), "account number": []byte("512108001245"),
		"BIC": []byte(secretBIC), "owner": []byte("Verschwiegen"),
	}
	for shift := range 3 { // the middle of it, as base64 has it at each alignment
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-", shift) + secretIBAN))
		found[fmt.Sprint("IBAN in base64, shifted by ", shift)] = []byte(text[4 : len(text)-4])
	}
	return found
}

// hide fails the test if one of the secrets is in the data.
func hide(t *testing.T, where string, data []byte) {
	t.Helper()
	for what, secret := range secrets() {
		if bytes.Contains(data, secret) {
			t.Errorf("%s: the %s is there", where, what)
		}
	}
}

// tape records every answer but those that may have the account.
type tape struct {
	next http.RoundTripper
	mu   sync.Mutex
	all  bytes.Buffer
}

func (r *tape) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || strings.HasSuffix(req.URL.Path, "/mandate/account") && resp.StatusCode == http.StatusOK {
		return resp, err
	}
	data, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	resp.Body = io.NopCloser(bytes.NewReader(data))
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(&r.all, resp.Status, resp.Header)
	r.all.Write(data)
	return resp, err
}

// raw returns the keys, values and headers of all records of all topics, by topic.
func (s *system) raw() map[string][]*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topics.Names()...)
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string][]*kgo.Record{}
	for topic, partitions := range ends {
		for p, end := range partitions {
			all[topic] = append(all[topic], s.partition(ctx, topic, p, end.Offset)...)
		}
	}
	return all
}

// partition returns the records of a partition up to an offset. Compaction may have removed the
// last of them, so it appends nothing and waits no longer than the broker takes to say so.
func (s *system) partition(ctx context.Context, topic string, p int32, end int64) (records []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().AtStart()}}))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for next := int64(0); next < end; {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		fetches := client.PollFetches(wait)
		cancel()
		if fetches.Empty() {
			break
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			records = append(records, r)
		})
	}
	return records
}

// files calls see for every file below the directories of the system.
func (s *system) files(data string, see func(name string, content []byte)) {
	s.t.Helper()
	for _, dir := range []string{s.Dir, data} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) { // the broker removed a segment
				return nil
			}
			see(path, content)
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}
}

// onDisk returns how many of the keys are in some file.
func (s *system) onDisk(data string, keys [][]byte) (n int) {
	for _, key := range keys {
		found := false
		s.files(data, func(_ string, content []byte) { found = found || bytes.Contains(content, key) })
		if found {
			n++
		}
	}
	return n
}

// nowhere fails the test if the account is in a topic, a file or an answer.
func (s *system) nowhere(data string, answers *tape) {
	s.t.Helper()
	for topic, records := range s.raw() {
		for _, r := range records {
			content := append(append([]byte{}, r.Key...), r.Value...)
			for _, h := range r.Headers {
				content = append(content, h.Value...)
			}
			hide(s.t, fmt.Sprintf("%s @%d", topic, r.Offset), content)
		}
	}
	s.files(data, func(name string, content []byte) { hide(s.t, name, content) })
	answers.mu.Lock()
	defer answers.mu.Unlock()
	hide(s.t, "an answer", answers.all.Bytes())
	if !bytes.Contains(answers.all.Bytes(), []byte("6199")) {
		s.t.Error("no answer has the last four characters: were they recorded?")
	}
}

// keys returns the keys of personal data that are on the topic, by the contract they are about.
func (s *system) keys() map[string][][]byte {
	s.t.Helper()
	latest := map[string][]byte{}
	for _, r := range s.raw()[contractinternal.PersonalDataKeysTopic] {
		latest[string(r.Key)] = r.Value
	}
	keys := map[string][][]byte{}
	for _, value := range latest {
		if value == nil {
			continue
		}
		k, err := contractinternal.DecodePersonalDataKey(value)
		if err != nil {
			s.t.Fatal(err)
		}
		ref, _, _ := strings.Cut(k.Subject, "/")
		keys[ref] = append(keys[ref], k.Key)
	}
	return keys
}

// withSecret subscribes a customer and signs a mandate with the secret account, after some requests
// with it that are refused.
func (s *system) withSecret(name string) (ref string) {
	s.t.Helper()
	c := s.subscribe(name, "CE-"+name, 500000)
	path := "/refcontract/v1/contracts/" + c.ref
	tag := s.must(s.Contract, "GET", path, "", "", nil, 200).header.Get("ETag")
	body := map[string]any{
		"rum": "RUM-SECRET-" + name, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": s.now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": secretIBAN, "bic": secretBIC, "owner": secretOwner,
	}
	s.must(s.Contract, "PUT", path+"/mandate", "stale-"+name, `"9999"`, body, 412)
	body["iban"] = secretIBAN + "0"
	s.must(s.Contract, "PUT", path+"/mandate", "long-"+name, tag, body, 400)
	body["iban"] = map[string]any{"number": secretIBAN}
	s.must(s.Contract, "PUT", path+"/mandate", "wrong-"+name, tag, body, 400)
	body["iban"] = "DE75 5121 0800 1245 1261 99"
	for range 2 {
		// the contract may become active meanwhile
		s.must(s.Contract, "PUT", path+"/mandate", "sign-"+name, "*", body, 200)
	}
	return c.ref
}

// account asks an instance for the account of a contract.
func (s *system) account(to *cluster.Service, ref string, status int) answer {
	s.t.Helper()
	return s.must(to, "GET", "/refcontract/v1/contracts/"+ref+"/mandate/account", "", "", nil, status)
}

// compacting starts an embedded broker that compacts its topics all the time.
func compacting(t *testing.T, data string) *embedded.Kafka {
	t.Helper()
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", DataDir: data, CompactEvery: time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

// TestAccountIsNowhere looks for an account in all that the system writes, on the raw bytes. Only
// the endpoint for it has it, and after the erasure not even that one.
func TestAccountIsNowhere(t *testing.T) {
	data := t.TempDir()
	want := setup{contracts: 2, billing: 1, data: data, logLevel: "debug"}
	if engines.Engine == "" { // Apache Kafka compacts within max.compaction.lag.ms, a day
		want.embedded = compacting(t, data)
	}
	s := start(t, want)
	answers := &tape{next: s.client.Transport}
	s.client.Transport = answers
	ref, other := s.withSecret("ERASED"), s.withSecret("KEPT")
	erase := "/refcontract/v1/contracts/" + ref
	s.must(s.Contract, "POST", erase+"/republication", "again", "", map[string]any{}, 202)
	for _, r := range []string{ref, other} {
		if a := s.account(s.Contracts[0], r, 200); a.text("iban") != secretIBAN || a.text("bic") != secretBIC || a.text("owner") != secretOwner {
			t.Errorf("%s", a.body)
		}
	}
	s.nowhere(data, answers)
	const each = 2 // a mandate with another account was signed before
	keys := s.keys()
	if len(keys[ref]) != each || len(keys[other]) != each || s.onDisk(data, keys[ref]) != each {
		t.Fatalf("%d and %d keys, %d of them on the disk", len(keys[ref]), len(keys[other]), s.onDisk(data, keys[ref]))
	}

	if a := s.must(s.Contracts[1], "DELETE", erase+"/personal-data", "erase", "", nil, 202); a.text("completedAt") == "" {
		t.Errorf("%s", a.body)
	}
	for _, instance := range s.Contracts {
		if a := s.account(instance, ref, 410); strings.Contains(a.body, "6199") {
			t.Errorf("%s", a.body)
		}
	}
	if left := s.keys(); len(left[ref]) != 0 || len(left[other]) != each {
		t.Errorf("%d and %d keys are left", len(left[ref]), len(left[other]))
	}
	s.nowhere(data, answers)
	if want.embedded != nil {
		s.until("the keys are gone from the disk", func() error {
			if n := s.onDisk(data, keys[ref]); n > 0 {
				return fmt.Errorf("%d are there", n)
			}
			return nil
		})
	}
	// a file that is being compacted is not there for a moment
	s.until("the keys of the other contract are on the disk", func() error {
		if n := s.onDisk(data, keys[other]); n != each {
			return fmt.Errorf("%d are there", n)
		}
		return nil
	})
	if err := s.Contracts[0].Kill(); err != nil {
		t.Fatal(err)
	}
	s.restart(s.Contracts[0].Process)
	s.account(s.Contracts[0], ref, 410)
	s.account(s.Contracts[0], other, 200)
}
