// Package engine runs the real engines as processes on the local JVM: Apache Kafka, one broker or
// several, and Apicurio Registry. The kafka command runs them in the foreground, the system tests
// kill, freeze and restart them. They listen on loopback addresses alone.
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

// BrokersOptions say what cluster to start. The zero value is one broker on a free port.
type BrokersOptions struct {
	Cache artifacts.Cache
	// Dir keeps the data, the configuration and the logs; it is made. A cluster that was started
	// from it before goes on with its data.
	Dir string
	// Count of brokers; 0 is one. From three on topics have three replicas, of which two must have
	// a record before it is acknowledged.
	Count int
	// Addrs are where the brokers listen, one each; free ports without them.
	Addrs []string
	// Advertised are what clients are told instead, one each, when something stands before the
	// brokers that leads to them.
	Advertised []string
	// Heap is the most that each JVM may use for objects, as 384m.
	Heap string
	// LogLevel of Kafka: trace, debug, info, warn (without it), error, off.
	LogLevel string
	// Settings are added to every broker's server.properties, and win.
	Settings map[string]string
	// Users, when there are any, are who may log in to a cluster that is then secured: TLS with an
	// authority of its own, SASL, and nobody but Admin, who is one of them, may do what no ACL
	// allows. Brokers.As gives what a client needs. It holds for a folder from its first start.
	Users []string
	// Tee, when not nil, is given what the brokers log, besides the files.
	Tee io.Writer

	controllers []string // addresses among themselves
	security    security
}

// Brokers is a cluster that was started.
type Brokers struct {
	Addrs []string           // that clients are told
	Nodes []*process.Process // each may be killed, frozen and started again by itself

	security security
}

// How long starting may take before it is given up: a loaded machine needs many times what an idle
// one does.
const (
	brokersIn  = 4 * time.Minute
	registryIn = 4 * time.Minute
)

// StartBrokers returns when every broker has joined the cluster. On an error nothing is left
// running.
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

// start launches all before it waits for one: a controller alone of three has no quorum and is
// never ready.
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

// joined is nil when one of the brokers says that all of them are in the cluster.
func (b *Brokers) joined(ctx context.Context) error {
	// cheaper than a client, for the seconds in which nobody listens
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

// Stop asks the brokers to end, one after the other so that each can hand over what it leads, and
// kills those that have not when the context ends. The last of several cannot hand over, nor tell a
// quorum that it goes: it is given a moment and then killed, which loses nothing that was
// acknowledged.
func (b *Brokers) Stop(ctx context.Context) error {
	for i, n := range b.Nodes {
		if len(b.Nodes)-i > len(b.Nodes)/2 { // a quorum is there when it begins to stop
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

// Kill ends every broker at once, without asking.
func (b *Brokers) Kill() error {
	var errs []error
	for _, n := range b.Nodes {
		errs = append(errs, n.Kill())
	}
	return errors.Join(errs...)
}

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

// free is an error when an address is no loopback address or somebody listens there.
func free(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address %q: want host:port: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %q: want a loopback address, as 127.0.0.1:9092: there is no security on it", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s cannot be listened on, stop what does or choose another address: %w", addr, err)
	}
	return l.Close()
}

// claimed is what a data folder says of the cluster whose data it has.
type claimed struct {
	Cluster string `json:"cluster"`
	Brokers int    `json:"brokers"`
	Secured bool   `json:"secured"`
	Kafka   string `json:"kafka"`
}

func (o *BrokersOptions) claimFile() string { return filepath.Join(o.Dir, "cluster.json") }

// claim makes the folder this cluster's, or refuses one that belongs to a cluster of another size.
func (o *BrokersOptions) claim() error {
	c, err := o.claimed()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return err
		}
		// the text does not begin with a dash, which a command line would take for an option
		id[0] &= 0x7f
		data, err := json.Marshal(claimed{base64.RawURLEncoding.EncodeToString(id), o.Count, len(o.Users) > 0, artifacts.KafkaVersion})
		if err != nil {
			return err
		}
		return os.WriteFile(o.claimFile(), data, 0o644)
	case err != nil:
		return err
	case c.Brokers != o.Count:
		return fmt.Errorf("%s holds the data of a cluster of %d, not %d: give another folder, or remove that one", o.Dir, c.Brokers, o.Count)
	case c.Secured != (len(o.Users) > 0):
		return fmt.Errorf("%s holds the data of a cluster with security %t: give another folder, or remove that one", o.Dir, c.Secured)
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

// format prepares a node's data folder, once.
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

// Reachable is nil when one of the brokers takes connections.
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
