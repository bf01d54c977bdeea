package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a PostgreSQL of the measurement's own, with its defaults: each
// commit waits until the disk has it (fsync and synchronous_commit are on).
type server struct {
	data string // its data folder, a temporary one
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// startServer makes a cluster beside dir and starts it, on the loopback interface only.
func startServer(ctx context.Context, dir string) (*server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return nil, err
	}
	bin := ""
	if len(found) > 0 {
		bin = found[len(found)-1]
	} else if path, err := exec.LookPath("initdb"); err == nil {
		bin = filepath.Dir(path)
	} else {
		return nil, errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	data, err := os.MkdirTemp(filepath.Dir(dir), "bench-postgres")
	if err != nil {
		return nil, err
	}
	s := &server{data: data}
	as, err := s.user()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale")
	initdb.Dir, initdb.SysProcAttr = data, as
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(data))
	}
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	s.cmd.Dir, s.cmd.SysProcAttr, s.cmd.Stderr = data, as, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(data))
	}
	for range 100 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, dsn(port, "postgres")); err == nil {
			return s, conn.Close(ctx)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return nil, errors.Join(fmt.Errorf("PostgreSQL does not answer: %w", err), s.stop())
}

// user returns who PostgreSQL runs as, which may not be root.
func (s *server) user() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	err = errors.Join(uidErr, gidErr, os.Chown(s.data, int(uid), int(gid)))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, err
}

// stop ends the server and removes its data. What it has logged goes into the
// error, if it ends with one.
func (s *server) stop() error {
	err := s.cmd.Process.Signal(os.Interrupt) // a fast shutdown
	if werr := s.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("PostgreSQL: %w\n%s", werr, s.log.String()))
	}
	return errors.Join(err, os.RemoveAll(s.data))
}

func dsn(port int, database string) string {
	return fmt.Sprintf("postgres://bench@127.0.0.1:%d/%s?sslmode=disable", port, database)
}

// serverOf returns the process and the port of the server in data.
func serverOf(data string) (pid, port int, err error) {
	b, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 4 {
		return 0, 0, fmt.Errorf("%s has %d lines", filepath.Join(data, "postmaster.pid"), len(lines))
	}
	pid, pidErr := strconv.Atoi(lines[0])
	port, portErr := strconv.Atoi(lines[3])
	return pid, port, errors.Join(pidErr, portErr)
}

// newDatabase makes an empty database and returns how to reach it.
func newDatabase(ctx context.Context, data string) (string, error) {
	_, port, err := serverOf(data)
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, dsn(port, "postgres"))
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("bench%d", time.Now().UnixNano())
	_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
	return dsn(port, name), errors.Join(err, conn.Close(ctx))
}
