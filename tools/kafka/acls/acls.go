// Package acls holds the table of who may do what on the broker, compares a broker with it and
// applies it. The kafka command and its tests import it; the services do not know it.
package acls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
)

// Kind is what a right is on.
type Kind string

// The kinds. The names of Topics and Groups are prefixes.
const (
	Topic  Kind = "topic"
	Topics Kind = "topics"
	Group  Kind = "group"
	Groups Kind = "groups"
)

// Right is one line of the table. It leaves out what the broker implies: reading and writing imply
// describing, and since Kafka 3.0 writing implies idempotent writing.
type Right struct {
	User string
	Kind Kind
	Name string
	May  []kadm.ACLOperation
	Why  string
}

// The users of the table.
const (
	Contract     = "contract"
	Billing      = "billing"
	Provisioning = "provisioning"
	Reader       = "reader"
	Registry     = "registry"
)

// Users returns all users of the table, in its order.
func Users() []string { return []string{Contract, Billing, Provisioning, Reader, Registry} }

const (
	read    = kadm.OpRead
	write   = kadm.OpWrite
	configs = kadm.OpDescribeConfigs
)

func may(ops ...kadm.ACLOperation) []kadm.ACLOperation { return ops }

// Table returns the rights of all users. A user who is not in it may do nothing.
func Table() []Right {
	return []Right{
		{Contract, Topic, contractinternal.LogTopic, may(read, write, configs), "its own log; it does not start on one that may lose records"},
		{Contract, Topic, contractinternal.PositionsTopic, may(read, write, configs), "how far publication has come"},
		{Contract, Group, "contract.publication", may(read), "chooses the instance that publishes"},
		{Contract, Topic, contractinternal.SnapshotsTopic, may(read, write, configs), "cuts of its log"},
		{Contract, Topic, contractinternal.PersonalDataKeysTopic, may(read, write, configs), "keys that seal personal data; nobody else reads them"},
		{Contract, Topic, contractinternal.DeadLettersTopic, may(write, configs), "dead letters of what it reads"},
		{Contract, Topic, contractinternal.RedriveTopic, may(read, configs), "dead letters sent round again"},
		{Contract, Topic, contractbus.ContractFactsTopic, may(read, write, configs), "publishes facts, and reads them back to check that the newest ones are last"},
		{Contract, Topic, contractbus.BillingEventsTopic, may(read, configs), "reacts to rejected debits"},
		{Contract, Group, contractbus.OnBillingEventsGroup, may(read), "the group that reads them"},

		{Billing, Topic, billinginternal.LogTopic, may(read, write, configs), "its own log; it does not start on one that may lose records"},
		{Billing, Topic, billinginternal.PositionsTopic, may(read, write, configs), "how far publication has come"},
		{Billing, Group, "billing.publication", may(read), "chooses the instance that publishes"},
		{Billing, Topic, billinginternal.SnapshotsTopic, may(read, write, configs), "cuts of its log"},
		{Billing, Topic, billinginternal.DeadLettersTopic, may(write, configs), "dead letters of what it reads"},
		{Billing, Topic, billinginternal.RedriveTopic, may(read, configs), "dead letters sent round again"},
		{Billing, Topic, billingbus.BillingEventsTopic, may(write, configs), "publishes events"},
		{Billing, Topic, billingbus.ContractFactsTopic, may(read, configs), "ingests contracts"},
		{Billing, Group, billingbus.OnContractFactsGroup, may(read), "the group that reads them"},

		{Provisioning, Topics, "contract.", may(kadm.OpCreate, kadm.OpDescribe, configs, kadm.OpAlterConfigs), "eventgen topics apply; reads and writes no record"},
		{Provisioning, Topics, "billing.", may(kadm.OpCreate, kadm.OpDescribe, configs, kadm.OpAlterConfigs), "eventgen topics apply; reads and writes no record"},

		{Reader, Topic, contractbus.ContractFactsTopic, may(read), "accounting, CRM and others: the public topics alone"},
		{Reader, Topic, billingbus.BillingEventsTopic, may(read), "accounting, CRM and others: the public topics alone"},
		{Reader, Groups, "reader.", may(read), "groups of its own, named reader.SOMETHING"},

		{Registry, Topics, "kafkasql-", may(kadm.OpCreate, read, write, configs), "Apicurio Registry keeps its schemas there, and creates the topics itself"},
		{Registry, Topic, "registry-events", may(kadm.OpCreate, read, write, configs), "Apicurio Registry announces changes there"},
		{Registry, Groups, "registry.", may(read), "a group for each start of a registry"},
	}
}

// Print writes the table, as Markdown.
func Print(w io.Writer, table []Right) error {
	var out strings.Builder
	out.WriteString("| user | on | may | why |\n|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(&out, "| %s | %s `%s` | %s | %s |\n", r.User, r.Kind, r.where(), r.operations(), r.Why)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func (r Right) where() string {
	if r.prefix() {
		return r.Name + "*"
	}
	return r.Name
}

func (r Right) operations() string {
	names := make([]string, len(r.May))
	for i, op := range r.May {
		names[i] = strings.ReplaceAll(strings.ToLower(op.String()), "_", " ")
	}
	return strings.Join(names, ", ")
}

func (r Right) prefix() bool { return r.Kind == Topics || r.Kind == Groups }

// Entry is one ACL of a broker.
type Entry struct {
	User      string
	Kind      kmsg.ACLResourceType
	Name      string
	Pattern   kadm.ACLPattern
	Operation kadm.ACLOperation
	Allow     bool
	Host      string
}

// String returns the ACL as one line.
func (e Entry) String() string {
	verb := "may"
	if !e.Allow {
		verb = "may not"
	}
	return fmt.Sprintf("%s %s %s %s %s (%s)", e.User, verb, e.Operation, e.Kind, e.Name, e.Pattern)
}

// entries returns the ACLs that the table stands for.
func entries(table []Right) []Entry {
	var out []Entry
	for _, r := range table {
		e := Entry{User: "User:" + r.User, Kind: kmsg.ACLResourceTypeTopic, Name: r.Name, Pattern: kadm.ACLPatternLiteral, Allow: true, Host: "*"}
		if r.Kind == Group || r.Kind == Groups {
			e.Kind = kmsg.ACLResourceTypeGroup
		}
		if r.prefix() {
			e.Pattern = kadm.ACLPatternPrefixed
		}
		for _, op := range r.May {
			e.Operation = op
			out = append(out, e)
		}
	}
	return out
}

// Diff returns the ACLs of the table that a broker lacks, and those that users of the table have
// beyond it.
func Diff(ctx context.Context, client *kgo.Client, table []Right) (missing, beyond []Entry, err error) {
	have, err := describe(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	want := entries(table)
	for _, e := range want {
		if !slices.Contains(have, e) {
			missing = append(missing, e)
		}
	}
	for _, e := range have {
		ours := slices.ContainsFunc(want, func(w Entry) bool { return w.User == e.User })
		if ours && !slices.Contains(want, e) {
			beyond = append(beyond, e)
		}
	}
	return missing, beyond, nil
}

func describe(ctx context.Context, client *kgo.Client) ([]Entry, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType = kmsg.ACLResourceTypeAny, kadm.ACLPatternAny
	req.Operation, req.PermissionType = kadm.OpAny, kmsg.ACLPermissionTypeAny
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("read the ACLs: %w", err)
	}
	var out []Entry
	for _, r := range resp.Resources {
		for _, a := range r.ACLs {
			out = append(out, Entry{a.Principal, r.ResourceType, r.ResourceName, r.ResourcePatternType, a.Operation, a.PermissionType == kmsg.ACLPermissionTypeAllow, a.Host})
		}
	}
	return out, nil
}

// Apply creates the ACLs that are missing and removes those that users of the table have beyond it.
// It leaves the ACLs of other users alone. A second call does nothing.
func Apply(ctx context.Context, client *kgo.Client, table []Right) (created, removed []Entry, err error) {
	missing, beyond, err := Diff(ctx, client, table)
	if err != nil {
		return nil, nil, err
	}
	if err := create(ctx, client, missing); err != nil {
		return nil, nil, err
	}
	return missing, beyond, remove(ctx, client, beyond)
}

func create(ctx context.Context, client *kgo.Client, all []Entry) error {
	if len(all) == 0 {
		return nil
	}
	req := kmsg.NewPtrCreateACLsRequest()
	for _, e := range all {
		c := kmsg.NewCreateACLsRequestCreation()
		c.Principal, c.ResourceType, c.ResourceName, c.ResourcePatternType, c.Operation, c.Host = e.User, e.Kind, e.Name, e.Pattern, e.Operation, e.Host
		c.PermissionType = kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, c)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create ACLs: %w", err)
	}
	var errs []error
	for i, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			errs = append(errs, fmt.Errorf("create %q: %w", all[i], err))
		}
	}
	return errors.Join(errs...)
}

func remove(ctx context.Context, client *kgo.Client, all []Entry) error {
	if len(all) == 0 {
		return nil
	}
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, e := range all {
		f := kmsg.NewDeleteACLsRequestFilter()
		f.Principal, f.ResourceType, f.ResourceName, f.ResourcePatternType, f.Operation, f.Host = &e.User, e.Kind, &e.Name, e.Pattern, e.Operation, &e.Host
		f.PermissionType = kmsg.ACLPermissionTypeDeny
		if e.Allow {
			f.PermissionType = kmsg.ACLPermissionTypeAllow
		}
		req.Filters = append(req.Filters, f)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("remove ACLs: %w", err)
	}
	var errs []error
	for i, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			errs = append(errs, fmt.Errorf("remove %q: %w", all[i], err))
		}
	}
	return errors.Join(errs...)
}

// SetPassword creates a user on the broker, or changes the password of one that exists, for both
// kinds of SCRAM.
func SetPassword(ctx context.Context, client *kgo.Client, user, password string) error {
	// the broker takes a user once in a request
	for _, m := range []kadm.ScramMechanism{kadm.ScramSha512, kadm.ScramSha256} {
		results, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: m, Iterations: 8192, Password: password}})
		if err == nil {
			err = results.Error()
		}
		if err != nil {
			return fmt.Errorf("set the password of %s: %w", user, err)
		}
	}
	return nil
}
