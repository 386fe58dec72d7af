// Package embedded starts a Kafka broker and a schema registry inside the calling process. It is
// for development: there is one broker and no security. The command devkafka and tests import it.
package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/devkafka/registry"
)

// Config has the addresses to listen on and the place of the data. Port 0 picks a free port.
type Config struct {
	Broker    string // host:port; the host must be a loopback name or address
	Advertise string // host:port advertised to clients instead of Broker; it must lead to Broker
	Registry  string // host:port
	DataDir   string // if empty, data is kept in memory
	// Sync has every batch written with fsync, so that acknowledged records survive a crash of the
	// machine.
	Sync bool
	// CompactEvery is how often compacted topics are compacted; 0 means once an hour.
	CompactEvery time.Duration
	Logger       *slog.Logger

	gone time.Duration // goneFor by default
}

// Kafka is a running broker with its registry.
type Kafka struct {
	Broker   string // host:port for clients
	Registry string // URL

	cluster  *kfake.Cluster
	registry *registry.Registry
	server   *http.Server
	failed   chan error
	stop     context.CancelFunc // stops removeLost
	watch    sync.WaitGroup
}

// Start returns once broker and registry answer. The broker does not create topics automatically.
func Start(ctx context.Context, cfg Config) (*Kafka, error) {
	host, portText, err := net.SplitHostPort(cfg.Broker)
	if err != nil {
		return nil, fmt.Errorf("broker address: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("broker address: port %q is not a number", portText)
	}
	open := &connections{open: map[string]bool{}}
	var direct kgo.Opt // of clients in this process
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.ClusterID("devkafka"), kfake.DefaultNumPartitions(1),
		kfake.WithLogger(logger{cfg.Logger}),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, p, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			l, err := net.Listen(network, net.JoinHostPort(host, p))
			if err != nil {
				return nil, err
			}
			direct = within(l.Addr().String())
			l = listener{l, open}
			if cfg.Advertise != "" {
				l = advertised{l, cfg.Advertise}
			}
			return l, nil
		}),
	}
	if cfg.DataDir != "" {
		opts = append(opts, kfake.DataDir(cfg.DataDir))
	}
	if cfg.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	if every := cfg.CompactEvery; every > 0 {
		opts = append(opts, kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": strconv.FormatInt(every.Milliseconds(), 10)}))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start the broker: %w", err)
	}
	k := &Kafka{Broker: cluster.ListenAddrs()[0], cluster: cluster, failed: make(chan error, 1), stop: func() {}}
	if err := k.startRegistry(ctx, cfg, direct); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Broker), direct)
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	heard := &signs{last: map[string]time.Time{}}
	heard.watch(cluster)
	watching, stop := context.WithCancel(context.Background())
	k.stop = stop
	k.watch.Go(func() {
		defer client.Close()
		removeLost(watching, client, open, heard, cmp.Or(cfg.gone, goneFor), cfg.Logger)
	})
	return k, nil
}

// within makes a client connect to the broker at the address on which it listens, whatever it
// advertises: what is in one process does not depend on a network or a proxy.
func within(addr string) kgo.Opt {
	var d net.Dialer
	return kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, addr)
	})
}

// advertised is a listener that returns another address than its own. The broker advertises the
// address of its listener to clients.
type advertised struct {
	net.Listener
	addr string
}

func (a advertised) Addr() net.Addr { return address(a.addr) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func (k *Kafka) startRegistry(ctx context.Context, cfg Config, direct kgo.Opt) error {
	listener, err := net.Listen("tcp", cfg.Registry)
	if err != nil {
		return err
	}
	if k.registry, err = registry.Open(ctx, []string{k.Broker}, registry.Avro{}, direct); err != nil {
		return errors.Join(err, listener.Close())
	}
	k.Registry = "http://" + listener.Addr().String()
	k.server = &http.Server{Handler: k.registry, ReadHeaderTimeout: 5 * time.Second}
	go func() { k.failed <- k.server.Serve(listener) }()
	return nil
}

// Failed returns a channel that receives the error of the registry if it stops serving.
func (k *Kafka) Failed() <-chan error { return k.failed }

// Close stops the registry and then the broker. The data of the broker is on disk when it returns.
func (k *Kafka) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	k.stop()
	k.watch.Wait()
	err := k.server.Shutdown(ctx)
	k.registry.Close()
	k.cluster.Close()
	return err
}

type logger struct{ to *slog.Logger }

// Logf logs the broker's errors and warnings at their levels, and everything else at level debug.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if ctx := context.Background(); l.to.Enabled(ctx, to) {
		l.to.Log(ctx, to, fmt.Sprintf(format, args...))
	}
}
