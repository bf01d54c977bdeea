package modbus

import (
	"context"
	"fmt"
	"time"

	"holdfast/gateway/tag"
)

// Write sends writes one by one, in order. Between them it looks at ctx and
// Close: what then was not sent is rejected. It closes the link with an outcome
// tag.Unknown, and rejects the writes after it.
func (d *Driver) Write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	ctx, end, err := d.begin(ctx, false)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("cannot write to %s: %w", d.cfg.URL, err)
	}
	outcomes := make([]tag.Outcome, len(writes))
	for i, w := range writes {
		if d.client == nil {
			outcomes[i] = rejected(tag.BadNotConnected, "not sent: the link was lost at an earlier write")
			continue
		}
		outcomes[i] = d.writeOne(ctx, w)
	}
	return outcomes, nil
}

func rejected(status tag.StatusCode, detail string) tag.Outcome {
	return tag.Outcome{Result: tag.Rejected, Status: status, Detail: detail}
}

// writeOne does one write, and closes the link where its outcome is unknown.
func (d *Driver) writeOne(ctx context.Context, w tag.Write) tag.Outcome {
	p, err := d.point(w.Item)
	if err != nil {
		return rejected(tag.BadConfigurationError, err.Error())
	}
	if !p.write {
		return rejected(tag.BadNotWritable, fmt.Sprintf("%v is not configured for writing", p.addr))
	}
	send, err := d.request(p, w.Value)
	if err != nil {
		return rejected(tag.BadTypeMismatch, err.Error())
	}
	if err := d.ready(ctx); err != nil {
		return rejected(tag.BadTimeout, fmt.Sprintf("not sent: %v", err))
	}
	sent := time.Now()
	err = send()
	d.idle = time.Now()
	if err == nil {
		return tag.Outcome{Result: tag.Accepted, Status: tag.Good}
	}
	if e, ok := exceptionOf(err); ok {
		if e.result == tag.Unknown {
			d.drop()
		}
		return tag.Outcome{Result: e.result, Status: e.write, Detail: e.detail()}
	}
	d.lose(ctx, sent, err)
	if notSent(err) {
		return rejected(linkStatus(err), fmt.Sprintf("not sent: %v", err))
	}
	return tag.Outcome{Result: tag.Unknown, Status: linkStatus(err), Detail: fmt.Sprintf("sent, no answer: %v", err)}
}

// request encodes a value and returns the call that sends it.
func (d *Driver) request(p point, v tag.Value) (send func() error, err error) {
	offset := p.addr.Offset
	if p.addr.Table == Coil {
		v, err := tag.Coerce(v, tag.TypeBool)
		if err != nil {
			return nil, err
		}
		b, _ := v.AsBool()
		return func() error { return d.client.WriteCoil(offset, b) }, nil
	}
	regs, err := p.encode(v)
	if err != nil {
		return nil, err
	}
	if len(regs) == 1 {
		return func() error { return d.client.WriteRegister(offset, regs[0]) }, nil
	}
	return func() error { return d.client.WriteRegisters(offset, regs) }, nil
}
