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

// The disk of the broker fills up while purchases are being made, and the broker stops by itself.
// Once it runs again with free space, the services recover by themselves, and no acknowledged
// purchase is lost.
func TestDiskFull(t *testing.T) {
	if engines.Engine != cluster.EngineKafka {
		// devkafka goes on after a failed write.
		t.Skip("the embedded broker does not stop on a full disk: run with BROKER=kafka")
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
		t.Logf("the broker stopped %.1f s after its disk was full:\n%s", time.Since(began).Seconds(), s.Kafka.Tail(4))
	case <-time.After(recoverIn): // only bounds the wait
		t.Fatal("the broker did not stop on a full disk")
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

// smallDisk mounts a tmpfs until the test ends. It skips the test if it has no right to mount.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, size); err != nil {
		t.Skipf("cannot mount a small disk, which requires root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes to a file until the disk is full.
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
