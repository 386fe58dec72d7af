//go:build unix && !linux

package process

import "syscall"

// apart puts a child in a process group of its own: Ctrl-C in the terminal reaches the parent
// alone, which stops the children in order.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
