package main

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/specfile"
)

// EventEntry is a message in the catalogue of events.
type EventEntry struct {
	Name, Title, Text string
	Topic             string
	Sender            string
	Receivers         []string
	Key, Framing      string
	Headers           []string
	Schema, Href      string
}

// TopicEntry is a topic in the list of topics.
type TopicEntry struct {
	Address, Title, Text string
	Owner                string
	Private              bool
	Readers              []string
	Messages             []string
	Settings             []Pair
	Href                 string
}

// readCatalogue returns every public message with who sends it and who receives it.
func readCatalogue(pages []*Page) []EventEntry {
	var list []EventEntry
	at := map[string]int{}
	for _, page := range pages {
		if page.Events == nil {
			continue
		}
		for _, op := range page.Events.Operations {
			for _, m := range op.Messages {
				if op.Action == "send" {
					at[m] = len(list)
					list = append(list, entryOf(page, op, m))
				}
			}
		}
	}
	for _, page := range pages {
		if page.Events == nil {
			continue
		}
		for _, op := range page.Events.Operations {
			for _, m := range op.Messages {
				if i, ok := at[m]; ok && op.Action == "receive" {
					list[i].Receivers = append(list[i].Receivers, page.Service)
				}
			}
		}
	}
	return list
}

func entryOf(page *Page, op EventOperation, name string) EventEntry {
	e := EventEntry{Name: name, Topic: op.Channel, Sender: page.Service, Href: page.File + "#message-" + name}
	for _, m := range page.Events.Messages {
		if m.Name != name {
			continue
		}
		e.Title, e.Text, e.Schema = m.Title, m.Record.Text, m.Record.Full
		for _, b := range m.Bindings {
			switch b.Name {
			case "key":
				e.Key = b.Text
			case "framing":
				e.Framing = b.Text
			}
		}
		for _, h := range m.Headers {
			e.Headers = append(e.Headers, h.Name)
		}
	}
	return e
}

// privateDocuments are those of the topics that no other service may depend on.
var privateDocuments = []string{"contract/internal.asyncapi.yaml", "billing/internal.asyncapi.yaml"}

// readTopics returns every topic with its settings, the public ones first.
func readTopics(pages []*Page, set *specfile.Set, specs string) ([]TopicEntry, error) {
	var list []TopicEntry
	for _, page := range pages {
		if page.Events == nil {
			continue
		}
		for _, ch := range page.Events.Channels {
			if ch.Foreign != "" {
				continue
			}
			t := TopicEntry{Address: ch.Address, Title: ch.Title, Text: ch.Text, Owner: page.Service, Messages: ch.Messages, Settings: ch.Settings, Href: page.File + "#topic-" + ch.Name}
			for _, reader := range pages {
				if reader.Events != nil && reader.Events.receives(ch.Address) {
					t.Readers = append(t.Readers, reader.Service)
				}
			}
			list = append(list, t)
		}
	}
	for _, name := range privateDocuments {
		root, err := set.Open(specs + "/" + name)
		if err != nil {
			return nil, err
		}
		service, _, _ := strings.Cut(name, "/")
		for _, m := range root.Get("channels").Members() {
			if ch := readChannel(root, m); ch.Address != "" {
				list = append(list, TopicEntry{Address: ch.Address, Title: ch.Title, Text: ch.Text, Owner: service, Private: true, Settings: ch.Settings})
			}
		}
	}
	return list, nil
}

// receives reports whether the service of a document reads a topic.
func (d *EventsDoc) receives(topic string) bool {
	return slices.ContainsFunc(d.Operations, func(op EventOperation) bool { return op.Action == "receive" && op.Channel == topic })
}
