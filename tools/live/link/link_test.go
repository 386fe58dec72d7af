package link

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
)

// reaches returns nil if an instance reaches the leader of the topic, whose address is in an answer
// of the broker.
func reaches(t *testing.T, l *Links, instance string, k *embedded.Kafka) error {
	t.Helper()
	brokers, _, err := l.Connect(instance, []string{k.Broker}, k.Registry)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return leads(t, c)
}

func leads(t *testing.T, c *kgo.Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, "t")
	if err == nil {
		err = ends.Error()
	}
	return err
}

// answers reports whether a registry answers.
func answers(url string) bool {
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := fresh.Get(url + "/subjects")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func TestCutOneInstance(t *testing.T) {
	k := embeddedtest.Start(t)
	l := New()
	t.Cleanup(l.Close)
	brokers, registry, err := l.Connect("one", []string{k.Broker}, k.Registry)
	if err != nil {
		t.Fatal(err)
	}
	one, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	if _, err := kadm.NewClient(one).CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	if err := leads(t, one); err != nil {
		t.Fatal(err)
	}
	l.Cut("one", true)
	if !l.IsCut("one") || l.IsCut("two") || l.IsCut("three") {
		t.Error("IsCut does not report what is cut")
	}
	if err := leads(t, one); err == nil {
		t.Error("an instance that is cut off reached the broker")
	}
	if answers(registry) {
		t.Error("an instance that is cut off reached the registry")
	}
	if err := reaches(t, l, "two", k); err != nil {
		t.Errorf("the other instance is cut off, too: %v", err)
	}
	l.Cut("one", false)
	if err := reaches(t, l, "one", k); err != nil {
		t.Errorf("after the cut: %v", err)
	}
	if !answers(registry) {
		t.Error("after the cut, the registry does not answer")
	}
}
