package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// The disk of the broker is full while purchases are under way: it stops by itself. Once there is
// room and it runs again, the services recover by themselves, and nothing that was acknowledged is
// lost.
func TestDiskFull(t *testing.T) {
	if engines.Engine != cluster.EngineKafka {
		// It writes what it can and goes on.
		t.Skip("the embedded broker keeps no promise on a full disk: BROKER=kafka runs this")
	}
	disk := smallDisk(t, "size=48m")
	s := start(t, setup{data: filepath.Join(disk, "data"), topics: []string{billingEvents}})
	contracts := s.contracts("disk", repeat(1_000_000, 9)...)
	mark := s.topics.Mark()
	end := make(chan struct{})
	var mu sync.Mutex
	var all []*purchase
	var buying sync.WaitGroup
	for n := range 8 {
		buying.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-end:
					return
				default:
				}
				p := &purchase{key: fmt.Sprintf("disk-%d-%d", n, round), contract: contracts[n], amount: 1}
				mu.Lock()
				all = append(all, p)
				mu.Unlock()
				s.insist(p, s.anyOf())
			}
		})
	}
	ballast := filepath.Join(disk, "ballast")
	began := time.Now()
	fill(t, ballast)
	select {
	case <-s.Kafka.Done():
		t.Logf("the broker stopped by itself %.1f s after its disk was full:\n%s", time.Since(began).Seconds(), s.Kafka.Tail(4))
	case <-time.After(recoverIn): // only bounds the wait
		t.Fatal("the broker does not notice that its disk is full")
	}
	for _, x := range s.services() {
		s.unready(x, "the broker does not answer")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	s.restart(s.Kafka)
	up := time.Now()
	again := s.buy("again", contracts[8], 4)
	t.Logf("broker up after %.1f s, purchases decided %.1f s later", up.Sub(began).Seconds(), time.Since(up).Seconds())
	close(end)
	buying.Wait()
	all = append(all, again...)
	s.everywhere(all)
	s.verify(mark, contracts, all, nil)
	s.published(mark, all)
}

// smallDisk mounts a disk of memory, gone when the test ends; only root may.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, size); err != nil {
		t.Skipf("a small disk cannot be mounted, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes until there is no room.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 1 << 12, 1} {
		for block := make([]byte, size); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
}
