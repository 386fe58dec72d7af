// Package overview draws the system from its contracts: who calls what, which service has which
// topics, and who reads them. The command record writes its pictures, and a test compares them with
// the contracts of the day. Nothing else imports it.
package overview

import (
	"fmt"
	"path"
	"strings"

	"github.com/deferpay/deferpay/tools/specfile"
)

// Languages are those of the pictures.
var Languages = []string{"fr", "en"}

// service is what the contracts of a service say about it.
type service struct {
	name     string
	base     string // of its HTTP interface
	tags     []count
	calls    int // operations of the HTTP interface
	sends    []count
	receives []count
	private  []string // topics
}

// count is a name with a number of things: a tag with its operations, a topic with its messages.
type count struct {
	name string
	n    int
}

// read reads the contracts of both services.
func read(specs string) ([]service, error) {
	set := specfile.NewSet()
	var list []service
	for _, name := range []string{"contract", "billing"} {
		s := service{name: name}
		for file, into := range map[string]func(specfile.Value){"openapi.yaml": s.http, "asyncapi.yaml": s.events, "internal.asyncapi.yaml": s.internal} {
			root, err := set.Open(path.Join(specs, name, file))
			if err != nil {
				return nil, err
			}
			into(root)
		}
		list = append(list, s)
	}
	return list, nil
}

func (s *service) http(root specfile.Value) {
	for _, server := range root.Get("servers").Items() {
		s.base = server.Get("url").Str()
	}
	for _, p := range root.Get("paths").Members() {
		for _, op := range p.Members() {
			if !op.Get("operationId").Ok() {
				continue
			}
			s.calls++
			for _, tag := range op.Get("tags").Items() {
				s.tags = add(s.tags, tag.Str(), 1)
			}
		}
	}
}

// add adds to the number of a name.
func add(list []count, name string, n int) []count {
	for i := range list {
		if list[i].name == name {
			list[i].n += n
			return list
		}
	}
	return append(list, count{name, n})
}

func (s *service) events(root specfile.Value) {
	for _, op := range root.Get("operations").Members() {
		topic, n := op.Get("channel", "address").Str(), len(op.Get("messages").Items())
		if op.Get("action").Str() == "send" {
			s.sends = add(s.sends, topic, n)
		} else {
			s.receives = add(s.receives, topic, n)
		}
	}
}

func (s *service) internal(root specfile.Value) {
	for _, ch := range root.Get("channels").Members() {
		if topic := ch.Get("address").Str(); topic != "" {
			s.private = append(s.private, topic)
		}
	}
}

// words are the words of the pictures by language.
var words = map[string]map[string]string{
	"fr": {
		"contract": "Contrat", "billing": "Facturation", "clients": "Clients HTTP", "readers": "Tout abonné", "people": "vente, gestion, banque", "any": "comptabilité, CRM…",
		"operations": "opérations", "messages": "types de messages", "publishes": "publie", "reads": "%s en lit %d", "private": "topics privés", "public": "topics publics",
		"context": "Le contexte : deux services, appelés en HTTP, et leurs topics publics", "containers": "Les services, leurs topics privés et publics, et qui les lit",
	},
	"en": {
		"contract": "Contract", "billing": "Billing", "clients": "HTTP clients", "readers": "Any subscriber", "people": "sales, management, bank", "any": "accounting, CRM…",
		"operations": "operations", "messages": "message types", "publishes": "publishes", "reads": "%s reads %d of them", "private": "private topics", "public": "public topics",
		"context": "The context: two services, called over HTTP, and their public topics", "containers": "The services, their private and public topics, and who reads them",
	},
}

// Pictures returns the pictures by their file names: the context and the containers in each
// language.
func Pictures(specs string) (map[string][]byte, error) {
	services, err := read(specs)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, lang := range Languages {
		files["context."+lang+".svg"] = context(services, words[lang])
		files["containers."+lang+".svg"] = containers(services, words[lang])
	}
	return files, nil
}

func context(services []service, w map[string]string) []byte {
	d := begin(w["context"], 430)
	d.box(box{x: 10, y: 150, w: 210, h: 110, color: person}, w["clients"], w["people"])
	d.box(box{x: 940, y: 150, w: 210, h: 110, color: person}, w["readers"], w["any"])
	d.frame(box{x: 390, y: 10, w: 380, h: 410, color: system}, "deferpay")
	for i, s := range services {
		b := box{x: 420, y: 60 + 185*i, w: 320, h: 160, color: colors[s.name]}
		var tags []string
		for _, t := range s.tags {
			tags = append(tags, fmt.Sprintf("%s %d", t.name, t.n))
		}
		d.box(b, w[s.name], lines(tags)...)
		d.arrow(220, 190+30*i, b.x, b.y+b.h/2, false)
		d.text(305, b.y+b.h/2-26, 16, ink, s.base, fmt.Sprintf("%d %s", s.calls, w["operations"]))
		for _, topic := range s.sends {
			d.arrow(b.x+b.w, b.y+b.h/2, 940, 190+30*i, false)
			d.text(855, b.y+b.h/2-26, 16, topics, topic.name, fmt.Sprintf("%d %s", topic.n, w["messages"]))
		}
	}
	return d.end()
}

// lines puts two names on a line.
func lines(names []string) []string {
	var out []string
	for len(names) > 2 {
		out = append(out, names[0]+" · "+names[1])
		names = names[2:]
	}
	return append(out, strings.Join(names, " · "))
}

func containers(services []service, w map[string]string) []byte {
	d := begin(w["containers"], 500)
	d.text(130, 28, 17, topics, w["private"])
	d.text(1020, 28, 17, topics, w["public"])
	at := map[string]box{} // of each public topic
	for i, s := range services {
		for j, topic := range s.sends {
			b := box{x: 890, y: 108 + 270*i + 70*j, w: 260, h: 74, color: topics}
			at[topic.name] = b
			d.box(b, topic.name, fmt.Sprintf("%d %s", topic.n, w["messages"]))
		}
	}
	for i, s := range services {
		b := box{x: 400, y: 80 + 270*i, w: 220, h: 130, color: colors[s.name]}
		d.box(b, w[s.name], s.base, fmt.Sprintf("%d %s", s.calls, w["operations"]))
		for j, topic := range s.private {
			y := 50 + 272*i + 34*j
			d.small(box{x: 10, y: y, w: 240, h: 28, color: topics}, topic)
			d.arrow(b.x, b.y+b.h/2, 250, y+14, false)
		}
		for _, topic := range s.sends {
			t := at[topic.name]
			d.arrow(b.x+b.w, b.y+b.h/2, t.x, t.y+t.h/2, false)
			d.text((b.x+b.w+t.x)/2, t.y+t.h/2-14, 16, ink, w["publishes"])
		}
		for _, topic := range s.receives {
			t := at[topic.name]
			d.arrow(t.x, t.y+t.h/2+18*(1-2*i)*-1, b.x+b.w, b.y+b.h/2+30*(1-2*i), true)
			d.text(t.x+t.w/2, t.y+t.h+24, 16, ink, fmt.Sprintf(w["reads"], w[s.name], topic.n))
		}
	}
	return d.end()
}
