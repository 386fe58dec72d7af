package asyncdiff

import (
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// Defaults of Kafka for settings that a document may leave out.
var settingDefaults = map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000", "retention.bytes": "-1", "max.message.bytes": "1048588"}

// bindings compares the settings of the topic of a channel.
func (d *differ) bindings(c, n *parse.Channel) {
	at := n.Kafka.Pos
	if !at.IsValid() {
		at = n.Pos
	}
	if !c.Kafka.Pos.IsValid() && !n.Kafka.Pos.IsValid() {
		return
	}
	a, b := max(c.Kafka.Partitions, 1), max(n.Kafka.Partitions, 1)
	if a != b {
		d.changed(finding.Semantic, "PARTITIONS_CHANGED", at, "add a topic with the new number and move consumers over; a key moves to another partition, so its order is lost",
			"topic %s has %d partitions instead of %d", topic(n), b, a)
	}
	if a, b := c.Kafka.Replicas, n.Kafka.Replicas; a != b {
		d.changed(finding.Info, "REPLICAS_CHANGED", at, "", "topic %s has %d replicas instead of %d", topic(n), b, a)
	}
	was, is := settings(c), settings(n)
	for _, name := range names(was, is) {
		d.setting(n, at, name, was, is)
	}
}

func settings(c *parse.Channel) map[string]string {
	out := map[string]string{}
	for _, s := range c.Kafka.Configs {
		out[s.Name] = s.Value
	}
	return out
}

func names(a, b map[string]string) []string {
	var out []string
	for _, m := range []map[string]string{a, b} {
		for name := range m {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *differ) setting(n *parse.Channel, at diag.Pos, name string, was, is map[string]string) {
	a, b := valueOf(name, was), valueOf(name, is)
	switch {
	case a == b:
	case name == "cleanup.policy":
		d.changed(finding.Semantic, "CLEANUP_POLICY_CHANGED", at, "add a topic with the new policy: readers rely on every record, or on the last one of each key, to be there",
			"the cleanup policy of topic %s changed from %s to %s", topic(n), a, b)
	case strings.HasPrefix(name, "retention.") || name == "delete.retention.ms":
		if shorter(a, b) {
			d.changed(finding.Semantic, "RETENTION_SHORTENED", at, "a consumer that was stopped for longer loses records: agree on it with each of them", "%s of topic %s was shortened from %s to %s", name, topic(n), a, b)
		} else {
			d.changed(finding.Info, "RETENTION_EXTENDED", at, "", "%s of topic %s was extended from %s to %s", name, topic(n), a, b)
		}
	case name == "max.message.bytes" && shorter(a, b):
		d.changed(finding.Warning, "MESSAGE_SIZE_LOWERED", at, "", "topic %s refuses messages of more than %s bytes, before %s", topic(n), b, a)
	default:
		d.changed(finding.Info, "TOPIC_SETTING_CHANGED", at, "", "%s of topic %s changed from %q to %q", name, topic(n), a, b)
	}
}

// valueOf returns a setting with the parts of a list in order.
func valueOf(name string, all map[string]string) string {
	v, ok := all[name]
	if !ok {
		return settingDefaults[name]
	}
	parts := strings.Split(strings.ReplaceAll(v, " ", ""), ",")
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// shorter reports whether b is a smaller bound than a. -1 is none.
func shorter(a, b string) bool {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX != nil || errY != nil {
		return true // it cannot be compared, so somebody has to look
	}
	return y >= 0 && (x < 0 || y < x)
}
