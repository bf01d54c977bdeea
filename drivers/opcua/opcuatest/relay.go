package opcuatest

import (
	"bufio"
	"net"
	"sync"
)

// relay forwards TCP connections to a backend, and misbehaves when told to.
type relay struct {
	l      net.Listener
	wg     sync.WaitGroup
	refuse refusal

	mu       sync.Mutex
	backend  string
	links    map[*link]struct{}
	up, down chan struct{} // open (closed channels) while traffic may pass to the server, to the client
	closed   bool
}

// link is one relayed connection.
type link struct {
	client, server net.Conn
	once           sync.Once
	dead           chan struct{} // closed by kill
}

func (k *link) kill() {
	k.once.Do(func() {
		close(k.dead)
		k.client.Close()
		k.server.Close()
	})
}

func newRelay(addr string) (*relay, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	open := make(chan struct{})
	close(open)
	r := &relay{l: l, links: map[*link]struct{}{}, up: open, down: open}
	r.wg.Go(r.accept)
	return r, nil
}

func (r *relay) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return // the listener was closed
		}
		r.wg.Go(func() { r.serve(c) })
	}
}

func (r *relay) serve(client net.Conn) {
	r.mu.Lock()
	backend := r.backend
	r.mu.Unlock()
	server, err := net.Dial("tcp", backend)
	if err != nil {
		client.Close()
		return
	}
	k := &link{client: client, server: server, dead: make(chan struct{})}
	defer k.kill()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.links[k] = struct{}{}
	r.mu.Unlock()
	r.wg.Go(func() { r.pump(k, client, server, &r.down, r.refuse.response) })
	r.pump(k, server, client, &r.up, r.refuse.request)
	r.mu.Lock()
	delete(r.links, k)
	r.mu.Unlock()
}

// pump copies src to dst, chunk by chunk as edit changes them, until either
// ends, and waits where its way is shut.
func (r *relay) pump(k *link, dst, src net.Conn, way *chan struct{}, edit func(chunk []byte)) {
	defer k.kill()
	in := bufio.NewReader(src)
	for {
		chunk, err := nextChunk(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		open := *way
		r.mu.Unlock()
		select {
		case <-open:
		case <-k.dead:
			return
		}
		edit(chunk)
		if _, err := dst.Write(chunk); err != nil {
			return
		}
	}
}

// shut holds back what goes to the server and to the client, or lets it pass again.
func (r *relay) shut(up, down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for way, hold := range map[*chan struct{}]bool{&r.up: up, &r.down: down} {
		select {
		case <-*way:
			if hold {
				*way = make(chan struct{})
			}
		default:
			if !hold {
				close(*way)
			}
		}
	}
}

func (r *relay) redirect(backend string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backend = backend
}

// cut drops all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.links {
		k.kill()
	}
}

func (r *relay) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	err := r.l.Close()
	r.cut()
	r.wg.Wait()
	return err
}
