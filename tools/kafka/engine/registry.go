package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/process"
)

// RegistryOptions say which registry to start. Cache and Dir are required.
type RegistryOptions struct {
	Cache artifacts.Cache
	// Dir holds its logs and temporary files; it is created if it is missing.
	Dir string
	// Brokers keep the schemas, on topics of the registry's own. Without brokers, the schemas are
	// kept in memory.
	Brokers []string
	// Security is how the brokers are reached, as a user with the rights that the registry needs.
	// The password is read once.
	Security secure.Kafka
	// Addr is where it listens; a free port by default.
	Addr string
	// Heap is the most memory that the JVM uses for objects; 256m by default.
	Heap string
	// LogLevel is the lowest level that the registry logs: debug, info, warn, error, off; warn by
	// default.
	LogLevel string
	// Tee, if not nil, gets what it logs, as the file does.
	Tee io.Writer
}

// Registry is an Apicurio Registry that was started.
type Registry struct {
	*process.Process
	// URL is where it answers as Confluent's registry does; it has a path.
	URL string
}

// RegistryGroups is the prefix of the registries' consumer groups. Each start uses a new one.
const RegistryGroups = "registry."

// confluent is the path under which Apicurio answers as Confluent's registry does.
const confluent = "/apis/ccompat/v7"

// StartRegistry starts a registry and returns once it answers. On an error, nothing is left
// running.
func StartRegistry(ctx context.Context, o RegistryOptions) (*Registry, error) {
	management, err := o.complete()
	if err == nil {
		err = o.writeSecurity()
	}
	if err != nil {
		return nil, err
	}
	java, err := o.Cache.Java(ctx, artifacts.RegistryJava)
	if err != nil {
		return nil, fmt.Errorf("to run Apicurio Registry: %w", err)
	}
	app, err := o.Cache.Registry(ctx)
	if err != nil {
		return nil, err
	}
	healthy := process.HTTPReady("http://" + management + "/health/ready")
	r := &Registry{URL: "http://" + o.Addr + confluent}
	answers := process.HTTPReady(r.URL + "/subjects")
	r.Process = process.New(process.Spec{
		Name: "registry", Path: java, LogDir: o.logs(), Tee: o.Tee, StopStatus: terminated,
		Args: append(o.jvm(management), "-jar", filepath.Join(app, "quarkus-run.jar")),
		Ready: func(ctx context.Context) error {
			if err := healthy(ctx); err != nil {
				return err
			}
			return answers(ctx)
		},
	})
	ctx, cancel := context.WithTimeout(ctx, registryIn)
	defer cancel()
	return r, r.Start(ctx)
}

func (o *RegistryOptions) logs() string { return filepath.Join(o.Dir, "logs") }
func (o *RegistryOptions) temp() string { return filepath.Join(o.Dir, "tmp") }

// login returns the file with the registry's login. It is not on the command line, which every user
// of the machine can read.
func (o *RegistryOptions) login() string { return filepath.Join(o.Dir, "kafka.properties") }

// writeSecurity writes how the registry reaches Kafka, to a file that only its owner can read.
func (o *RegistryOptions) writeSecurity() error {
	broker, err := o.Security.Open()
	if err != nil || broker == nil {
		return errors.Join(err, os.RemoveAll(o.login()))
	}
	if o.Security.CertFile != "" || o.Security.ServerName != "" {
		return errors.New("the registry logs in by name and password, and knows no other name of the brokers: leave out -kafka-cert and -kafka-server-name")
	}
	settings := map[string]string{"security.protocol": "SSL"}
	if broker.Mechanism != "" {
		password, err := broker.Password()
		if err != nil {
			return err
		}
		if strings.ContainsAny(broker.User+password, "\"\\$\n") {
			return errors.New("the registry's name and password for Kafka may have no quotation mark, backslash or dollar sign")
		}
		module := "scram.ScramLoginModule"
		if broker.Mechanism == secure.Plain {
			module = "plain.PlainLoginModule"
		}
		settings["security.protocol"], settings["sasl.mechanism"] = "SASL_SSL", broker.Mechanism
		if broker.TLS == nil {
			settings["security.protocol"] = "SASL_PLAINTEXT"
		}
		settings["sasl.jaas.config"] = fmt.Sprintf(`org.apache.kafka.common.security.%s required username="%s" password="%s";`, module, broker.User, password)
	}
	if o.Security.CAFile != "" {
		ca, err := filepath.Abs(o.Security.CAFile)
		if err != nil {
			return err
		}
		settings["ssl.truststore.type"], settings["ssl.truststore.location"] = "PEM", filepath.ToSlash(ca)
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "apicurio.kafka.common.%s=%s\n", name, settings[name])
	}
	return os.WriteFile(o.login(), []byte(text.String()), 0o600)
}

// complete fills in the defaults, checks the address, and returns a free address for the registry's
// management interface.
func (o *RegistryOptions) complete() (management string, err error) {
	if o.Heap == "" {
		o.Heap = "256m"
	}
	if o.LogLevel == "" {
		o.LogLevel = "warn"
	}
	ports, err := process.FreePorts(2)
	if err != nil {
		return "", err
	}
	if o.Addr == "" {
		o.Addr = ports[0]
	}
	if err := free(o.Addr); err != nil {
		return "", err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return "", err
	}
	return ports[1], errors.Join(os.MkdirAll(o.logs(), 0o755), os.MkdirAll(o.temp(), 0o755))
}

func (o *RegistryOptions) jvm(management string) []string {
	host, port, _ := net.SplitHostPort(o.Addr) // checked by free
	managementHost, managementPort, _ := net.SplitHostPort(management)
	level := strings.ToUpper(o.LogLevel)
	args := append(jvm(o.Heap, o.logs()), "-XX:+UseSerialGC", "-Djava.io.tmpdir="+o.temp(),
		"-Dquarkus.http.host="+host, "-Dquarkus.http.port="+port,
		"-Dquarkus.management.host="+managementHost, "-Dquarkus.management.port="+managementPort,
		"-Dquarkus.http.access-log.enabled=false", "-Dquarkus.banner.enabled=false",
		"-Dquarkus.log.console.stderr=true", "-Dquarkus.log.console.format=%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5p %c{1}: %m%n%e",
		"-Dquarkus.log.level="+level, `-Dquarkus.log.category."io.apicurio".level=`+level,
		// it warns of its own configuration
		`-Dquarkus.log.category."io.quarkus.config".level=ERROR`,
		`-Dquarkus.log.category."io.quarkus.runtime.configuration".level=ERROR`)
	if len(o.Brokers) == 0 {
		return args
	}
	args = append(args, "-Dapicurio.storage.kind=kafkasql", "-Dapicurio.kafkasql.bootstrap.servers="+strings.Join(o.Brokers, ","), "-Dapicurio.kafkasql.consumer.group-prefix="+RegistryGroups)
	if o.Security != (secure.Kafka{}) {
		args = append(args, "-Dsmallrye.config.locations="+o.login())
	}
	return args
}
