package model

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

func candidates(fullname, fromFile string) []string {
	dir := path.Dir(fromFile)
	short := fullname[strings.LastIndex(fullname, ".")+1:]
	return []string{path.Join(dir, short+".avsc"), path.Join(dir, fullname+".avsc")}
}

// pkgBuilder makes the package of one document.
type pkgBuilder struct {
	*builder
	doc   *parse.Document
	out   *Package
	scope scope
	keys  map[*parse.Scalar]string
	heads map[*parse.Object]*Headers
	specs map[*parse.ChannelMessage]*Spec
	topic map[*parse.Channel]string
}

func (b *builder) pkg(d *parse.Document) *Package {
	name := packageName(d)
	p := &pkgBuilder{builder: b, doc: d, scope: scope{}, keys: map[*parse.Scalar]string{}, heads: map[*parse.Object]*Headers{},
		specs: map[*parse.ChannelMessage]*Spec{}, topic: map[*parse.Channel]string{}}
	p.out = &Package{Name: name, ImportPath: path.Join(b.config.ImportPath, name), Document: d.File, Title: d.Title, Doc: d.Description, Imports: map[string]string{}}
	for _, taken := range []string{"Publisher", "NewPublisher", "Handler", "Register", "Topics", "OtherTopics", "Subjects"} {
		p.scope.take(taken)
	}
	p.checkExamples()
	for _, c := range d.Channels {
		p.addTopic(c)
	}
	for _, o := range d.Operations {
		p.operation(o)
	}
	for _, c := range d.Channels {
		if !slices.ContainsFunc(d.Operations, func(o *parse.Operation) bool { return o.Channel == c }) {
			p.framed(c)
		}
	}
	p.examples()
	return p.out
}

// goPackage are characters of package names; the others are left out.
func goPackage(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, s)
}

// packageName is info.x-go-package, or the file's name without "asyncapi", or the folder's name, or the title; these with "bus" behind.
func packageName(d *parse.Document) string {
	if d.GoPackage != "" {
		return d.GoPackage
	}
	base := strings.TrimSuffix(path.Base(d.File), path.Ext(d.File))
	for _, s := range []string{strings.ReplaceAll(strings.ToLower(base), "asyncapi", ""), path.Base(path.Dir(d.File)), d.Title, "events"} {
		if name := strings.TrimLeft(goPackage(s), "0123456789"); name != "" {
			return name + "bus"
		}
	}
	return "eventsbus"
}

// checkPackages refuses packages that would overwrite one another.
func (b *builder) checkPackages(m *Model) {
	seen := map[string]string{}
	for _, p := range m.Packages {
		if goPackage(p.Name) != p.Name || p.Name == "" {
			b.diags.ErrorHint(diag.Pos{File: p.Document}, "lower case letters and digits", "x-go-package %q is not a package name", p.Name)
		}
		if other, ok := seen[p.Name]; ok {
			b.diags.ErrorHint(diag.Pos{File: p.Document}, "name one with info.x-go-package", "both %s and %s become package %s", other, p.Document, p.Name)
		}
		seen[p.Name] = p.Document
	}
}

func (p *pkgBuilder) addTopic(c *parse.Channel) {
	if c.Kafka.Topic == "" {
		return
	}
	t := Topic{Const: p.scope.take(avro.GoName(c.Name) + "Topic"), Own: c.File == p.doc.File,
		Doc: sentence(c.Title, "Topic of the channel "+c.Name+"."), Topic: topics.Topic{Name: c.Kafka.Topic, Partitions: int32(c.Kafka.Partitions), Replicas: int16(c.Kafka.Replicas)}}
	for _, s := range c.Kafka.Configs {
		t.Configs = append(t.Configs, topics.Config{Name: s.Name, Value: s.Value})
	}
	p.topic[c] = t.Const
	p.out.Topics = append(p.out.Topics, t)
}

// sentence gives the first text that is not empty, ended by a full stop.
func sentence(texts ...string) string {
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			if !strings.ContainsAny(t[len(t)-1:], ".!?:") {
				t += "."
			}
			return t
		}
	}
	return ""
}

func (p *pkgBuilder) operation(o *parse.Operation) {
	if p.topic[o.Channel] == "" {
		p.diags.ErrorHint(o.Channel.Pos, "give the channel an address", "channel %s has no address, so that operation %s has nowhere to go", o.Channel.Name, o.Name)
		return
	}
	if len(o.Messages) == 0 && !o.Broken && !o.Channel.Broken {
		p.diags.Errorf(o.Pos, "operation %s has no messages", o.Name)
	}
	out := Operation{Name: o.Name, Suffix: avro.GoName(o.Name), About: ".", Topic: p.topic[o.Channel], Retry: retry(o.Retry)}
	if about := sentence(o.Title, o.Summary); about != "" {
		out.About = ": " + about
	}
	p.distinct(o.Channel)
	for _, m := range o.Channel.Messages {
		s := p.spec(o.Channel, m)
		switch {
		case s == nil:
		case slices.Contains(o.Messages, m):
			out.Specs = append(out.Specs, s)
		default:
			out.Others = append(out.Others, s)
		}
	}
	for _, s := range o.Channel.Kafka.Configs {
		out.Compacted = out.Compacted || s.Name == "cleanup.policy" && strings.Contains(s.Value, "compact")
	}
	if (o.Action == parse.Send) != p.config.Client {
		p.out.Senders = append(p.out.Senders, out)
		return
	}
	if o.DeadLetter != nil {
		out.DeadLetters = o.DeadLetter.Kafka.Topic
	}
	if o.GroupID != "" {
		out.Group, out.GroupConst = o.GroupID, p.scope.take(out.Suffix+"Group")
	}
	p.out.Receivers = append(p.out.Receivers, out)
}

// distinct refuses a channel whose messages a reader could not tell apart.
func (p *pkgBuilder) distinct(c *parse.Channel) {
	seen := map[string]*parse.ChannelMessage{}
	for _, m := range c.Messages {
		r := p.avroRoots[m.Payload]
		if r == nil {
			continue // JSON is told apart by the header ce_type
		}
		if other, ok := seen[r.Name]; ok && other.Message != m.Message {
			p.diags.ErrorHint(m.Message.Pos, "give one of them a schema of its own", "messages %s and %s of channel %s have the same schema %s, so that a reader cannot tell them apart",
				other.Name, m.Name, c.Name, r.Name)
		}
		seen[r.Name] = m
	}
}

// qualify gives another name of a root's package as the bus package writes it.
func (p *pkgBuilder) qualify(r *root, name string) string {
	_, pkg := p.goType(r)
	return pkg + "." + name
}

// scope hands out Go names once.
type scope map[string]bool

// take gives the name, with a number when it is taken.
func (s scope) take(name string) string {
	out := name
	for i := 2; s[out]; i++ {
		out = fmt.Sprintf("%s%d", name, i)
	}
	s[out] = true
	return out
}

// retry prints a retry policy as fields of the runtime's Retry.
func retry(r parse.Retry) string {
	var out []string
	if r.MaxAttempts > 0 {
		out = append(out, fmt.Sprintf("MaxAttempts: %d", r.MaxAttempts))
	}
	if r.Initial > 0 {
		out = append(out, "Initial: "+duration(r.Initial))
	}
	if r.Max > 0 {
		out = append(out, "Max: "+duration(r.Max))
	}
	if r.Fixed {
		out = append(out, "Fixed: true")
	}
	return strings.Join(out, ", ")
}

// duration prints a duration in the largest unit that divides it.
func duration(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"Hour", time.Hour}, {"Minute", time.Minute}, {"Second", time.Second}, {"Millisecond", time.Millisecond}, {"Microsecond", time.Microsecond}} {
		if d == u.unit {
			return "time." + u.name
		}
		if d%u.unit == 0 {
			return fmt.Sprintf("%d * time.%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d", d)
}
