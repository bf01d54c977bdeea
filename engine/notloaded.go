package engine

import (
	"fmt"
	"strings"
)

// NotLoaded tells the engine which files of workflows could not be loaded, each
// with its fault ("file:line:col: message"), in place of those that it was told
// before. Each is an alarm, and the answer to a Start of a workflow that is not
// registered. Live runs are not concerned: their source is in the journal.
func (e *Engine) NotLoaded(files ...string) {
	e.mu.Lock()
	e.notLoaded = files
	e.mu.Unlock()
	e.nudgeAlarms()
}

// notAmong is the answer to a start of a workflow that is not registered while
// there are files that could not be loaded. Which workflows they have is not
// known, so no other name is suggested.
func notAmong(workflow string, files []string) *Problem {
	const shown = 3
	more := ""
	if n := len(files) - shown; n > 0 {
		more = fmt.Sprintf("; and %d more files", n)
		files = files[:shown]
	}
	return problem(Refused, "cannot start %s: no file that was loaded has this workflow, and these were not loaded: %s%s",
		workflow, strings.Join(files, "; "), more).hint("mend them, see holdfast check, and restart the daemon")
}
