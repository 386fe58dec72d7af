package kafkabus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// TestLogin logs in with a wrong password, which is reported, and corrects it in its file while the
// process runs.
func TestLogin(t *testing.T) {
	for _, mechanism := range []string{secure.Scram256, secure.Scram512} {
		t.Run(mechanism, func(t *testing.T) {
			brokers := broker(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "u", "right"), kfake.SeedTopics(1, "facts"))
			password := filepath.Join(t.TempDir(), "password")
			write := func(text string) {
				if err := os.WriteFile(password, []byte(text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("mistaken")
			security, err := secure.Kafka{User: "u", PasswordFile: password, Mechanism: mechanism}.Open()
			if err != nil {
				t.Fatal(err)
			}
			cfg := Config{Brokers: brokers, ClientID: "test", Logger: quiet, Security: security}
			p, err := NewPublisher(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			if err := p.Publish("facts", message.NewMessage("", []byte("x"))); err == nil || strings.Contains(err.Error(), "mistaken") {
				t.Fatalf("published with a wrong password, or it is told: %v", err)
			}
			write("right")
			if err := p.Publish("facts", message.NewMessage("", []byte("x"))); err != nil {
				t.Fatal(err)
			}
			s, err := NewSubscriber(cfg, "g")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if got := next(t, subscribe(t, s, "facts")); string(got.Payload) != "x" {
				t.Errorf("got %q", got.Payload)
			} else {
				got.Ack()
			}
		})
	}
}

func TestPasswordFileMissing(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("p"), 0o600); err != nil {
		t.Fatal(err)
	}
	security, err := secure.Kafka{User: "u", PasswordFile: password}.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(password); err != nil {
		t.Fatal(err)
	}
	if _, err := NewSubscriber(Config{Brokers: []string{"127.0.0.1:1"}, Logger: quiet, Security: security}, "g"); err == nil || !strings.Contains(err.Error(), "read the password") {
		t.Errorf("got %v", err)
	}
}
