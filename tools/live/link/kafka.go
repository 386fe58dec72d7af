package link

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// translation copies the frames of one connection to a broker, and changes the addresses of brokers
// in the answers.
type translation struct {
	to func(addr string) (string, error) // the address that leads to another

	mu    sync.Mutex
	asked map[int32]asked // requests whose answers have addresses, by correlation id
}

type asked struct{ key, version int16 }

// maxFrame is the size of the largest frame that is copied.
const maxFrame = 256 << 20

// frame reads a frame without its size.
func frame(from io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	data := make([]byte, n)
	_, err := io.ReadFull(from, data)
	return data, err
}

func writeFrame(to io.Writer, data []byte) error {
	_, err := to.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data))), data...))
	return err
}

// The requests whose answers have addresses of brokers.
var withAddresses = map[int16]bool{int16(kmsg.Metadata): true, int16(kmsg.FindCoordinator): true, int16(kmsg.DescribeCluster): true}

// requests copies requests and keeps those whose answers have addresses.
func (t *translation) requests(to io.Writer, from io.Reader) error {
	for {
		data, err := frame(from)
		if err != nil {
			return err
		}
		if len(data) >= 8 {
			a := asked{int16(binary.BigEndian.Uint16(data)), int16(binary.BigEndian.Uint16(data[2:]))}
			if withAddresses[a.key] {
				t.mu.Lock()
				t.asked[int32(binary.BigEndian.Uint32(data[4:]))] = a
				t.mu.Unlock()
			}
		}
		if err := writeFrame(to, data); err != nil {
			return err
		}
	}
}

// answers copies answers with changed addresses.
func (t *translation) answers(to io.Writer, from io.Reader) error {
	for {
		data, err := frame(from)
		if err != nil {
			return err
		}
		id := int32(binary.BigEndian.Uint32(data))
		t.mu.Lock()
		a, known := t.asked[id]
		delete(t.asked, id)
		t.mu.Unlock()
		if known {
			if data, err = t.translate(data, a); err != nil {
				return err
			}
		}
		if err := writeFrame(to, data); err != nil {
			return err
		}
	}
}

// translate returns an answer with changed addresses.
func (t *translation) translate(data []byte, a asked) ([]byte, error) {
	answer := kmsg.ResponseForKey(a.key)
	answer.SetVersion(a.version)
	head := 4
	if answer.IsFlexible() { // then the header ends with tags, of which brokers write none
		head = 5
	}
	if len(data) < head || head == 5 && data[4] != 0 {
		return nil, fmt.Errorf("an answer to request %d with an unknown header", a.key)
	}
	if err := answer.ReadFrom(data[head:]); err != nil {
		return nil, fmt.Errorf("answer to request %d: %w", a.key, err)
	}
	if err := t.change(answer); err != nil {
		return nil, err
	}
	return answer.AppendTo(append([]byte(nil), data[:head]...)), nil
}

func (t *translation) change(answer kmsg.Response) error {
	var err error
	one := func(host *string, port *int32) {
		if err == nil && *host != "" {
			err = t.address(host, port)
		}
	}
	switch x := answer.(type) {
	case *kmsg.MetadataResponse:
		for i := range x.Brokers {
			one(&x.Brokers[i].Host, &x.Brokers[i].Port)
		}
	case *kmsg.FindCoordinatorResponse:
		one(&x.Host, &x.Port)
		for i := range x.Coordinators {
			one(&x.Coordinators[i].Host, &x.Coordinators[i].Port)
		}
	case *kmsg.DescribeClusterResponse:
		for i := range x.Brokers {
			one(&x.Brokers[i].Host, &x.Brokers[i].Port)
		}
	}
	return err
}

// address replaces an address by the one that leads to it.
func (t *translation) address(host *string, port *int32) error {
	told, err := t.to(net.JoinHostPort(*host, strconv.Itoa(int(*port))))
	if err != nil {
		return err
	}
	h, p, err := net.SplitHostPort(told)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(p, 10, 32)
	*host, *port = h, int32(n)
	return err
}
