package acls

import (
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// A service compares its topics with its contracts when it starts, so it may read their settings.
func TestServicesReadTopicSettings(t *testing.T) {
	for user, all := range map[string][][]topics.Topic{
		Contract: {contractinternal.Topics(), contractbus.Topics()},
		Billing:  {billinginternal.Topics(), billingbus.Topics()},
	} {
		for _, topic := range slices.Concat(all...) {
			if !slices.ContainsFunc(Table(), func(r Right) bool {
				return r.User == user && r.Kind == Topic && r.Name == topic.Name && slices.Contains(r.May, configs)
			}) {
				t.Errorf("%s may not read the settings of %s", user, topic.Name)
			}
		}
	}
}

// A service writes no topic of the other one, and each public topic has one writer.
func TestOneWriterForEachTopic(t *testing.T) {
	writers := map[string][]string{}
	for _, r := range Table() {
		if !slices.Contains(Users(), r.User) {
			t.Errorf("%s is in the table but is not a user", r.User)
		}
		if slices.Contains(r.May, write) {
			writers[r.Name] = append(writers[r.Name], r.User)
		}
	}
	for topic, who := range writers {
		owner, _, ours := strings.Cut(topic, ".")
		if !ours { // the topics of a registry have other names
			owner = Registry
		}
		if !slices.Equal(who, []string{owner}) {
			t.Errorf("%s is written by %v", topic, who)
		}
	}
	if len(writers) != 13 {
		t.Errorf("%d topics are written: %v", len(writers), writers)
	}
}

func TestPrint(t *testing.T) {
	var out strings.Builder
	if err := Print(&out, Table()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| billing | topic `contract.facts.v1` | read, describe configs | ingests contracts |\n",
		"| reader | groups `reader.*` | read |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
