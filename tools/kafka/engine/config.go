package engine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	terminate  = syscall.SIGTERM
	terminated = 128 + int(terminate) // the exit status of a JVM that was asked to end
)

// node is one broker, which is a controller too.
type node struct {
	name, file, data string
}

// nodes writes the configuration of every broker, and returns the brokers.
func (o *BrokersOptions) nodes() ([]node, error) {
	var voters []string
	for i, addr := range o.controllers {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, addr))
	}
	if err := os.WriteFile(o.logging(), []byte(logging), 0o644); err != nil {
		return nil, err
	}
	var out []node
	for i := range o.Count {
		dir := filepath.Join(o.Dir, fmt.Sprintf("node-%d", i+1))
		n := node{name: fmt.Sprintf("kafka-%d", i+1), file: filepath.Join(dir, "server.properties"), data: filepath.Join(dir, "data")}
		if err := os.MkdirAll(n.data, 0o755); err != nil {
			return nil, err
		}
		settings := o.settings(i+1, o.Addrs[i], o.controllers[i], strings.Join(voters, ","), n.data)
		settings["advertised.listeners"] = "CLIENT://" + o.Advertised[i]
		if len(o.Users) > 0 {
			secured, err := o.security.settings(o.Users)
			if err != nil {
				return nil, err
			}
			maps.Copy(settings, secured)
		}
		maps.Copy(settings, o.Settings)
		if err := os.WriteFile(n.file, properties(settings), 0o600); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// settings returns the configuration of one broker. What keeps records safe is as in production,
// for the number of replicas; the partitions of internal topics, and the time that a group waits
// for its members, are chosen for a small machine.
func (o *BrokersOptions) settings(id int, addr, controller, voters, data string) map[string]string {
	replicas, inSync := min(o.Count, 3), 1
	if replicas == 3 {
		inSync = 2
	}
	s := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(id),
		"controller.quorum.voters":       voters,
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "CLIENT",
		"listeners":                      "CLIENT://" + addr + ",CONTROLLER://" + controller,
		"listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                       data,

		"auto.create.topics.enable":      "false",
		"num.partitions":                 "1",
		"unclean.leader.election.enable": "false",
		"default.replication.factor":     strconv.Itoa(replicas),
		"min.insync.replicas":            strconv.Itoa(inSync),

		"group.initial.rebalance.delay.ms": "0",
	}
	for _, topic := range []string{"offsets.topic", "transaction.state.log", "share.coordinator.state.topic"} {
		s[topic+".replication.factor"] = strconv.Itoa(replicas)
		s[topic+".num.partitions"] = "4"
	}
	s["transaction.state.log.min.isr"] = strconv.Itoa(inSync)
	s["share.coordinator.state.topic.min.isr"] = strconv.Itoa(inSync)
	return s
}

// properties returns the settings as a Java properties file.
func properties(settings map[string]string) []byte {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&out, "%s=%s\n", name, escape.Replace(settings[name]))
	}
	return []byte(out.String())
}

func (o *BrokersOptions) logging() string { return filepath.Join(o.Dir, "log4j2.properties") }

const logging = `status = error
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} %-5p %c{1}: %m%n
rootLogger.level = ${sys:deferpay.log.level}
rootLogger.appenderRef.stderr.ref = stderr
`

func (o *BrokersOptions) jvm(jars string) []string {
	return append(jvm(o.Heap, o.logs()),
		"-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:MaxDirectMemorySize=128m",
		"-Dlog4j2.configurationFile="+o.logging(), "-Ddeferpay.log.level="+o.LogLevel,
		"-cp", filepath.Join(jars, "*"))
}

// jvm returns the options of every JVM: its memory is bounded, it exits when that is used up, and
// it writes to no folder but the given one.
func jvm(heap, logs string) []string {
	return []string{"-Xmx" + heap, "-XX:+ExitOnOutOfMemoryError", "-XX:ErrorFile=" + filepath.Join(logs, "jvm-%p.log"),
		"-XX:-UsePerfData", "-Djava.awt.headless=true"}
}
