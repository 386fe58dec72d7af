//go:build full

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	// The test builds these. They are imported so that go test runs it again when they change.
	_ "github.com/deferpay/deferpay/services/billing"
	_ "github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	_ "github.com/deferpay/deferpay/tools/eventgen/cli"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/kafka/acls"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/process"
)

// secured is Apache Kafka with logins and rights, a registry with a password, and the binaries of
// the services and tools.
type secured struct {
	t        *testing.T
	b        *engine.Brokers
	bin, dir string
	registry string // URL
	password string // file
}

// patience bounds a wait on a busy machine.
const patience = 60 * time.Second

func startSecured(t *testing.T) *secured {
	t.Helper()
	if !fulltest.Requested() {
		t.Skip("starts a JVM: run with " + fulltest.Variable + "=1")
	}
	cache, err := artifacts.Open(t.Logf)
	if err != nil {
		t.Skip(err)
	}
	if missing := cache.Missing(t.Context(), false); missing != "" {
		t.Skip("no real broker: " + missing)
	}
	s := &secured{t: t, dir: t.TempDir()}
	s.bin = filepath.Join(s.dir, "bin")
	if err := process.Build(t.Context(), "../..", s.bin, false, "./tools/kafka", "./tools/eventgen", "./services/contract/cmd/contract", "./services/billing/cmd/billing"); err != nil {
		t.Fatal(err)
	}
	s.b, err = engine.StartBrokers(t.Context(), engine.BrokersOptions{Cache: cache, Dir: filepath.Join(s.dir, "kafka"), Heap: "256m", Users: acls.Users()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.b.Kill(); err != nil {
			t.Error(err)
		}
	})
	s.startRegistry()
	return s
}

// startRegistry puts a registry behind basic authentication.
func (s *secured) startRegistry() {
	k, err := embedded.Start(s.t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = k.Close() })
	to, err := url.Parse(k.Registry)
	if err != nil {
		s.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "deferpay" || password != "of the registry" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.t.Cleanup(front.Close)
	s.registry, s.password = front.URL, s.file("registry.password", "of the registry")
}

func (s *secured) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// env returns the environment by which a user reaches the broker and the registry.
func (s *secured) env(user string) []string {
	k := s.b.As(user)
	return []string{"KAFKA_BROKERS=" + s.b.Addrs[0], "KAFKA_USER=" + k.User, "KAFKA_PASSWORD_FILE=" + k.PasswordFile, "KAFKA_CA_FILE=" + k.CAFile,
		"SCHEMA_REGISTRY_URL=" + s.registry, "SCHEMA_REGISTRY_USER=deferpay", "SCHEMA_REGISTRY_PASSWORD_FILE=" + s.password}
}

// run runs one of our commands to its end, in the root of the repository.
func (s *secured) run(env []string, command string, args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, command), args...)
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// fine runs a command that must succeed and print says.
func (s *secured) fine(env []string, says, command string, args ...string) {
	s.t.Helper()
	if out, err := s.run(env, command, args...); err != nil || !strings.Contains(out, says) {
		s.t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
}

// refused runs a command that must fail and print says.
func (s *secured) refused(env []string, says, command string, args ...string) {
	s.t.Helper()
	if out, err := s.run(env, command, args...); err == nil || !strings.Contains(out, says) {
		s.t.Errorf("%s %s: %v, want %q\n%s", command, strings.Join(args, " "), err, says, out)
	}
}

var documents = []string{"specs/contract/asyncapi.yaml", "specs/contract/internal.asyncapi.yaml", "specs/billing/asyncapi.yaml", "specs/billing/internal.asyncapi.yaml"}

// provision deploys as docs/deployment.md describes, step by step.
func (s *secured) provision() {
	s.t.Helper()
	broker := []string{"-brokers", s.b.Addrs[0]}
	topics := append([]string{"topics", "apply", "-timeout", "60s"}, append(broker, documents...)...)
	schemas := []string{"schemas", "register", "-registry", s.registry, documents[0], documents[2]}

	s.refused(s.env(acls.Provisioning), "check the ACLs", "eventgen", topics...) // no rights yet
	s.refused(s.env(engine.Admin), "missing: User:billing may READ", "kafka", append([]string{"acls", "diff"}, broker...)...)
	s.refused(s.env(acls.Contract), "check the ACLs", "kafka", append([]string{"acls", "apply"}, broker...)...)
	s.fine(s.env(engine.Admin), "created: User:billing may READ", "kafka", append([]string{"acls", "apply"}, broker...)...)
	s.fine(s.env(engine.Admin), "(0 created, 0 removed)", "kafka", append([]string{"acls", "apply"}, broker...)...)

	s.fine(s.env(acls.Provisioning), "created topic contract.log.v1", "eventgen", topics...)
	s.refused(s.env(acls.Contract), "check the ACLs", "eventgen", append([]string{"topics", "diff"}, append(broker, documents[2:]...)...)...)
	s.fine(s.env(acls.Provisioning), "registered", "eventgen", schemas...)
	s.refused(append(s.env(acls.Provisioning), "SCHEMA_REGISTRY_PASSWORD_FILE="+s.file("other", "guess")), "check the credentials", "eventgen", schemas...)
	s.refused(append(s.env("contract"), "KAFKA_PASSWORD_FILE=/does/not/exist"), "read the password: open /does/not/exist", "eventgen", topics...)
}

type service struct {
	*process.Process
	url, admin string
}

func (s *secured) service(command, name string, env []string) *service {
	s.t.Helper()
	ports, err := process.FreePorts(2)
	if err != nil {
		s.t.Fatal(err)
	}
	x := &service{url: "http://" + ports[0], admin: "http://" + ports[1]}
	x.Process = process.New(process.Spec{Name: name, Path: filepath.Join(s.bin, command), LogDir: s.dir, Ready: process.HTTPReady(x.admin + "/readyz"),
		Env: append(env, "HTTP_ADDR="+ports[0], "ADMIN_ADDR="+ports[1], "WRITER="+name, "INSECURE_DEV=true")})
	if err := x.Launch(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := x.Stop(ctx); err != nil {
			s.t.Error(err)
		}
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, x.Tail(20))
		}
	})
	return x
}

func (s *secured) ready(x *service) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := x.WaitReady(ctx); err != nil {
		s.t.Fatalf("%v\n%s", err, x.Tail(10))
	}
}

// until calls ask until it returns nil: neither processes nor the broker announce their changes.
func (s *secured) until(what string, ask func() error) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = ask(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// send sends one request.
func send(method, url, key, etag string, body any) (status int, tag, answer string, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return 0, "", "", err
	}
	q, err := http.NewRequest(method, url, bytes.NewReader(data))
	if err != nil {
		return 0, "", "", err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", key)
	if etag != "" {
		q.Header.Set("If-Match", etag)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, "", "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, r.Header.Get("ETag"), string(text), err
}

// buy creates a contract and buys on it. This writes both logs, and publishes facts and events.
func (s *secured) buy(contract, billing *service) {
	s.t.Helper()
	var status int
	var tag, answer string
	s.until("a contract", func() (err error) {
		status, tag, answer, err = send("POST", contract.url+"/refcontract/v1/contracts", "c-1", "", map[string]any{
			"customerRef": "CE-1", "sellerRef": "AG-1", "ceiling": map[string]any{"amount": 10_000, "currency": "EUR"}, "validFrom": "2026-01-01T00:00:00Z",
			"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
				"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
		})
		return wanted(err, status, http.StatusCreated, answer)
	})
	var made struct{ ContractRef string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		s.t.Fatal(err)
	}
	s.until("a mandate", func() (err error) {
		status, _, answer, err = send("PUT", contract.url+"/refcontract/v1/contracts/"+made.ContractRef+"/mandate", "m-1", tag, map[string]any{
			"rum": "RUM-1", "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
			"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME",
		})
		return wanted(err, status, http.StatusOK, answer)
	})
	n := 0
	s.until("a purchase that billing accepts", func() error {
		n++ // a refusal before the fact arrived is remembered under its key
		status, _, answer, err := send("POST", billing.url+"/billing/v1/operations", fmt.Sprint("p-", n), "", map[string]any{
			"type": "PURCHASE", "contractRef": made.ContractRef, "orderRef": "ORD-1", "amount": map[string]any{"amount": 100, "currency": "EUR"}})
		return wanted(err, status, http.StatusCreated, answer)
	})
}

// wanted returns err, or an error if the status is another one than wanted.
func wanted(err error, status, want int, answer string) error {
	if err == nil && status != want {
		err = fmt.Errorf("%d %s", status, answer)
	}
	return err
}

// client returns a client of a user, with the settings that the services produce with.
func (s *secured) client(user string, options ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	o, err := s.b.As(user).Open()
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := kgo.NewClient(append(append(o.Options(), kgo.SeedBrokers(s.b.Addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner())), options...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *secured) write(user, topic string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.client(user).ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
}

func (s *secured) read(user, topic string) error {
	c := s.client(user, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		fetched := c.PollFetches(ctx)
		if err := fetched.Err(); err != nil || fetched.NumRecords() > 0 {
			return err
		}
	}
}

// The services work with the rights of the table, and have no others.
func TestServicesOnASecuredBroker(t *testing.T) {
	s := startSecured(t)
	s.provision()
	contract := s.service("contract", "contract-1", s.env(acls.Contract))
	billing := s.service("billing", "billing-1", s.env(acls.Billing))
	s.ready(contract)
	s.ready(billing)
	s.buy(contract, billing)
	for _, topic := range []string{"contract.facts.v1", "billing.events.v1"} {
		if err := s.read(acls.Reader, topic); err != nil {
			t.Errorf("a reader on %s: %v", topic, err)
		}
	}
	s.rightsEnd()
	s.groupRights(contract, billing)
	s.wrongPassword()
	s.passwordChanges(billing)
	for _, x := range []*service{contract, billing} {
		if log := x.Log(); strings.Contains(log, s.secret(x.Name())) || strings.Contains(log, "of the registry") {
			t.Errorf("%s logs a password", x.Name())
		}
	}
}

func (s *secured) secret(name string) string {
	user, _, _ := strings.Cut(name, "-")
	text, err := os.ReadFile(s.b.As(user).PasswordFile)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// rightsEnd tries what must not be allowed. The list does not come from the table, so that a right
// too many in the table fails the test.
func (s *secured) rightsEnd() {
	s.t.Helper()
	writes := map[string][]string{
		acls.Billing:      {"contract.log.v1", "contract.facts.v1", "contract.positions.v1", "contract.snapshots.v1", "contract.keys.v1", "contract.dlq.v1", "contract.redrive.v1", "billing.redrive.v1"},
		acls.Contract:     {"billing.log.v1", "billing.events.v1", "billing.positions.v1", "billing.snapshots.v1", "billing.dlq.v1", "billing.redrive.v1", "contract.redrive.v1"},
		acls.Reader:       {"contract.facts.v1", "billing.events.v1", "contract.log.v1", "billing.log.v1"},
		acls.Provisioning: {"contract.log.v1", "billing.log.v1"},
	}
	for user, topics := range writes {
		for _, topic := range topics {
			// who may write nothing may not begin to
			if err := s.write(user, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
				s.t.Errorf("%s writes %s: %v", user, topic, err)
			}
		}
	}
	reads := map[string][]string{
		acls.Billing:      {"contract.log.v1", "contract.keys.v1", "contract.dlq.v1", "billing.dlq.v1"},
		acls.Contract:     {"billing.log.v1", "billing.dlq.v1"},
		acls.Reader:       {"contract.log.v1", "billing.log.v1", "contract.keys.v1"},
		acls.Provisioning: {"contract.facts.v1", "contract.log.v1"},
	}
	for user, topics := range reads {
		for _, topic := range topics {
			if err := s.read(user, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				s.t.Errorf("%s reads %s: %v", user, topic, err)
			}
		}
	}
}

// wrongPassword checks that an instance with a wrong login is not ready and says why, and that it
// becomes ready without a restart once the password file is right.
func (s *secured) wrongPassword() {
	s.t.Helper()
	file := s.file("billing-2.password", "guess")
	wrong := s.service("billing", "billing-2", append(s.env(acls.Billing), "KAFKA_PASSWORD_FILE="+file))
	stranger := s.service("billing", "stranger", append(s.env(acls.Billing), "KAFKA_USER=stranger"))
	untrusting := s.service("billing", "untrusting", append(s.env(acls.Billing), "KAFKA_CA_FILE=", "KAFKA_TLS=true"))
	s.says(wrong, "check the name and the password")
	s.says(stranger, "check the name and the password")
	s.says(untrusting, "not signed by a trusted authority, check -kafka-ca")
	s.file("billing-2.password", s.secret("billing-2"))
	s.ready(wrong)
}

// says waits until an instance is not ready for the reason given, on /readyz and in its log.
func (s *secured) says(x *service, words string) {
	s.t.Helper()
	s.until(x.Name()+" says "+words, func() error {
		err := process.HTTPReady(x.admin + "/readyz")(s.t.Context())
		if err == nil {
			return errors.New("it is ready")
		}
		if !strings.Contains(err.Error(), words) || !strings.Contains(x.Log(), words) {
			return fmt.Errorf("it is not ready: %w", err)
		}
		return nil
	})
}

// shows returns an error unless the metrics of an instance have a line.
func (s *secured) shows(x *service, line string) error {
	_, _, text, err := send("GET", x.admin+"/metrics", "", "", nil)
	if err == nil && !slices.Contains(strings.Split(text, "\n"), line) {
		err = fmt.Errorf("no metric %s", line)
	}
	return err
}

// groupRights checks that an instance that starts without the right to one of its groups is not
// ready, and that one that loses the right logs it and goes on. Both name the group and the right.
// Once the right is back, both recover by themselves.
func (s *secured) groupRights(contract, billing *service) {
	s.t.Helper()
	for _, groups := range [][]string{{"contract.publication", "billing.contract-facts"}, {"contract.billing-events", "billing.publication"}} {
		without := slices.DeleteFunc(acls.Table(), func(r acls.Right) bool { return slices.Contains(groups, r.Name) })
		if _, removed, err := acls.Apply(s.t.Context(), s.client(engine.Admin), without); err != nil || len(removed) != len(groups) {
			s.t.Fatalf("without the rights to %v: %v, %v", groups, removed, err)
		}
		var all []*service
		for i, running := range []*service{contract, billing} {
			command, _, _ := strings.Cut(groups[i], ".")
			words := "the right READ on the group " + groups[i] + " is missing"
			without := s.service(command, command+"-without-"+groups[i], s.env(command))
			s.says(without, words)
			s.until(running.Name()+" logs it", func() error {
				if !strings.Contains(running.Log(), words) {
					return errors.New("its log does not have it")
				}
				return s.shows(running, "deferpay_groups_denied 1")
			})
			s.ready(running) // deciding needs no group
			all = append(all, without)
		}
		s.fine(s.env(engine.Admin), "(2 created, 0 removed)", "kafka", "acls", "apply", "-brokers", s.b.Addrs[0])
		for _, x := range all {
			s.until(x.Name()+" ready", func() error { return process.HTTPReady(x.admin + "/readyz")(s.t.Context()) })
		}
		for _, running := range []*service{contract, billing} {
			s.until(running.Name()+" is in its groups again", func() error { return s.shows(running, "deferpay_groups_denied 0") })
		}
	}
}

// passwordChanges checks that open connections go on when a password changes, and that an instance
// with the old password waits for the new one in its file.
func (s *secured) passwordChanges(x *service) {
	s.t.Helper()
	next := s.file("next.password", "changed")
	s.fine(s.env(engine.Admin), "billing has the password", "kafka", "user", "-brokers", s.b.Addrs[0], "-name", "billing", "-new-password-file", next)
	if err := process.HTTPReady(x.admin + "/readyz")(s.t.Context()); err != nil {
		s.t.Errorf("after the change: %v", err)
	}
	old := s.service("billing", "billing-3", s.env(acls.Billing))
	s.until("billing-3 is refused", func() error {
		if !strings.Contains(old.Log(), "check the name and the password") {
			return errors.New("its log does not have it")
		}
		return nil
	})
	if err := os.WriteFile(s.b.As(acls.Billing).PasswordFile, []byte("changed\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.ready(old)
}

// Apicurio Registry keeps its schemas on the secured broker with the rights of the table, has them
// after a restart, and reaches no topics but its own.
func TestRegistryOnASecuredBroker(t *testing.T) {
	if os.Getenv("BROKER") != "kafka" {
		t.Skip("BROKER=kafka starts Apicurio Registry, which takes half a minute")
	}
	s := startSecured(t)
	cache, err := artifacts.Open(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	s.fine(s.env(engine.Admin), "created: User:registry may CREATE", "kafka", "acls", "apply", "-brokers", s.b.Addrs[0])
	r, err := engine.StartRegistry(t.Context(), engine.RegistryOptions{Cache: cache, Dir: filepath.Join(s.dir, "apicurio"), Brokers: s.b.Addrs, Security: s.b.As(acls.Registry)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Kill() })
	s.registry = r.URL
	s.fine(s.env(acls.Provisioning), "registered", "eventgen", "schemas", "register", "-registry", s.registry, documents[0], documents[2])
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run(s.env(acls.Provisioning), "eventgen", "schemas", "check", "-registry", s.registry, documents[0], documents[2]); err != nil {
		t.Errorf("after a restart: %v\n%s", err, out)
	}
	for user, topic := range map[string]string{acls.Registry: "contract.log.v1", acls.Billing: "kafkasql-journal"} {
		if err := s.read(user, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("%s reads %s: %v", user, topic, err)
		}
	}
	if info, err := os.Stat(filepath.Join(s.dir, "apicurio", "kafka.properties")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the password: %v, %v", info, err)
	}
}

// Every setting of a client works on the real broker, and the error of each mistake names its
// cause.
func TestMistakesOnASecuredBroker(t *testing.T) {
	s := startSecured(t)
	good := s.b.As(engine.Admin)
	guess := s.file("guess", "guess")
	for name, c := range map[string]struct {
		change func(*secure.Kafka)
		says   string
	}{
		"SCRAM-SHA-512": {func(*secure.Kafka) {}, ""},
		"SCRAM-SHA-256": {func(k *secure.Kafka) { k.Mechanism = secure.Scram256 }, ""},
		"PLAIN":         {func(k *secure.Kafka) { k.Mechanism = secure.Plain }, ""},
		"password":      {func(k *secure.Kafka) { k.PasswordFile = guess }, `refuses the login of user "admin" by SCRAM-SHA-512`},
		"user":          {func(k *secure.Kafka) { k.User = "nobody" }, `refuses the login of user "nobody"`},
		"authority":     {func(k *secure.Kafka) { k.CAFile, k.TLS = "", true }, "not signed by a trusted authority, check -kafka-ca"},
		"name":          {func(k *secure.Kafka) { k.ServerName = "other" }, "check -kafka-ca and -kafka-server-name"},
		"no login":      {func(k *secure.Kafka) { *k = secure.Kafka{CAFile: k.CAFile} }, "or another login (-kafka-user)"},
		"no TLS":        {func(k *secure.Kafka) { k.CAFile = "" }, "tls"},
	} {
		k := good
		c.change(&k)
		o, err := k.Open()
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(append(o.Options(), kgo.SeedBrokers(s.b.Addrs...))...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err = o.Explain(client.Ping(ctx))
		cancel()
		client.Close()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
