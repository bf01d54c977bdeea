package demo

import (
	"testing"
	"time"
)

// pass lets time pass in ticks, until the line is as wanted; it returns how long that took.
func pass(t *testing.T, l *line, until func() bool) time.Duration {
	t.Helper()
	begin := l.Age
	for !until() {
		l.advance(tick)
		if l.Age-begin > time.Minute {
			t.Fatalf("it never comes to that: %+v", *l)
		}
	}
	return l.Age - begin
}

func TestLine(t *testing.T) {
	t.Parallel()
	l := &line{SpeedSP: 60}
	l.advance(time.Second)
	if l.Running || l.Speed != 0 {
		t.Fatalf("it runs without a start: %+v", *l)
	}
	l.Start = true
	if took := pass(t, l, func() bool { return l.Speed == 60 }); !l.Running || took < time.Second {
		t.Errorf("it took %v to get up to speed: %+v", took, *l)
	}
	l.Valve = true
	if took := pass(t, l, func() bool { return l.ValveOpen }); took != valveTime {
		t.Errorf("the valve took %v", took)
	}
	if took := pass(t, l, l.full); took < 900*time.Millisecond || took > 1100*time.Millisecond {
		t.Errorf("a bottle took %v", took)
	}
	l.advance(time.Second) // the controller shuts the flow
	if l.Level != 1 || l.Bottles != 0 {
		t.Errorf("it spills: %+v", *l)
	}
	l.Valve = false
	pass(t, l, func() bool { return l.Bottles == 1 && !l.ValveOpen })
	if took := pass(t, l, func() bool { return !l.full() }); took > changeTime {
		t.Errorf("the next bottle took %v", took)
	}
	l.SpeedSP = 0
	pass(t, l, func() bool { return l.Speed == 0 })
	if l.Running || l.Start {
		t.Errorf("it has not taken the start back: %+v", *l)
	}
}

// A valve that closes above a bottle that is not full leaves it there.
func TestHalfABottle(t *testing.T) {
	t.Parallel()
	l := &line{SpeedSP: 60, Speed: 60, Start: true, Running: true, Valve: true, ValveOpen: true}
	pass(t, l, func() bool { return l.Level > 0.5 })
	l.Valve = false
	l.advance(valveTime)
	level := l.Level
	l.advance(time.Second)
	if l.Level != level || l.Bottles != 0 || level >= 1 {
		t.Errorf("got %+v, the level was %v", *l, level)
	}
}

func TestTemperature(t *testing.T) {
	t.Parallel()
	l := &line{Temperature: roomTemp, SpeedSP: 60, Start: true}
	pass(t, l, func() bool { return l.Temperature > 50 })
	l.SpeedSP = 0
	pass(t, l, func() bool { return l.Temperature < 30 })
}
