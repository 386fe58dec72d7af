package process

import "syscall"

// apart puts a child into a process group of its own, so that Ctrl-C in the terminal reaches only
// the parent, which then stops its children in order. The child is killed when the parent dies, so
// that no process is left holding ports and memory.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
