package main

import (
	"errors"
	"time"
)

// span is what is measured of steps: a rate, CPU time and bytes, which need not
// end at the same moment.
type span struct {
	probe    *probe
	options  options
	out      figures
	began    time.Time
	steps    int64
	used     usage
	disk     int64
	written  int64
	profiled func() error
}

func startSpan(o options, p *probe) (s *span, err error) {
	s = &span{probe: p, options: o, out: figures{}}
	if s.disk, err = diskBytes(o.dir); err != nil {
		return nil, err
	}
	if s.written, err = written(); err != nil {
		return nil, err
	}
	if s.used, err = now(o.postgres); err != nil {
		return nil, err
	}
	if s.profiled, err = startProfile(o.profile); err != nil {
		return nil, err
	}
	s.began, s.steps = time.Now(), p.steps.Load()
	p.counting.Store(true)
	return s, nil
}

// sofar is how many steps have been made.
func (s *span) sofar() float64 { return float64(max(s.probe.steps.Load()-s.steps, 1)) }

// endTime takes the rate.
func (s *span) endTime() error {
	s.out["steps"], s.out["steps_s"] = s.sofar(), s.sofar()/time.Since(s.began).Seconds()
	s.probe.counting.Store(false)
	return s.profiled()
}

// endCPU takes the CPU time, and what other processes have used meanwhile.
func (s *span) endCPU() error {
	u, err := now(s.options.postgres)
	if err != nil {
		return err
	}
	cpu := u.cpu - s.used.cpu
	s.out["cpu_us_step"] = float64(cpu.Microseconds()) / s.sofar()
	s.out["others_cores"] = max(u.busy-s.used.busy-cpu, 0).Seconds() / time.Since(s.began).Seconds()
	return nil
}

// endBytes takes the bytes, and the times between steps: all runs have ended.
func (s *span) endBytes() error {
	w, err := written()
	disk, derr := diskBytes(s.options.dir)
	times := s.probe.times()
	s.out["disk_bytes_step"], s.out["written_bytes_step"] = float64(disk-s.disk)/s.sofar(), float64(w-s.written)/s.sofar()
	s.out["p50_ms"], s.out["p99_ms"] = millis(times, 0.5), millis(times, 0.99)
	return errors.Join(err, derr)
}
