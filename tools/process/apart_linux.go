package process

import "syscall"

// apart puts a child in a process group of its own: Ctrl-C in the terminal reaches the parent
// alone, which stops the children in order. And a parent that is killed takes its children along,
// so that nothing is left behind that holds ports and memory.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
