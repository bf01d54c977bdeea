package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what processes have used since they began.
type usage struct {
	cpu  time.Duration
	busy time.Duration // of all CPUs, by any process
}

// now returns what this process has used, and the PostgreSQL server in data, if any.
func now(data string) (u usage, err error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return u, err
	}
	u.cpu = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	if u.busy, err = busy(); err != nil || data == "" {
		return u, err
	}
	pid, _, err := serverOf(data)
	if err != nil {
		return u, err
	}
	return u, u.addServer(pid)
}

// addServer adds the processes of a PostgreSQL server: its first one and its
// children, those that have ended counted by the first.
func (u *usage) addServer(pid int) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		p, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		f, err := statFields(p)
		if err != nil || p != pid && f[1] != strconv.Itoa(pid) {
			continue // it has ended, or is not of the server
		}
		for i, ticks := range f[11:15] { // utime, stime, and those of ended children
			if i < 2 || p == pid {
				n, err := strconv.Atoi(ticks)
				if err != nil {
					return err
				}
				u.cpu += time.Duration(n) * tick
			}
		}
	}
	return nil
}

// tick is Linux's unit of CPU time in /proc.
const tick = 10 * time.Millisecond

// statFields returns the fields of /proc/PID/stat behind the name.
func statFields(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	return f, nil
}

// diskBytes returns how many bytes the disk under dir has been given to write,
// by any process: all that was written before is on it then.
func diskBytes(dir string) (int64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, err
	}
	syscall.Sync()
	b, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return 0, fmt.Errorf("%s is not on a disk of its own: %w", dir, err)
	}
	f := strings.Fields(string(b))
	if len(f) < 7 {
		return 0, fmt.Errorf("the disk under %s counts nothing", dir)
	}
	sectors, err := strconv.ParseInt(f[6], 10, 64)
	return sectors * 512, err
}

// written returns how many bytes this process has written to files. Linux counts
// the blocks in its memory that were changed, however large they are.
func written() (int64, error) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			return strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return 0, errors.New("/proc/self/io says nothing of write_bytes")
}

// busy returns how long the CPUs have worked, all together.
func busy() (time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(b), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return 0, fmt.Errorf("cannot read /proc/stat: %w", err)
	}
	return time.Duration(user+nice+system+irq+softirq+steal) * tick, nil
}
