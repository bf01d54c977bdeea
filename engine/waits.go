package engine

import "time"

// Awaiter is a Step that can say, while it is at work, what it waits for and
// until when at most; the zero time where that is not known.
type Awaiter interface {
	Awaits(a Args) (what string, until time.Time)
}

// Waiting is what a run waits for at a step.
type Waiting struct {
	Step  string     `json:"step"`
	For   string     `json:"for"`   // a tag, a topic; "" where the step does not say
	Until *time.Time `json:"until"` // at most; null: not known
}

// waits is where a run's Waiting comes from: nobody may ask for it.
type waits struct {
	step  Step
	args  Args
	what  string
	until time.Time
}

// at makes the Waiting of the step at work.
func (w *waits) at(step string) *Waiting {
	if step == "" {
		return nil
	}
	what, until := w.what, w.until
	if s, ok := w.step.(Awaiter); ok {
		what, until = s.Awaits(w.args)
	} else if s, ok := w.step.(Waiter); ok {
		until = w.args.Began.Add(s.Waits(w.args))
	}
	out := &Waiting{Step: step, For: what}
	if !until.IsZero() {
		until = until.UTC().Truncate(time.Millisecond)
		out.Until = &until
	}
	return out
}

// setWaits says what the step at work waits for.
func (r *Run) setWaits(w waits) {
	r.mu.Lock()
	r.waits = w
	r.mu.Unlock()
}

// Outlook is what is to be known of a run that has not taken a command yet.
type Outlook struct {
	State    string          `json:"state"`
	Commands CommandModeName `json:"commands"` // who takes it
	Waits    *Waiting        `json:"waits"`    // null: the program computes
	StopDue  *time.Time      `json:"stop_due"` // when the engine takes a STOP that the script does not ask for
}

// Outlook looks at a live run; nil for one that is none. It waits for no disk.
func (e *Engine) Outlook(id string) *Outlook {
	r := e.live(id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &Outlook{State: string(r.state), Commands: "engine", Waits: r.waits.at(r.currentStep)}
	if !r.engineHandles() {
		out.Commands = CommandModeName(r.head.commands.String())
		if !r.stopDue.IsZero() {
			due := r.stopDue.UTC().Truncate(time.Millisecond)
			out.StopDue = &due
		}
	}
	return out
}
