package asyncdiff

import (
	"slices"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/jsondiff"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// components compares the components of documents without channels, which are there for others to
// refer to. Those of other documents matter where a channel uses them.
func (d *differ) components() {
	for _, m := range d.former.Messages {
		i := slices.IndexFunc(d.next.Messages, func(n *parse.Message) bool { return n.Name == m.Name })
		if i < 0 {
			d.removed(finding.Breaking, "MESSAGE_REMOVED", m.Pos, "keep the message until nobody refers to it", "message %s is gone", m.Name)
			continue
		}
		k := d.next.Messages[i]
		d.parts(&parse.Channel{Name: "components"}, m, k)
	}
	for _, c := range d.former.Schemas {
		i := slices.IndexFunc(d.next.Schemas, func(n *parse.Component) bool { return n.Name == c.Name })
		if i < 0 {
			// perhaps it was renamed, and nobody refers to it
			d.removed(finding.Warning, "SCHEMA_REMOVED", c.Schema.Pos, "keep the schema until nobody refers to it", "schema %s is gone", c.Name)
			continue
		}
		d.schema(c.Name, c.Payload, d.next.Schemas[i].Payload, nil, &parse.Channel{Name: "components"}, jsondiff.Sent|jsondiff.Received)
	}
}

// parts compares what messages are made of, wherever they are used.
func (d *differ) parts(n *parse.Channel, m, k *parse.Message) {
	d.key(n, m, k)
	d.headers(n, m, k)
	d.payload(n, m, k)
}
