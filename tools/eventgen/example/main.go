// Command example shows what eventgen generates from a document with JSON Schema and Avro, two
// servers, an address with parameters, and requests with replies. The centre of a network of
// weather stations (package weatherbus) exchanges messages with stations (package weatherclient,
// the other side of the same document).
//
//	go run ../../devkafka &      # a broker and a schema registry
//	go run .
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	centre "github.com/deferpay/deferpay/tools/eventgen/example/gen/weatherbus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

func main() {
	server := centre.Servers()[0]
	brokers := flag.String("brokers", server.Host, "addresses of the brokers, separated by commas")
	url := flag.String("registry", server.Registry, "URL of the schema registry")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, strings.Split(*brokers, ","), *url); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run runs the example on a broker and a registry.
func run(ctx context.Context, brokers []string, url string) error {
	schemas, err := registry.NewClient(url)
	if err != nil {
		return err
	}
	if err := provision(ctx, brokers, schemas); err != nil {
		return err
	}
	kafka := kafkabus.Config{Brokers: brokers, ClientID: "example", Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	publisher, err := kafkabus.NewPublisher(kafka)
	if err != nil {
		return err
	}
	subscribers := func(group string) (message.Subscriber, error) { return kafkabus.NewSubscriber(kafka, group) }
	return errors.Join(play(ctx, publisher, subscribers, schemas, os.Stdout), publisher.Close())
}

// provision creates the topics and registers the schemas. In a deployment the commands
// "eventgen topics" and "eventgen schemas" do it.
func provision(ctx context.Context, brokers []string, schemas *registry.Client) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	want := append(centre.Topics(), topics.Topic{Name: repliesTopic, Partitions: 1})
	if _, err := topics.Apply(ctx, client, want); err != nil {
		return fmt.Errorf("create the topics: %w", err)
	}
	if _, err := schemas.Register(ctx, centre.Subjects(), "FULL_TRANSITIVE"); err != nil {
		return fmt.Errorf("register the schemas: %w", err)
	}
	return nil
}
