package opcua

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
)

// pump keeps publish requests waiting at the server.
type pump struct {
	c       *channel
	limit   time.Duration // of a request
	answers chan published
	done    chan struct{} // closed by stop
	work    sync.WaitGroup

	mu      sync.Mutex
	acks    []*ua.SubscriptionAcknowledgement
	workers int
}

// published is one answer, or why there will be none any more.
type published struct {
	response *ua.PublishResponse
	err      error
}

func startPump(c *channel, workers int, limit time.Duration) *pump {
	p := &pump{c: c, limit: limit, answers: make(chan published), done: make(chan struct{}), workers: workers}
	for range workers {
		p.work.Go(p.run)
	}
	return p
}

// acknowledge has a message's number go back with a later request.
func (p *pump) acknowledge(id, number uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks = append(p.acks, &ua.SubscriptionAcknowledgement{SubscriptionID: id, SequenceNumber: number})
}

func (p *pump) takeAcks() []*ua.SubscriptionAcknowledgement {
	p.mu.Lock()
	defer p.mu.Unlock()
	acks := p.acks
	p.acks = nil
	return acks
}

// run keeps one request at the server.
func (p *pump) run() {
	for {
		select {
		case <-p.done:
			return
		case <-p.c.lost:
			return
		default:
		}
		acks := p.takeAcks()
		r, err := callWithin[*ua.PublishResponse](context.Background(), p.c, p.limit, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
		var fault *faultError
		if errors.As(err, &fault) {
			switch {
			case fault.code == ua.StatusBadTimeout, fault.code == ua.StatusBadRequestTimeout:
				continue // the request waited for too long at the server; the watchdog judges its silence
			case fault.code == ua.StatusBadTooManyPublishRequests && p.retire(acks):
				return
			}
		}
		if err != nil {
			err = fmt.Errorf("publish failed: %w", err)
		}
		select {
		case p.answers <- published{r, err}:
		case <-p.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// retire ends a request that is too many for the server, unless it is the last.
func (p *pump) retire(acks []*ua.SubscriptionAcknowledgement) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.workers == 1 {
		return false
	}
	p.workers--
	p.acks = append(acks, p.acks...)
	return true
}

// stop has no new requests sent.
func (p *pump) stop() { close(p.done) }

// drain waits until the server has answered the last request, which it does at
// once when it has no subscription left. One that does not costs the session.
func (p *pump) drain() {
	t := time.AfterFunc(closeGrace, func() { p.c.fail(errors.New("publish requests were left at the server")) })
	p.work.Wait()
	t.Stop()
}
