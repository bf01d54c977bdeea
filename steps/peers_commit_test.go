//go:build peers

package steps

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/engine"
)

// cutter passes connections on to a server, and cuts them between a commit and
// its answer while it is armed.
type cutter struct {
	listener net.Listener
	server   string // a Unix socket
	armed    atomic.Bool
	cuts     atomic.Int64
	work     sync.WaitGroup
}

func newCutter(t *testing.T, server string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, server: server}
	c.work.Go(c.accept)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		c.work.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("unix", c.server)
		if err != nil {
			client.Close()
			continue
		}
		var cut atomic.Bool // this connection's commit has been sent
		c.work.Go(func() {
			c.pass(server, client, func(b []byte) bool {
				if bytes.Contains(b, []byte("commit")) && c.armed.Load() {
					cut.Store(true)
				}
				return true
			})
		})
		c.work.Go(func() {
			c.pass(client, server, func([]byte) bool {
				if cut.Load() { // the server has committed, nobody will hear of it
					c.cuts.Add(1)
					return false
				}
				return true
			})
		})
	}
}

// pass copies while permit says so, then ends both sides.
func (c *cutter) pass(to io.WriteCloser, from io.ReadCloser, permit func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !permit(buf[:n]) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A commit whose answer is lost is unknown; the next attempt finds it in
// holdfast_steps, and applies nothing twice.
func TestPostgresCommitUnanswered(t *testing.T) {
	t.Parallel()
	srv := startPostgres(t)
	c := newCutter(t, filepath.Join(srv.dir, ".s.PGSQL.5432"))
	host, port, err := net.SplitHostPort(c.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, "postgres", "sslmode=disable user=holdfast database=postgres host="+host+" port="+port, func(n int) string { return "$" + strconv.Itoa(n) })
	b.must(t, `CREATE TABLE stock (n int)`)
	b.must(t, `INSERT INTO stock VALUES (10)`)
	const take = `UPDATE stock SET n = n - ?`

	c.armed.Store(true)
	_, err = b.again(t, 1, 0, take, int64(1))
	if e := fails(t, err, "OutcomeUnknown", ""); !e.Unknown {
		t.Error("the engine would not ask for evidence")
	}
	_, err = b.do(t, take, int64(1)) // nothing keeps this one from being applied twice: it has to be asked about
	if e := fails(t, err, "OutcomeUnknown", ""); !e.Unknown {
		t.Error("the engine would not ask for evidence")
	}
	c.armed.Store(false)
	if c.cuts.Load() != 2 {
		t.Fatalf("%d commits were cut", c.cuts.Load())
	}
	r, err := b.update.(engine.Recoverer).Recover(t.Context(), call(t, b.update, "dbName", "once", "sql", take))
	if err != nil || r.Verdict != engine.Again {
		t.Fatalf("got %+v, %v", r, err)
	}
	res, err := b.again(t, 1, 0, take, int64(1))
	shows(t, res, err, `{"rows_affected":1}`)
	res, err = b.ask(t, `SELECT n FROM stock`)
	shows(t, res, err, `[{"n":8}]`)
}
