// Package engine runs the real engines as processes on the local JVM: Apache Kafka, one broker or
// several, and Apicurio Registry. They listen on loopback addresses alone. The kafka command runs
// them in the foreground; system tests kill, freeze and restart them.
package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/process"
)

// BrokersOptions say which cluster to start. Cache and Dir are required; the rest defaults to one
// broker on a free port.
type BrokersOptions struct {
	Cache artifacts.Cache
	// Dir holds the data, the configuration and the logs; it is created if it is missing. A cluster
	// that was started from it before goes on with its data.
	Dir string
	// Count is how many brokers there are; 0 is one. From three on, topics have three replicas, and
	// two of them must have a record before it is acknowledged.
	Count int
	// Addrs are where the brokers listen, one each; free ports by default.
	Addrs []string
	// Advertised are the addresses that clients are told, one each, if those are of a proxy before
	// the brokers; Addrs by default.
	Advertised []string
	// Heap is the most memory that each JVM uses for objects; 384m by default.
	Heap string
	// LogLevel is the lowest level that Kafka logs: trace, debug, info, warn, error, off; warn by
	// default.
	LogLevel string
	// Settings are added to every broker's server.properties, and override what is there.
	Settings map[string]string
	// Users are those who may log in to a secured cluster; without any, the cluster is not secured.
	// A secured cluster has TLS with an authority of its own, SASL, and allows only what an ACL
	// allows, except to Admin, who is always one of the users. Brokers.As returns what a client
	// needs. Whether a folder's cluster is secured is settled by its first start.
	Users []string
	// Tee, if not nil, gets what the brokers log, as the files do.
	Tee io.Writer

	controllers []string // the addresses at which they reach each other
	security    security
}

// Brokers is a cluster that was started.
type Brokers struct {
	Addrs []string           // those that clients use
	Nodes []*process.Process // each may be killed, frozen and started again

	security security
}

// How long a start may take. A loaded machine needs many times as long as an idle one.
const (
	brokersIn  = 4 * time.Minute
	registryIn = 4 * time.Minute
)

// StartBrokers starts a cluster and returns once every broker has joined it. On an error, nothing
// is left running.
func StartBrokers(ctx context.Context, o BrokersOptions) (*Brokers, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	java, err := o.Cache.Java(ctx, artifacts.KafkaJava)
	if err != nil {
		return nil, fmt.Errorf("to run Apache Kafka: %w", err)
	}
	jars, err := o.Cache.Kafka(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, brokersIn)
	defer cancel()
	nodes, err := o.nodes()
	if err != nil {
		return nil, err
	}
	b := &Brokers{Addrs: o.Advertised, security: o.security}
	for _, n := range nodes {
		b.Nodes = append(b.Nodes, process.New(process.Spec{
			Name: n.name, Path: java, LogDir: o.logs(), Tee: o.Tee, StopStatus: terminated,
			Args: append(o.jvm(jars), "kafka.Kafka", n.file), Ready: b.joined,
		}))
	}
	var formatting errgroup.Group
	for _, n := range nodes {
		formatting.Go(func() error { return o.format(ctx, java, jars, n) })
	}
	if err := formatting.Wait(); err != nil {
		return nil, err
	}
	return b, b.start(ctx)
}

// start launches all brokers before it waits for the first: one controller of three has no quorum
// and is never ready.
func (b *Brokers) start(ctx context.Context) error {
	for _, n := range b.Nodes {
		if err := n.Launch(); err != nil {
			return errors.Join(err, b.Kill())
		}
	}
	for _, n := range b.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return errors.Join(err, b.Kill())
		}
	}
	return nil
}

// joined returns nil once the first broker reports that all of them are in the cluster.
func (b *Brokers) joined(ctx context.Context) error {
	// Cheaper than a client, for the seconds in which nobody listens.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.Addrs[0])
	if err != nil {
		return err
	}
	if err := conn.Close(); err != nil {
		return err
	}
	admin, err := b.As(Admin).Open()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(admin.Options(), kgo.SeedBrokers(b.Addrs...))...)
	if err != nil {
		return err
	}
	defer client.Close()
	m, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(m.Brokers) < len(b.Addrs) {
		return fmt.Errorf("%d of %d brokers are in the cluster", len(m.Brokers), len(b.Addrs))
	}
	return nil
}

// Stop asks the brokers to end, one after the other, so that each can hand over what it leads. It
// kills those that have not ended when the context ends. Once there is no quorum left, a broker can
// neither hand over nor leave the cluster: it gets a moment and is then killed, which loses nothing
// that was acknowledged.
func (b *Brokers) Stop(ctx context.Context) error {
	for i, n := range b.Nodes {
		if len(b.Nodes)-i > len(b.Nodes)/2 { // there is a quorum when it begins to stop
			if err := n.Stop(ctx); err != nil {
				return errors.Join(err, b.Kill())
			}
			continue
		}
		if err := stopOrKill(ctx, n); err != nil {
			return errors.Join(err, b.Kill())
		}
	}
	return nil
}

func stopOrKill(ctx context.Context, n *process.Process) error {
	if !n.Running() {
		return nil
	}
	if err := n.Signal(terminate); err != nil {
		return err
	}
	select {
	case <-n.Done():
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
	}
	return n.Kill()
}

// Kill kills every broker.
func (b *Brokers) Kill() error {
	var errs []error
	for _, n := range b.Nodes {
		errs = append(errs, n.Kill())
	}
	return errors.Join(errs...)
}

// complete fills in the defaults, checks the addresses, and prepares the folder.
func (o *BrokersOptions) complete() error {
	o.Count = max(o.Count, 1)
	if o.Heap == "" {
		o.Heap = "384m"
	}
	if o.LogLevel == "" {
		o.LogLevel = "warn"
	}
	ports, err := process.FreePorts(2 * o.Count)
	if err != nil {
		return err
	}
	o.controllers = ports[o.Count:]
	if len(o.Addrs) == 0 {
		o.Addrs = ports[:o.Count]
	}
	if len(o.Advertised) == 0 {
		o.Advertised = o.Addrs
	}
	if len(o.Addrs) != o.Count || len(o.Advertised) != o.Count {
		return fmt.Errorf("%d addresses, of which %d are advertised, for %d brokers", len(o.Addrs), len(o.Advertised), o.Count)
	}
	for _, addr := range o.Addrs {
		if err := free(addr); err != nil {
			return err
		}
	}
	abs, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = abs
	if err := errors.Join(os.MkdirAll(o.logs(), 0o755), o.claim()); err != nil || len(o.Users) == 0 {
		return err
	}
	if !slices.Contains(o.Users, Admin) {
		o.Users = append([]string{Admin}, o.Users...)
	}
	o.security = security{filepath.Join(o.Dir, "security")}
	return o.security.make(o.Users)
}

func (o *BrokersOptions) logs() string { return filepath.Join(o.Dir, "logs") }

// free returns an error unless addr is a loopback address that nobody listens on.
func free(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: want host:port: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %q: want a loopback address, such as 127.0.0.1:9092: it is not secured", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s, stop what does or choose another address: %w", addr, err)
	}
	return l.Close()
}

// claimed is what a data folder records of the cluster whose data it holds.
type claimed struct {
	Cluster string `json:"cluster"`
	Brokers int    `json:"brokers"`
	Secured bool   `json:"secured"`
	Kafka   string `json:"kafka"`
}

func (o *BrokersOptions) claimFile() string { return filepath.Join(o.Dir, "cluster.json") }

// claim records the cluster in the folder. An error is returned if the folder belongs to another
// kind of cluster.
func (o *BrokersOptions) claim() error {
	c, err := o.claimed()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return err
		}
		// The text must not begin with a dash, which a command line would take for an option.
		id[0] &= 0x7f
		data, err := json.Marshal(claimed{base64.RawURLEncoding.EncodeToString(id), o.Count, len(o.Users) > 0, artifacts.KafkaVersion})
		if err != nil {
			return err
		}
		return os.WriteFile(o.claimFile(), data, 0o644)
	case err != nil:
		return err
	case c.Brokers != o.Count:
		return fmt.Errorf("%s holds the data of a cluster of %d, not %d: use another folder, or remove that one", o.Dir, c.Brokers, o.Count)
	case c.Secured != (len(o.Users) > 0):
		return fmt.Errorf("%s holds the data of a cluster with security %t: use another folder, or remove that one", o.Dir, c.Secured)
	}
	return nil
}

func (o *BrokersOptions) claimed() (claimed, error) {
	var c claimed
	data, err := os.ReadFile(o.claimFile())
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", o.claimFile(), err)
	}
	return c, nil
}

// format prepares a node's data folder, unless that was done before.
func (o *BrokersOptions) format(ctx context.Context, java, jars string, n node) error {
	if _, err := os.Stat(filepath.Join(n.data, "meta.properties")); err == nil {
		return nil
	}
	c, err := o.claimed()
	if err != nil {
		return err
	}
	args := append(o.jvm(jars), "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", c.Cluster, "-c", n.file)
	if len(o.Users) > 0 {
		users, err := o.security.scram(o.Users)
		if err != nil {
			return err
		}
		args = append(args, users...)
	}
	out, err := exec.CommandContext(ctx, java, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the storage of %s: %w\n%s", n.name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Reachable returns nil if one of the brokers accepts a connection within three seconds.
func Reachable(ctx context.Context, addrs []string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var errs []error
	for _, addr := range addrs {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, fmt.Errorf("no broker answers: %w", err))
	}
	return errors.Join(errs...)
}
