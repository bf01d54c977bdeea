package demo

import "time"

// line is the plant: what its devices hold, and how it moves. It knows no
// network and no clock.
//
// A filler has a belt, a nozzle with a valve, and a place below it for one bottle.
// A pulse on Start sets the belt in motion; it runs until the set speed is 0, and
// only then the controller takes Start back. An open valve fills the bottle; the
// controller shuts the flow itself when the bottle is full. When the valve closes
// above a full bottle, that one is counted and the next moves in. A press beside
// it has a recipe, a batch number, a lamp, and a temperature.
type line struct {
	SpeedSP float32 `json:"speed_sp"` // bottles per minute
	Speed   float32 `json:"speed"`
	Start   bool    `json:"start"`
	Running bool    `json:"running"`

	Valve     bool          `json:"valve"`      // command
	ValveOpen bool          `json:"valve_open"` // limit switch
	Moving    time.Duration `json:"moving_ns"`  // how long the valve has been on its way
	Level     float64       `json:"level"`      // of the bottle, 0 to 1
	Changing  time.Duration `json:"changing_ns"`
	Bottles   uint32        `json:"bottles"` // ever filled

	Recipe      string        `json:"recipe"`
	BatchNo     uint32        `json:"batch_no"`
	Lamp        bool          `json:"lamp"`
	Temperature float64       `json:"temperature"` // °C
	Age         time.Duration `json:"age_ns"`      // of the plant, while it lived
}

const (
	valveTime  = 200 * time.Millisecond // from one limit switch to the other
	changeTime = 300 * time.Millisecond // from a full bottle to an empty one
	speedGain  = 60                     // bottles/min that the belt gains in a second
	roomTemp   = 20.0
	sealTemp   = 65.0
)

// full reports whether the bottle below the nozzle is full.
func (l *line) full() bool { return l.Level >= 1 }

// advance lets dt pass.
func (l *line) advance(dt time.Duration) {
	l.Age += dt
	l.belt(dt)
	l.nozzle(dt)
	goal := roomTemp
	if l.Running {
		goal = sealTemp
	}
	l.Temperature += (goal - l.Temperature) * min(dt.Seconds()/20, 1)
}

func (l *line) belt(dt time.Duration) {
	switch {
	case l.Start && !l.Running && l.SpeedSP > 0:
		l.Running = true
	case l.Running && l.SpeedSP <= 0:
		l.Running, l.Start = false, false
	}
	goal, most := l.SpeedSP, float32(dt.Seconds()*speedGain)
	if !l.Running {
		goal = 0
	}
	l.Speed += min(max(goal-l.Speed, -most), most)
}

func (l *line) nozzle(dt time.Duration) {
	if l.ValveOpen {
		// At 60 bottles/min a bottle takes a second.
		l.Level = min(l.Level+dt.Seconds()*float64(l.Speed)/60, 1)
	}
	if l.Valve == l.ValveOpen {
		l.Moving = 0
	} else if l.Moving += dt; l.Moving >= valveTime {
		l.ValveOpen, l.Moving = l.Valve, 0
		if !l.ValveOpen && l.full() {
			l.Bottles++
			l.Changing = dt
		}
	}
	if l.Changing > 0 {
		if l.Changing += dt; l.Changing >= changeTime && l.Running {
			l.Level, l.Changing = 0, 0
		}
	}
}
