package model

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// pkgBuilder makes the package of one side of a document.
type pkgBuilder struct {
	*builder
	doc        *parse.Document
	role       Role
	out        *Package
	scope      scope
	keys       map[*parse.Scalar]string
	flat       map[*parse.Object]*Headers
	specs      map[*parse.ChannelMessage]*Spec
	topic      map[*parse.Channel]string
	address    map[*parse.Channel]*Address
	operations scope                   // Go names of operations
	taken      map[string]string       // handler method -> Go type of its answer
	unsaid     []*parse.ChannelMessage // nothing says how they are framed
}

func (b *builder) pkg(d *parse.Document, role Role) *Package {
	name := b.packageName(d, role)
	p := &pkgBuilder{builder: b, doc: d, role: role, scope: scope{}, keys: map[*parse.Scalar]string{}, flat: map[*parse.Object]*Headers{},
		specs: map[*parse.ChannelMessage]*Spec{}, topic: map[*parse.Channel]string{}, address: map[*parse.Channel]*Address{}, operations: scope{}, taken: map[string]string{}}
	p.out = &Package{Name: name, ImportPath: path.Join(b.config.ImportPath, name), Role: role, Document: d.File, Pos: d.PackagePos, Title: d.Title, Doc: d.Description, Imports: map[string]string{}}
	for _, taken := range []string{"Publisher", "NewPublisher", "Handler", "Register", "Topics", "OtherTopics", "Subjects", "Requester", "NewRequester", "Servers"} {
		p.scope.take(taken)
	}
	p.checkExamples()
	for _, c := range d.Channels {
		p.addTopic(c)
	}
	for _, o := range d.Operations {
		p.operation(o)
	}
	p.unframed()
	p.out.Servers = d.Servers
	p.out.Together = p.apart()
	for _, c := range d.Channels {
		if !slices.ContainsFunc(d.Operations, func(o *parse.Operation) bool { return o.Channel == c }) && !p.second() {
			p.framed(c)
		}
	}
	p.examples()
	return p.out
}

// second reports whether the owner's package is generated too, and has everything that belongs to
// neither side.
func (p *pkgBuilder) second() bool { return p.config.Role == Both && p.role == Client }

// packageName returns the name of the package of one side. If both are generated, the client's ends
// with client instead of bus.
func (b *builder) packageName(d *parse.Document, role Role) string {
	name := packageName(d)
	if b.config.Role == Both && role == Client {
		return strings.TrimSuffix(name, "bus") + "client"
	}
	return name
}

// goPackage returns s in lower case, with only letters and digits.
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

// packageName returns info.x-go-package, or else the name of the file without "asyncapi", or the
// title, with "bus" at its end. A file that is named after a version alone has no name.
func packageName(d *parse.Document) string {
	if d.GoPackage != "" {
		return d.GoPackage
	}
	base := strings.TrimSuffix(path.Base(d.File), path.Ext(d.File))
	for _, s := range []string{strings.ReplaceAll(strings.ToLower(base), "asyncapi", ""), d.Title, "events"} {
		const digits = "0123456789"
		if name := strings.TrimLeft(goPackage(s), digits); name != "" && strings.Trim(name, digits) != "v" {
			return name + "bus"
		}
	}
	return "eventsbus"
}

// checkPackages refuses invalid names and packages that would overwrite one another.
func (b *builder) checkPackages(m *Model) {
	seen := map[string]string{}
	for _, p := range m.Packages {
		if goPackage(p.Name) != p.Name || p.Name == "" || goname.Reserved(p.Name) || p.Name[0] <= '9' {
			b.diags.ErrorHint(p.Pos, "use lower case letters and digits, and no keyword of Go", "x-go-package %q is not a package name", p.Name)
		}
		if other, ok := seen[p.Name]; ok {
			b.diags.ErrorHint(p.Pos, "name one of them with info.x-go-package", "%s and %s both become package %s", other, p.Document, p.Name)
		}
		seen[p.Name] = p.Document
	}
}

func (p *pkgBuilder) addTopic(c *parse.Channel) {
	names, _ := parse.Placeholders(c.Kafka.Topic)
	switch {
	case c.Kafka.Topic == "":
		return
	case len(names) > 0:
		p.addAddress(c)
		return
	}
	p.topic[c] = p.scope.take(goname.Exported(c.Name) + "Topic")
	p.topicNamed(c, p.topic[c], c.Kafka.Topic)
}

// topicNamed adds a topic of a channel. constant is the name of its constant, or empty.
func (p *pkgBuilder) topicNamed(c *parse.Channel, constant, name string) {
	t := Topic{Const: constant, Own: c.File == p.doc.File, Doc: sentence(c.Title, constant+" is the topic of the channel "+c.Name+"."),
		Topic: topics.Topic{Name: name, Partitions: int32(c.Kafka.Partitions), Replicas: int16(c.Kafka.Replicas)}}
	for _, s := range c.Kafka.Configs {
		t.Configs = append(t.Configs, topics.Config{Name: s.Name, Value: s.Value})
	}
	t.Again = slices.ContainsFunc(p.out.Topics, func(o Topic) bool { return o.Name == t.Name })
	p.out.Topics = append(p.out.Topics, t)
}

// mostExpanded is the number of topics that one address can add to the table of topics.
const mostExpanded = 1000

// expand adds the topics of an address whose parameters all have an enum. Without an enum the
// topics are not known.
func (p *pkgBuilder) expand(c *parse.Channel) {
	a := &bus.Address{Template: c.Kafka.Topic}
	if names, _ := parse.Placeholders(c.Kafka.Topic); len(names) != len(c.Params) {
		return // a topic of the binding with parameters that the address does not have
	}
	count := 1
	for _, param := range c.Params {
		a.Params = append(a.Params, bus.Param{Name: param.Name, Enum: param.Enum})
		if count *= len(param.Enum); count > mostExpanded {
			p.diags.Warnf(c.AddressPos, "create them in another way", "the address of channel %s has more than %d topics, so they are not in the table of topics", c.Name, mostExpanded)
			return
		}
	}
	for i := range count {
		values := make([]string, len(a.Params))
		for j := len(values) - 1; j >= 0; j-- { // the last parameter changes fastest
			enum := a.Params[j].Enum
			values[j], i = enum[i%len(enum)], i/len(enum)
		}
		// an empty value is an error when it is sent
		if name, err := a.Topic(values...); err == nil {
			p.topicNamed(c, "", name)
		}
	}
}

// addAddress adds an address with parameters.
func (p *pkgBuilder) addAddress(c *parse.Channel) {
	name := p.scope.take(goname.Exported(c.Name) + "Params")
	a := &Address{Go: name, Var: p.scope.take(goname.Unexported(goname.Exported(c.Name)) + "Address"), Doc: strings.TrimSpace("the channel " + c.Name + ".\n\n" + sentence(c.Title)), Template: c.Kafka.Topic}
	fields := scope{"Topic": true}
	for _, param := range c.Params {
		out := Param{Param: param, Go: fields.take(goname.Exported(param.Name)), Type: "string", Doc: sentence(param.Description), located: param.Location}
		if param.Default != "" {
			out.Doc = strings.TrimSpace(out.Doc + " Empty means " + param.Default + ".")
		}
		if len(param.Enum) > 0 {
			out.Type = p.scope.take(goname.Exported(c.Name) + goname.Exported(param.Name))
			for _, v := range param.Enum {
				out.Values = append(out.Values, Value{p.scope.take(out.Type + strings.TrimPrefix(goname.Exported(v), "X")), v})
			}
		}
		a.Params = append(a.Params, out)
	}
	p.expand(c)
	p.address[c] = a
	p.out.Addresses = append(p.out.Addresses, a)
}

// sentence returns the first text that is not empty, with a full stop at its end.
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

// scope is the set of Go names that are taken.
type scope map[string]bool

// take takes a name and returns it, with a number if it was taken already.
func (s scope) take(name string) string {
	out := name
	for i := 2; s[out]; i++ {
		out = fmt.Sprintf("%s%d", name, i)
	}
	s[out] = true
	return out
}

// takeWith takes a name together with the names that the patterns make of it, and returns it, with
// a number if one of them was taken already.
func (s scope) takeWith(name string, patterns ...string) string {
	for i := 1; ; i++ {
		out := name
		if i > 1 {
			out = fmt.Sprintf("%s%d", name, i)
		}
		names := []string{out}
		for _, p := range patterns {
			names = append(names, fmt.Sprintf(p, out))
		}
		if slices.ContainsFunc(names, func(n string) bool { return s[n] }) {
			continue
		}
		for _, n := range names {
			s[n] = true
		}
		return out
	}
}

// retry returns the Go of a retry policy, as fields of bus.Retry.
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

// duration returns the Go of a duration in the largest unit that divides it.
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
