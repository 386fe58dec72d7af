// Command contracttest plays the demo's story and checks every HTTP answer against the OpenAPI
// documents and every record on the public topics against the AsyncAPI documents and their Avro
// schemas. It fails if there is a violation, if an answer has a status or a code that its operation
// does not declare, and if an operation, a message or a declared problem was not exercised and no
// list excuses it. It prints the operations, statuses, codes, messages, members and enum values
// that were exercised; -junit FILE writes them for a CI server too.
//
// With -openapi FILE and -url URL it judges any running service by any OpenAPI documents: it sends
// the examples of the documents, or, with -proxy HOST:PORT, is a proxy for other clients until it
// is interrupted. What is not exercised is then shown and is no fault.
//
//	contracttest -openapi api.yaml -url http://127.0.0.1:8081 -proxy 127.0.0.1:9000
//
// With -asyncapi FILE and -brokers HOST:PORT it judges the topics of any system by any AsyncAPI
// documents, and with -hostile OPERATION the consumer of an operation, to which it sends what the
// documents do not allow. What happens then has to be what the operation declares.
//
//	contracttest -asyncapi events.yaml -brokers 127.0.0.1:9092 -hostile onOrders
//
// The exit status is 1 if there is a fault, and 2 if the flags are wrong or the run itself fails,
// such as when the schema registry refuses the password. The command is a module of its own,
// because its OpenAPI validator takes longer to compile than the whole main module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the command and returns its exit status.
func command(ctx context.Context, args []string, out, diagnostics io.Writer) int {
	var o options
	flags, err := o.flags(os.Getenv)
	if err != nil {
		fmt.Fprintln(diagnostics, "contracttest:", err)
		return 2
	}
	flags.SetOutput(diagnostics)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // the flag set has written the error
	}
	if err := o.check(flags); err != nil {
		fmt.Fprintln(diagnostics, "contracttest:", err)
		return 2
	}
	faults, err := o.run(ctx, out)
	if err != nil {
		fmt.Fprintln(diagnostics, "contracttest:", err)
	}
	switch {
	case err != nil:
		return 2
	case faults > 0:
		return 1
	}
	return 0
}

// flags returns the flags of the command, which set the options. Those for the security of Kafka
// and of the registry have the names, and the variables of the environment, that the services have.
func (o *options) flags(getenv func(string) string) (*flag.FlagSet, error) {
	f := flag.NewFlagSet("contracttest", flag.ContinueOnError)
	f.StringVar(&o.junit, "junit", "", "write the report to this `file` as JUnit has it")
	f.Func("openapi", "judge by this OpenAPI `file` instead of playing the story; may be repeated", o.addFile)
	f.StringVar(&o.url, "url", "", "the service to judge, with -openapi")
	f.StringVar(&o.proxy, "proxy", "", "be a validating proxy on this `address`, instead of sending the documents' examples")
	f.Func("header", "send this `header`, as Name: value, with every request; may be repeated", o.addHeader)
	f.Func("asyncapi", "judge topics by this AsyncAPI `file`; may be repeated", list(&o.asyncapi))
	f.StringVar(&o.brokers, "brokers", "", "the `addresses` of the brokers, with -asyncapi")
	f.StringVar(&o.registry, "registry", "", "the `URL` of the schema registry, with -asyncapi; without it schema ids are not checked")
	f.Func("former", "a released AsyncAPI `file`, with whose schemas records may be written; may be repeated", list(&o.former))
	f.Func("hostile", "send what the documents do not allow to the consumer of this `operation`, or OPERATION/MESSAGE; may be repeated", list(&o.hostile))
	f.StringVar(&o.framing, "framing", "", "the `framing` of messages that declare none: confluent, avro-single-object or none")
	f.StringVar(&o.typeHeader, "type-header", "", "the `header` that names the message, if it is not ce_type")
	f.StringVar(&o.idHeader, "id-header", "", "the `header` that identifies a message")
	f.StringVar(&o.versionField, "version-field", "", "the `field` of the payload that grows with each message of a key")
	security := secure.NewFlags(f, getenv)
	o.kafka.Declare(security)
	o.registrySecurity.Declare(security)
	return f, security.Err()
}

// needed returns the flag without which another one means nothing, "" if there is none.
func needed(name string) string {
	if strings.HasPrefix(name, "kafka-") || strings.HasPrefix(name, "registry-") {
		return "asyncapi"
	}
	return needs[name]
}

// needs are the flags that are only for those of one kind of document.
var needs = map[string]string{
	"url": "openapi", "proxy": "openapi", "header": "openapi",
	"brokers": "asyncapi", "registry": "asyncapi", "former": "asyncapi", "hostile": "asyncapi", "framing": "asyncapi",
	"type-header": "asyncapi", "id-header": "asyncapi", "version-field": "asyncapi",
}

// check returns an error if flags do not belong together.
func (o *options) check(f *flag.FlagSet) error {
	given := map[string]bool{}
	var alone []string
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	f.Visit(func(g *flag.Flag) {
		if need := needed(g.Name); need != "" && !given[need] {
			alone = append(alone, fmt.Sprintf("-%s needs -%s", g.Name, need))
		}
	})
	framings := []kafkatest.Framing{"", kafkatest.Confluent, kafkatest.SingleObject, kafkatest.Bare}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	case given["openapi"] && given["asyncapi"]:
		return errors.New("-openapi and -asyncapi cannot be used together: run the command once for each")
	case len(alone) > 0:
		return errors.New(strings.Join(alone, "; "))
	case given["openapi"] && !given["url"]:
		return errors.New("-openapi needs -url")
	case given["asyncapi"] && !given["brokers"]:
		return errors.New("-asyncapi needs -brokers")
	case !slices.Contains(framings, kafkatest.Framing(o.framing)):
		return fmt.Errorf("unknown -framing %q: it is confluent, avro-single-object or none", o.framing)
	}
	return nil
}

// options are the flags.
type options struct {
	junit, url, proxy string
	files             []string
	headers           http.Header

	asyncapi, former, hostile                                      []string
	brokers, registry, framing, typeHeader, idHeader, versionField string
	kafka                                                          secure.Kafka
	registrySecurity                                               secure.Registry
}

// list returns a flag's function that appends to a list.
func list(to *[]string) func(string) error {
	return func(v string) error {
		*to = append(*to, v)
		return nil
	}
}

func (o *options) addFile(name string) error {
	o.files = append(o.files, name)
	return nil
}

func (o *options) addHeader(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return errors.New("a header is written as Name: value")
	}
	if o.headers == nil {
		o.headers = http.Header{}
	}
	o.headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// run returns the number of faults. It returns an error if the run itself fails.
func (o *options) run(ctx context.Context, out io.Writer) (int, error) {
	if len(o.files) > 0 || o.url != "" || o.proxy != "" {
		return o.against(ctx, out)
	}
	if len(o.asyncapi) > 0 || o.brokers != "" {
		return o.topics(ctx, out)
	}
	return o.story(ctx, out)
}

// against judges a running service.
func (o *options) against(ctx context.Context, out io.Writer) (int, error) {
	to, err := url.Parse(o.url)
	if err != nil || to.Host == "" || len(o.files) == 0 {
		return 0, errors.New("-openapi FILE and -url http://HOST:PORT belong together")
	}
	api, err := judge.LoadAPI(o.files...)
	if err != nil {
		return 0, err
	}
	events, err := judge.LoadEvents()
	if err != nil {
		return 0, err
	}
	a := &against{api: api, url: to, headers: o.headers, out: out, coverage: newCoverage()}
	if o.proxy != "" {
		err = a.serve(ctx, o.proxy)
	} else {
		err = a.send(ctx)
	}
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coverage.settleAccess()
	return o.report(out, a.coverage, api, events)
}

// report writes the report and returns the number of faults.
func (o *options) report(out io.Writer, c *coverage, api *judge.API, events *judge.Events) (int, error) {
	c.settleConsumed()
	c.print(out, api, events)
	printFaults(out, c)
	if o.junit == "" {
		return len(c.faults), nil
	}
	return len(c.faults), c.writeJUnit(o.junit, api, events)
}

// story plays the story and judges what it causes.
func (o *options) story(ctx context.Context, out io.Writer) (int, error) {
	root, err := process.Root()
	if err != nil {
		return 0, err
	}
	specs := func(service, file string) string { return filepath.Join(root, "specs", service, file) }
	api, err := judge.LoadAPI(specs("contract", "openapi.yaml"), specs("billing", "openapi.yaml"))
	if err != nil {
		return 0, err
	}
	events, err := judge.LoadEvents(specs("contract", "asyncapi.yaml"), specs("billing", "asyncapi.yaml"))
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "deferpay-callers-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	let, err := newAccess(dir, api)
	if err != nil {
		return 0, err
	}
	if err := let.scoped(); err != nil {
		return 0, err
	}
	c, rec := newCoverage(), &recorder{next: http.DefaultTransport}
	err = story.Play(ctx, story.Options{
		Transport: let.dressed(rec), Access: let.Settings(),
		BeforeStop: func(ctx context.Context, a story.Addresses) error {
			p := &prober{
				client: &http.Client{Transport: let.dressed(rec)}, plain: &http.Client{Transport: rec}, access: let, contract: a.Contract, billing: a.Billing[0], run: strconv.FormatInt(time.Now().UnixNano(), 36),
				api: api, faults: func(format string, args ...any) { c.fault("", format, args...) },
			}
			if err := p.all(ctx); err != nil {
				return fmt.Errorf("probes: %w", err)
			}
			return judgeTopics(ctx, a, root, p, events, c)
		},
	})
	exchanges := rec.taken()
	for _, e := range exchanges {
		c.exchange(e, api.Judge(e))
	}
	if err != nil {
		printFaults(out, c)
		return 0, fmt.Errorf("the story: %w", err)
	}
	c.settle(api, events)
	fmt.Fprintf(out, "%d HTTP exchanges and %d records on public topics, checked against the contracts\n", len(exchanges), c.records())
	return o.report(out, c, api, events)
}

func printFaults(out io.Writer, c *coverage) {
	for _, f := range c.faults {
		fmt.Fprintf(out, "\nFAULT %s", f.text)
	}
	if len(c.faults) > 0 {
		fmt.Fprintf(out, "\n\ncontract-test: %d faults\n", len(c.faults))
		return
	}
	fmt.Fprintln(out, "\ncontract-test: no violation")
}
