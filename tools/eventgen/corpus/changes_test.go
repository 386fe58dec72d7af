package corpus

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// change changes a document. Its function make returns false if there is nothing to change; keeps,
// which can be nil, compares the results before and after.
type change struct {
	name  string
	make  func(r *rand.Rand, w *work) bool
	keeps func(t *testing.T, before, after result)
}

var changes = []change{
	{"as JSON", func(_ *rand.Rand, w *work) bool { w.json = true; return true }, sameFiles},
	{"as YAML", func(*rand.Rand, *work) bool { return true }, sameFiles},
	{"with CRLF and BOM", carriage, sameFiles},
	{"reordered", func(r *rand.Rand, w *work) bool { reorder(r, w.tree, 0); return true }, sameAPI},
	{"components in other files", split, sameFiles},
	{"channels in another file", splitChannels, sameFiles},
	{"references through references", detour, sameFiles},
	{"extended", extend, sameFiles},
	{"unknown fields", unknown, sameFiles},
	{"without info", func(_ *rand.Rand, w *work) bool { return remove(w.tree, "info") }, sameVerdict},
	{"schemas renamed", renameSchemas, sameShapes},
	{"references inlined", inline, sameShapes},
	{"combined", combine, nil},
	{"a value lost", lose, nil},
	{"a value of another kind", otherKind, nil},
	{"two values swapped", swap, nil},
	{"a reference to elsewhere", elsewhere, nil},
	{"a reference to what it stands in", ownParent, nil},
	{"a value repeated", repeat, nil},
	{"several faults", several, nil},
	{"text cut", cut, nil},
	{"a byte changed", flip, nil},
}

// clone returns a deep copy of a tree.
func clone(n *source.Node) *source.Node {
	if n == nil {
		return nil
	}
	out := source.Node{Pos: n.Pos, Kind: n.Kind, Value: n.Value, Items: slices.Clone(n.Items), Pairs: slices.Clone(n.Pairs)}
	for i := range out.Items {
		out.Items[i] = clone(out.Items[i])
	}
	for i, p := range out.Pairs {
		key := *p.Key
		out.Pairs[i] = source.Pair{Key: &key, Value: clone(p.Value)}
	}
	return &out
}

// yamlText returns a tree as YAML.
func yamlText(n *source.Node) []byte {
	data, err := yaml.Marshal(yamlNode(n))
	if err != nil {
		panic(err) // impossible: the tree has plain nodes only
	}
	return data
}

func yamlNode(n *source.Node) *yaml.Node {
	tags := map[source.Kind]string{source.Null: "!!null", source.Bool: "!!bool", source.Int: "!!int", source.Float: "!!float", source.String: "!!str"}
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: tags[n.Kind], Value: n.Value}
	switch n.Kind {
	case source.Null:
		out.Value = "null"
	case source.Seq:
		out = &yaml.Node{Kind: yaml.SequenceNode}
		for _, it := range n.Items {
			out.Content = append(out.Content, yamlNode(it))
		}
	case source.Map:
		out = &yaml.Node{Kind: yaml.MappingNode}
		for _, p := range n.Pairs {
			out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: p.Key.Value}, yamlNode(p.Value))
		}
	}
	return out
}

func str(s string) *source.Node { return &source.Node{Kind: source.String, Value: s} }

func object(pairs ...source.Pair) *source.Node { return &source.Node{Kind: source.Map, Pairs: pairs} }

func pair(key string, v *source.Node) source.Pair { return source.Pair{Key: str(key), Value: v} }

func ref(to string) *source.Node { return object(pair("$ref", str(to))) }

// set sets a member of an object.
func set(n *source.Node, key string, v *source.Node) {
	for i := range n.Pairs {
		if n.Pairs[i].Key.Value == key {
			n.Pairs[i].Value = v
			return
		}
	}
	n.Pairs = append(n.Pairs, pair(key, v))
}

func remove(n *source.Node, key string) bool {
	before := len(n.Pairs)
	n.Pairs = slices.DeleteFunc(n.Pairs, func(p source.Pair) bool { return p.Key.Value == key })
	return len(n.Pairs) < before
}

// walk calls visit for every node with its path from the root, parents first.
func walk(n *source.Node, way []string, visit func(n *source.Node, way []string)) {
	visit(n, way)
	for i, it := range n.Items {
		walk(it, append(slices.Clone(way), fmt.Sprint(i)), visit)
	}
	for _, p := range n.Pairs {
		walk(p.Value, append(slices.Clone(way), p.Key.Value), visit)
	}
}

// references returns the nodes that have a $ref.
func references(n *source.Node) []*source.Node {
	var out []*source.Node
	walk(n, nil, func(n *source.Node, way []string) {
		if n.Get("$ref").Is(source.String) {
			out = append(out, n)
		}
	})
	return out
}

// retarget replaces the target of every reference and of every mapping of a discriminator.
func retarget(n *source.Node, to func(string) string) {
	walk(n, nil, func(n *source.Node, way []string) {
		if !n.Is(source.String) || len(way) == 0 {
			return
		}
		if last := way[len(way)-1]; last == "$ref" || len(way) > 1 && way[len(way)-2] == "mapping" && strings.Contains(n.Value, "#/") {
			n.Value = to(n.Value)
		}
	})
}

func carriage(_ *rand.Rand, w *work) bool {
	w.data, w.tree = []byte("\ufeff"+strings.ReplaceAll(strings.ReplaceAll(string(w.data), "\r\n", "\n"), "\n", "\r\n")), nil
	return true
}

// reorder shuffles the members of every object except channels and operations, whose order decides
// which of two channels names a message that they share.
func reorder(r *rand.Rand, n *source.Node, depth int) {
	r.Shuffle(len(n.Pairs), func(i, j int) { n.Pairs[i], n.Pairs[j] = n.Pairs[j], n.Pairs[i] })
	for _, p := range n.Pairs {
		if depth == 0 && (p.Key.Value == "channels" || p.Key.Value == "operations") {
			for _, m := range p.Value.Pairs {
				reorder(r, m.Value, 2)
			}
			continue
		}
		reorder(r, p.Value, depth+1)
	}
	for _, it := range n.Items {
		reorder(r, it, depth+1)
	}
}

// moved returns a copy of a subtree for a folder that is depth levels below that of the document.
func moved(w *work, n *source.Node, depth int) *source.Node {
	out := clone(n)
	up := strings.Repeat("../", depth)
	retarget(out, func(to string) string {
		switch {
		case strings.HasPrefix(to, "#"):
			return up + strings.ReplaceAll(path.Base(w.name), " ", "%20") + to
		case strings.Contains(to, "://"):
			return to
		}
		return up + to
	})
	return out
}

// split moves some of the components into files in folders of random depth.
func split(r *rand.Rand, w *work) bool {
	any := false
	for _, section := range w.tree.Get("components").Keys() {
		if strings.HasPrefix(section, "x-") {
			continue
		}
		here := w.tree.Get("components").Get(section)
		for i, p := range here.Pairs {
			if r.IntN(4) == 0 {
				continue
			}
			any = true
			depth := r.IntN(3)
			file := []string{"moved", "moved files/moved", "moved files/in/moved"}[depth] + fmt.Sprintf("-%s-%d.yaml", section, i)
			body := object(pair(section, object(pair(p.Key.Value, moved(w, p.Value, depth)))))
			w.fsys[path.Join(path.Dir(w.name), file)] = &fstest.MapFile{Data: yamlText(body)}
			here.Pairs[i].Value = ref(strings.ReplaceAll(file, " ", "%20") + "#/" + section + "/" + strings.ReplaceAll(source.Escape(p.Key.Value), " ", "%20"))
		}
	}
	return any
}

func splitChannels(r *rand.Rand, w *work) bool {
	channels := w.tree.Get("channels")
	if !channels.Is(source.Map) || len(channels.Pairs) == 0 {
		return false
	}
	depth := r.IntN(3)
	file := []string{"moved.json", "moved/in.json", "moved/in/deep.json"}[depth]
	body := object(pair("channels", moved(w, channels, depth)))
	w.fsys[path.Join(path.Dir(w.name), file)] = &fstest.MapFile{Data: body.JSON()}
	for i, p := range channels.Pairs {
		channels.Pairs[i].Value = ref(file + "#/channels/" + source.Escape(p.Key.Value))
	}
	return true
}

// detour replaces the targets of references by references to them.
func detour(r *rand.Rand, w *work) bool {
	hops := object()
	for i, n := range references(w.tree) {
		to := n.Get("$ref").Value
		if r.IntN(2) == 0 || !strings.HasPrefix(to, "#/components/") {
			continue
		}
		key := to[strings.LastIndex(to, "/")+1:]
		name := fmt.Sprint("hop", i)
		hops.Pairs = append(hops.Pairs, pair(name, object(pair(source.Unescape(key), ref(to)))))
		set(n, "$ref", str("#/x-hops/"+name+"/"+key))
	}
	w.tree.Pairs = append(w.tree.Pairs, pair("x-hops", hops))
	return len(hops.Pairs) > 0
}

// objects returns the AsyncAPI objects of a document that may have extensions and are not
// references.
func objects(root *source.Node) []*source.Node {
	out := []*source.Node{root, root.Get("info"), root.Get("components")}
	for _, of := range []*source.Node{root, root.Get("components")} {
		for _, section := range []string{"channels", "operations", "messages", "servers", "replies", "parameters", "correlationIds", "messageTraits", "operationTraits"} {
			for _, p := range members(of.Get(section)) {
				out = append(out, p.Value)
			}
		}
		for _, c := range members(of.Get("channels")) {
			for _, m := range members(c.Value.Get("messages")) {
				out = append(out, m.Value)
			}
		}
	}
	return slices.DeleteFunc(out, func(n *source.Node) bool { return !n.Is(source.Map) || n.Get("$ref") != nil })
}

func members(n *source.Node) []source.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

func extend(r *rand.Rand, w *work) bool {
	for _, n := range objects(w.tree) {
		at := r.IntN(len(n.Pairs) + 1)
		n.Pairs = slices.Insert(n.Pairs, at, pair("x-stranger", clone(w.tree.Get("asyncapi"))), pair("x-"+fmt.Sprint(r.IntN(9)), object(pair("$id", str("x")))))
	}
	return true
}

func unknown(r *rand.Rand, w *work) bool {
	for _, n := range objects(w.tree) {
		n.Pairs = slices.Insert(n.Pairs, r.IntN(len(n.Pairs)+1), pair("stranger", object(pair("a", str("b")))))
	}
	return true
}

// renameSchemas renames the schemas under components.
func renameSchemas(_ *rand.Rand, w *work) bool {
	schemas := w.tree.Get("components").Get("schemas")
	if !schemas.Is(source.Map) {
		return false
	}
	for _, p := range schemas.Pairs {
		old, name := "#/components/schemas/"+source.Escape(p.Key.Value), "Renamed"+p.Key.Value
		retarget(w.tree, func(to string) string {
			if to == old || strings.HasPrefix(to, old+"/") {
				return "#/components/schemas/" + source.Escape(name) + to[len(old):]
			}
			return to
		})
		p.Key.Value = name
	}
	return true
}

// inline replaces some references to schemas by their targets.
func inline(r *rand.Rand, w *work) bool {
	any := false
	for _, n := range references(w.tree) {
		to := n.Get("$ref").Value
		if !strings.HasPrefix(to, "#/components/schemas/") || r.IntN(2) == 0 {
			continue
		}
		target, _, _ := w.tree.Lookup(to[1:])
		if target == nil || len(n.Pairs) > 1 || endless(w.tree, target, nil) {
			continue
		}
		*n = *clone(target)
		any = true
	}
	return any
}

// endless reports whether references lead from a node back to it.
func endless(root, n *source.Node, way []*source.Node) bool {
	if slices.Contains(way, n) {
		return true
	}
	for _, at := range references(n) {
		if to, ok := strings.CutPrefix(at.Get("$ref").Value, "#"); ok {
			if target, _, _ := root.Lookup(to); target != nil && endless(root, target, append(slices.Clone(way), n)) {
				return true
			}
		}
	}
	return false
}

// combine merges another document of the same repository into this one.
func combine(r *rand.Rand, w *work) bool {
	other := w.docs[r.IntN(len(w.docs))]
	repository, _, _ := strings.Cut(w.name, "/")
	if !strings.HasPrefix(other.name, repository+"/") || other.name == w.name {
		return false
	}
	tree, ds := source.Parse(other.name, w.all[other.name].Data)
	if ds.HasErrors() {
		return false
	}
	tree = clone(tree)
	up := strings.Repeat("../", strings.Count(w.name, "/"))
	retarget(tree, func(to string) string {
		if strings.HasPrefix(to, "#") || strings.Contains(to, "://") {
			return to
		}
		file, pointer, found := strings.Cut(to, "#")
		if found {
			pointer = "#" + pointer
		}
		return up + path.Join(path.Dir(other.name), file) + pointer
	})
	merge(w.tree, tree, 0)
	return true
}

// merge adds the members that an object lacks, three levels deep.
func merge(into, from *source.Node, depth int) {
	for _, p := range from.Pairs {
		have := into.Get(p.Key.Value)
		switch {
		case have == nil:
			into.Pairs = append(into.Pairs, p)
		case have.Is(source.Map) && p.Value.Is(source.Map) && depth < 3:
			merge(have, p.Value, depth+1)
		}
	}
}

// anyNode returns a random node of the tree. It is not the root if there are others.
func anyNode(r *rand.Rand, root *source.Node) *source.Node {
	var all []*source.Node
	walk(root, nil, func(n *source.Node, way []string) {
		if len(way) > 0 {
			all = append(all, n)
		}
	})
	if len(all) == 0 {
		return root
	}
	return all[r.IntN(len(all))]
}

func lose(r *rand.Rand, w *work) bool {
	gone := anyNode(r, w.tree)
	walk(w.tree, nil, func(n *source.Node, _ []string) {
		n.Items = slices.DeleteFunc(n.Items, func(it *source.Node) bool { return it == gone })
		n.Pairs = slices.DeleteFunc(n.Pairs, func(p source.Pair) bool { return p.Value == gone })
	})
	return true
}

func otherKind(r *rand.Rand, w *work) bool {
	values := []*source.Node{{Kind: source.Null}, {Kind: source.Bool, Value: "true"}, {Kind: source.Bool, Value: "false"}, {Kind: source.Int, Value: "0"}, {Kind: source.Int, Value: "-1"},
		{Kind: source.Int, Value: "99999999999999999999"}, {Kind: source.Float, Value: "1e400"}, {Kind: source.Float, Value: "0.5"}, str(""), str(" "), str("a\nb"), str("*/ `\"\\"), str("type"), str("é"), str("{}"), {Kind: source.Seq},
		{Kind: source.Map}, {Kind: source.Seq, Items: []*source.Node{{Kind: source.Seq}, {Kind: source.Null}}}, object(pair("", str(""))), object(pair("type", str("object"))), ref("#"), ref(""), ref("#/"), ref("x.yaml"), ref("."), ref("../..")}
	*anyNode(r, w.tree) = *clone(values[r.IntN(len(values))])
	return true
}

func swap(r *rand.Rand, w *work) bool {
	a, b := anyNode(r, w.tree), anyNode(r, w.tree)
	ca, cb := clone(a), clone(b)
	*a = *cb
	if !slices.Contains(nodes(a), b) {
		*b = *ca
	}
	return true
}

func nodes(n *source.Node) []*source.Node {
	var out []*source.Node
	walk(n, nil, func(n *source.Node, _ []string) { out = append(out, n) })
	return out
}

// pointers returns the JSON pointers to all objects of a document.
func pointers(root *source.Node) []string {
	var out []string
	walk(root, nil, func(n *source.Node, way []string) {
		if n.Is(source.Map) {
			var b strings.Builder
			for _, s := range way {
				b.WriteString("/" + source.Escape(s))
			}
			out = append(out, "#"+b.String())
		}
	})
	return out
}

func elsewhere(r *rand.Rand, w *work) bool {
	refs, to := references(w.tree), pointers(w.tree)
	if len(refs) == 0 {
		return false
	}
	for range 1 + r.IntN(3) {
		set(refs[r.IntN(len(refs))], "$ref", str(to[r.IntN(len(to))]))
	}
	return true
}

// ownParent replaces a node inside an object by a reference to the object.
func ownParent(r *rand.Rand, w *work) bool {
	to := pointers(w.tree)
	pointer := to[r.IntN(len(to))]
	n, _, _ := w.tree.Lookup(pointer[1:])
	if n == nil || len(nodes(n)) < 2 {
		return false
	}
	*anyNode(r, n) = *ref(pointer)
	return true
}

func repeat(r *rand.Rand, w *work) bool {
	n := anyNode(r, w.tree)
	switch {
	case n.Is(source.Map) && len(n.Pairs) > 0:
		p := n.Pairs[r.IntN(len(n.Pairs))]
		for _, name := range []string{p.Key.Value + "2", strings.ToUpper(p.Key.Value), p.Key.Value + "-", "_" + p.Key.Value, p.Key.Value + " é", "0"} {
			if n.Get(name) == nil {
				n.Pairs = append(n.Pairs, pair(name, clone(p.Value)))
			}
		}
	case n.Is(source.Seq) && len(n.Items) > 0:
		n.Items = append(n.Items, clone(n.Items[r.IntN(len(n.Items))]))
	default:
		return false
	}
	return true
}

func several(r *rand.Rand, w *work) bool {
	kinds := []func(*rand.Rand, *work) bool{lose, otherKind, swap, elsewhere, repeat, ownParent}
	for range 2 + r.IntN(5) {
		kinds[r.IntN(len(kinds))](r, w)
	}
	return true
}

func cut(r *rand.Rand, w *work) bool {
	w.data, w.tree = w.data[:r.IntN(len(w.data))], nil
	return true
}

func flip(r *rand.Rand, w *work) bool {
	data := slices.Clone(w.data)
	for range 1 + r.IntN(3) {
		data[r.IntN(len(data))] = []byte("\x00\t\n :{}[]&*!|>'\"%@`#,?-0a\xff")[r.IntN(26)]
	}
	w.data, w.tree = data, nil
	return true
}
