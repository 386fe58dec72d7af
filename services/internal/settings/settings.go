// Package settings reads the settings of a process: a flag, else an environment variable, else a
// default. It also has the settings that every service has, so that they are spelled and checked in
// one way. Any command of the project may import it; the domain packages may not.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/internal/heaproom"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// ErrHelp is returned by Parse if the help was requested and printed. The process ends with status
// 0 then.
var ErrHelp = flag.ErrHelp

// Set is a flag set in which each flag may name an environment variable. A flag on the command line
// takes precedence over the variable, and a variable that is not empty takes precedence over the
// default.
type Set struct {
	flags   *flag.FlagSet
	env     map[string]string         // flag name to variable name
	secrets map[string]*secure.Secret // by variable name
	about   string
	args    []argument
}

// argument is one after the flags.
type argument struct {
	p    *string
	name string
}

// Argument declares a required argument after the flags, such as a file.
func (s *Set) Argument(p *string, name string) { s.args = append(s.args, argument{p, name}) }

// New returns an empty set for a command. The help prints about before the list of flags.
func New(command, about string) *Set {
	s := &Set{flags: flag.NewFlagSet(command, flag.ContinueOnError), env: map[string]string{}, secrets: map[string]*secure.Secret{}, about: about}
	// Parse returns the error; the flag package would print it with the whole help.
	s.flags.SetOutput(io.Discard)
	return s
}

// Flags returns the underlying flag set, for kinds of flags that have no method here.
func (s *Set) Flags() *flag.FlagSet { return s.flags }

// String declares a text setting. An empty env means that no variable is read.
func (s *Set) String(p *string, name, env, def, usage string) {
	s.flags.StringVar(p, name, def, s.usage(name, env, usage))
}

// Bool declares a switch.
func (s *Set) Bool(p *bool, name, env string, def bool, usage string) {
	s.flags.BoolVar(p, name, def, s.usage(name, env, usage))
}

// Secret declares a setting that only a variable can set: everybody on a machine can read command
// lines.
func (s *Set) Secret(p *secure.Secret, env string) { s.secrets[env] = p }

// Duration declares a duration, such as "500ms" or "1h". It may not be negative.
func (s *Set) Duration(p *time.Duration, name, env string, def time.Duration, usage string) {
	*p = def
	s.flags.Var((*span)(p), name, s.usage(name, env, usage))
}

// List declares a comma-separated list. Blanks around items and empty items are dropped.
func (s *Set) List(p *[]string, name, env, def, usage string) {
	*p = split(def)
	s.flags.Var((*list)(p), name, s.usage(name, env, usage))
}

func (s *Set) usage(name, env, usage string) string {
	if env == "" {
		return usage
	}
	s.env[name] = env
	return usage + " [" + env + "]"
}

// Parse reads the arguments, without the name of the command, and then the environment. If the help
// is requested, it prints the help to out and returns ErrHelp.
func (s *Set) Parse(args []string, getenv func(string) string, out io.Writer) error {
	if err := s.flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		s.help(out)
		return ErrHelp
	} else if err != nil {
		return fmt.Errorf("%w (see %s --help)", err, s.flags.Name())
	}
	if err := s.arguments(); err != nil {
		return err
	}
	for env, p := range s.secrets {
		*p = secure.Secret(getenv(env))
	}
	given := map[string]bool{}
	s.flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, env := range s.env {
		value := getenv(env)
		if given[name] || value == "" {
			continue
		}
		if err := s.flags.Set(name, value); err != nil {
			return fmt.Errorf("environment variable %s: %w", env, err)
		}
	}
	return nil
}

func (s *Set) arguments() error {
	rest := s.flags.Args()
	for i, a := range s.args {
		if i >= len(rest) {
			return fmt.Errorf("no %s (see %s --help)", a.name, s.flags.Name())
		}
		*a.p = rest[i]
	}
	if rest = rest[len(s.args):]; len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q (see %s --help)", rest[0], s.flags.Name())
	}
	return nil
}

func (s *Set) help(out io.Writer) {
	names := ""
	for _, a := range s.args {
		names += " " + a.name
	}
	fmt.Fprintf(out, "%s\n\nUsage: %s [flags]%s\n\nA flag wins over the environment variable named in brackets.\n\n", strings.TrimSpace(s.about), s.flags.Name(), names)
	s.flags.SetOutput(out)
	s.flags.PrintDefaults()
	s.flags.SetOutput(io.Discard)
}

type span time.Duration

func (d *span) String() string {
	if d == nil {
		return ""
	}
	return time.Duration(*d).String()
}

func (d *span) Set(text string) error {
	got, err := time.ParseDuration(text)
	if err == nil && got < 0 {
		err = errors.New("negative")
	}
	*d = span(got)
	return err
}

type list []string

func (l *list) String() string {
	if l == nil {
		return ""
	}
	return strings.Join(*l, ",")
}

func (l *list) Set(s string) error {
	*l = split(s)
	return nil
}

func split(s string) []string {
	var out []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// Common are the settings that every service has.
type Common struct {
	HTTPAddr              string   // address to serve HTTP on
	Brokers               []string // Kafka bootstrap addresses
	Registry              string   // URL of the schema registry
	AdminAddr             string   // address of health, metrics and profiles; "": see Admin
	TLSCert, TLSKey       string   // files of the certificate for HTTP; "": HTTP without TLS
	Credentials           string   // file of API keys; see package access
	Tokens                Tokens   // bearer tokens
	Rate                  float64  // requests a second of one subject; 0: no bound
	MaxUnderWay           int      // requests of one subject; 0: no bound
	MaxConnections        int      // open at the same time; 0: no bound
	MaxPerAddress         int      // of those, of one address; 0: no bound
	InsecureDev           bool     // accept any credentials or none as the subject "dev"
	ClockOffsetFile       string   // file with a duration added to the clock; on a loopback address
	Traces                string   // where spans go; see package export
	Writer                string   // name of this instance in records, logs and consumer groups
	LogLevel              slog.Level
	AllowUnverifiedTopics bool  // a topic configuration that may not be read is a warning
	SnapshotEvery         int64 // records between two snapshots; 0: none are taken, nor used
	KafkaSecurity         secure.Kafka
	RegistrySecurity      secure.Registry

	// ExpiryWarning is how long before an API key expires that is logged.
	ExpiryWarning time.Duration
}

// Tokens are the settings of bearer tokens; see package access.
type Tokens struct {
	Issuer, Audience, Keys, Customers string
	Leeway                            time.Duration
}

// Register declares the common settings. DefaultHTTP is the service's own default address.
func (c *Common) Register(s *Set, defaultHTTP string) {
	s.String(&c.HTTPAddr, "http", "HTTP_ADDR", defaultHTTP, "`address` to serve HTTP on")
	s.List(&c.Brokers, "brokers", "KAFKA_BROKERS", "127.0.0.1:9092", "Kafka bootstrap `addresses`, comma-separated")
	s.String(&c.Registry, "registry", "SCHEMA_REGISTRY_URL", "http://127.0.0.1:8085", "`URL` of the schema registry")
	s.String(&c.AdminAddr, "admin", "ADMIN_ADDR", "", "`address` to serve health, metrics and profiles on (default 127.0.0.1 and the port of -http plus 1000)")
	s.String(&c.TLSCert, "tls-cert", "TLS_CERT_FILE", "", "`file` of the certificate for HTTP (PEM, with those that sign it); read again when it changes")
	s.String(&c.TLSKey, "tls-key", "TLS_KEY_FILE", "", "`file` of the key of that certificate")
	c.registerAccess(s)
	s.String(&c.ClockOffsetFile, "clock-offset-file", "CLOCK_OFFSET_FILE", "", "`file` holding a duration added to the clock (as 744h), for demos and tests, on a loopback address only")
	s.String(&c.Traces, "traces", "OTEL_TRACES_EXPORTER", "none", "where spans of traces go: none, otlp (a collector over HTTP; see OTEL_EXPORTER_OTLP_ENDPOINT) or console (standard output)")
	s.String(&c.Writer, "writer", "WRITER", defaultWriter(), "`name` of this instance in records and logs")
	s.flags.TextVar(&c.LogLevel, "log-level", slog.LevelInfo, s.usage("log-level", "LOG_LEVEL", "lowest `level` logged: debug, info, warn, error"))
	s.Bool(&c.AllowUnverifiedTopics, "allow-unverified-topics", "ALLOW_UNVERIFIED_TOPICS", false, "only warn when topic configurations may not be read (no right to DescribeConfigs)")
	s.flags.Int64Var(&c.SnapshotEvery, "snapshot-every", 50_000, s.usage("snapshot-every", "SNAPSHOT_EVERY", "`records` of the log between two snapshots, in a log of n records at least n/8; 0: none are taken, nor used"))
	c.KafkaSecurity.Declare(s)
	c.RegistrySecurity.Declare(s)
}

func (c *Common) registerAccess(s *Set) {
	s.String(&c.Credentials, "credentials", "CREDENTIALS_FILE", "", "`file` of API keys: JSON list of {subject, sha256 (printf %s KEY | sha256sum), scopes (read, write, admin, payments), expires, customers}; read again when it changes")
	s.Duration(&c.ExpiryWarning, "expiry-warning", "EXPIRY_WARNING", 14*24*time.Hour, "how long before an API key expires a warning is logged, as a `duration`")
	s.String(&c.Tokens.Issuer, "jwt-issuer", "JWT_ISSUER", "", "issuer (`iss`) of the bearer tokens that are accepted")
	s.String(&c.Tokens.Audience, "jwt-audience", "JWT_AUDIENCE", "", "audience (`aud`) that a bearer token must be meant for")
	s.String(&c.Tokens.Keys, "jwt-keys", "JWT_KEYS", "", "`file` or https URL of the issuer's key set (JWKS); read again when it changes")
	s.String(&c.Tokens.Customers, "jwt-customers-claim", "JWT_CUSTOMERS_CLAIM", "customers", "`claim` that lists the customers a token is bound to, [\"*\"] for all; set to - if tokens are not bound")
	s.Duration(&c.Tokens.Leeway, "jwt-leeway", "JWT_LEEWAY", 30*time.Second, "how far the issuer's clock may be off, as a `duration`")
	s.flags.Float64Var(&c.Rate, "rate", 1000, s.usage("rate", "RATE", "`requests` a second that one subject may send; 0 is no bound"))
	s.flags.IntVar(&c.MaxUnderWay, "max-under-way", 64, s.usage("max-under-way", "MAX_UNDER_WAY", "`requests` of one subject that may be under way at the same time; 0 is no bound"))
	s.flags.IntVar(&c.MaxConnections, "max-connections", 4096, s.usage("max-connections", "MAX_CONNECTIONS", "`connections` for HTTP that may be open at the same time; 0 is no bound"))
	s.flags.IntVar(&c.MaxPerAddress, "max-connections-per-address", 1024, s.usage("max-connections-per-address", "MAX_CONNECTIONS_PER_ADDRESS", "of those, the `connections` of one address, or of one /64 network of IPv6; 0 is no bound"))
	s.Bool(&c.InsecureDev, "insecure-dev", "INSECURE_DEV", false, "accept any credentials or none, with every scope, on a loopback address only: never in production")
}

// Check returns what is wrong with the settings taken together.
func (c *Common) Check() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("no Kafka brokers: give -brokers or KAFKA_BROKERS")
	case c.Registry == "":
		return errors.New("no schema registry: give -registry or SCHEMA_REGISTRY_URL")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("-tls-cert and -tls-key belong together")
	case c.Rate < 0:
		return errors.New("-rate is negative")
	case c.MaxUnderWay < 0:
		return errors.New("-max-under-way is negative")
	case c.MaxConnections < 0 || c.MaxPerAddress < 0:
		return errors.New("-max-connections or -max-connections-per-address is negative")
	case math.IsNaN(c.Rate):
		return errors.New("-rate is not a number")
	case c.SnapshotEvery < 0:
		return errors.New("-snapshot-every is negative")
	}
	if err := c.checkAccess(); err != nil {
		return err
	}
	_, err := c.Admin()
	return err
}

func (c *Common) checkAccess() error {
	real := c.Credentials != "" || c.Tokens.Issuer != ""
	switch {
	case !real && !c.InsecureDev:
		return errors.New("no credentials: give -credentials FILE or -jwt-issuer, or -insecure-dev on a developer's machine")
	case real && c.InsecureDev:
		return errors.New("-credentials, -jwt-issuer and -insecure-dev exclude each other")
	case c.Tokens.Issuer != "" && c.Tokens.Customers == "":
		return errors.New("-jwt-customers-claim is empty: name the claim, or give - if tokens are not bound to customers")
	case c.InsecureDev && !loopback(c.HTTPAddr):
		return fmt.Errorf("-insecure-dev accepts everybody, so it serves a loopback address only, and %s is none", c.HTTPAddr)
	case c.ClockOffsetFile != "" && !loopback(c.HTTPAddr):
		return fmt.Errorf("-clock-offset-file is for demos and tests, on a loopback address only, and %s is none", c.HTTPAddr)
	}
	return nil
}

// loopback reports whether an address is reached from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && IsLoopback(host)
}

// IsLoopback reports whether a host is this machine by its name or address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// adminPort is the distance between the ports of the two addresses.
const adminPort = 1000

// Admin returns the address of health, metrics and profiles. It is on this machine, unless another
// one is set, because it asks for no credentials.
func (c *Common) Admin() (string, error) {
	if c.AdminAddr != "" {
		return c.AdminAddr, nil
	}
	_, port, err := net.SplitHostPort(c.HTTPAddr)
	if err != nil {
		return "", fmt.Errorf("-http: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n+adminPort > 65535 {
		return "", fmt.Errorf("give -admin: it cannot be derived from -http %s", c.HTTPAddr)
	}
	if n != 0 { // any free port is any free port there too
		n += adminPort
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n)), nil
}

// Serve is Main for a service: the process goes on when whoever reads its log is gone.
func Serve(set *Set, args []string, getenv func(string) string, stdout, stderr io.Writer, check, run func() error) int {
	return Main(set, args, getenv, stdout, stderr, check, func() error {
		signal.Ignore(syscall.SIGPIPE)
		return run()
	})
}

// Main is the main function of a command: it reads the settings of set, calls check to validate
// them together, and calls run. It returns the exit status of the process: 0 after an orderly end,
// 1 after a failure, 2 for wrong usage. The heap of the process gets room; see package heaproom.
func Main(set *Set, args []string, getenv func(string) string, stdout, stderr io.Writer, check, run func() error) int {
	err := set.Parse(args, getenv, stdout)
	if errors.Is(err, ErrHelp) {
		return 0
	}
	status := 2
	if err == nil {
		err = check()
	}
	if err == nil {
		status = 1
		heaproom.Keep(getenv)
		err = run()
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", set.flags.Name(), err)
		return status
	}
	return 0
}

func defaultWriter() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
