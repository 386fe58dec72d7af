package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
	"github.com/deferpay/deferpay/tools/kafka/acls"
	"github.com/deferpay/deferpay/tools/kafka/engine"
)

// errDiffers is returned if a broker's ACLs are not those of the table.
var errDiffers = errors.New("the broker's ACLs differ from the table: kafka acls apply applies it")

const aboutACLs = `who may do what: print prints the table, diff compares a broker with it, apply applies it to a broker.
Apply removes rights that users of the table have beyond it, and leaves other users alone. It needs the rights Describe and Alter on the cluster.

usage: kafka acls print|diff|apply [flags]`

func (r runner) acls(ctx context.Context, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		args = append([]string{""}, args...)
	}
	flags := flag.NewFlagSet("kafka acls", flag.ContinueOnError)
	connect := r.connection(flags)
	if err := r.parse(flags, args[1:], aboutACLs); err != nil {
		return err
	}
	switch args[0] {
	case "print":
		return acls.Print(r.stdout, acls.Table())
	case "diff", "apply":
	default:
		return fmt.Errorf("want print, diff or apply: %w", errUsage)
	}
	return connect(ctx, func(ctx context.Context, client *kgo.Client) error {
		if args[0] == "diff" {
			return r.diffACLs(ctx, client)
		}
		created, removed, err := acls.Apply(ctx, client, acls.Table())
		r.list("created", created)
		r.list("removed", removed)
		if err == nil {
			fmt.Fprintf(r.stdout, "kafka: the ACLs are those of the table (%d created, %d removed)\n", len(created), len(removed))
		}
		return err
	})
}

func (r runner) diffACLs(ctx context.Context, client *kgo.Client) error {
	missing, beyond, err := acls.Diff(ctx, client, acls.Table())
	if err != nil {
		return err
	}
	r.list("missing", missing)
	r.list("beyond the table", beyond)
	if len(missing)+len(beyond) > 0 {
		return errDiffers
	}
	fmt.Fprintln(r.stdout, "kafka: the ACLs are those of the table")
	return nil
}

// list prints ACLs, one a line.
func (r runner) list(what string, all []acls.Entry) {
	for _, e := range all {
		fmt.Fprintf(r.stdout, "%s: %s\n", what, e)
	}
}

func (r runner) user(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("kafka user", flag.ContinueOnError)
	name := flags.String("name", "", "`name` of the user; the table of kafka acls has "+strings.Join(acls.Users(), ", "))
	file := flags.String("new-password-file", "", "`file` with the password to set")
	connect := r.connection(flags)
	if err := r.parse(flags, args, "creates a user on a broker for SCRAM-SHA-512 and SCRAM-SHA-256, or changes the password of one. Open connections go on."); err != nil {
		return err
	}
	if *name == "" || *file == "" {
		return fmt.Errorf("-name and -new-password-file are required: %w", errUsage)
	}
	text, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return fmt.Errorf("%s is empty", *file)
	}
	return connect(ctx, func(ctx context.Context, client *kgo.Client) error {
		if err := acls.SetPassword(ctx, client, *name, password); err != nil {
			return err
		}
		fmt.Fprintf(r.stdout, "kafka: %s has the password of %s\n", *name, *file)
		return nil
	})
}

// connection declares the flags for reaching a broker. The function that it returns connects and
// calls do with the client.
func (r runner) connection(flags *flag.FlagSet) func(context.Context, func(context.Context, *kgo.Client) error) error {
	brokers := flags.String("brokers", "127.0.0.1:9092", "`addresses` of the broker, separated by commas")
	declared := secure.NewFlags(flags, os.Getenv)
	var security secure.Kafka
	security.Declare(declared)
	return func(ctx context.Context, do func(context.Context, *kgo.Client) error) error {
		if err := declared.Err(); err != nil {
			return errors.Join(err, errUsage)
		}
		broker, err := security.Open()
		if err != nil {
			return errors.Join(err, errUsage)
		}
		client, err := kgo.NewClient(append(broker.Options(), kgo.SeedBrokers(strings.Split(*brokers, ",")...))...)
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return broker.Explain(do(ctx, client))
	}
}

// protect applies the table to a secured cluster and prints where the passwords are.
func (r runner) protect(ctx context.Context, b *engine.Brokers) error {
	admin, err := b.As(engine.Admin).Open()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(admin.Options(), kgo.SeedBrokers(b.Addrs...))...)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, _, err := acls.Apply(ctx, client, acls.Table()); err != nil {
		return err
	}
	fmt.Fprintf(r.stdout, "kafka: secured; %s has ca.pem and USER.password for %s, %s\n", b.SecurityDir(), engine.Admin, strings.Join(acls.Users(), ", "))
	return nil
}
