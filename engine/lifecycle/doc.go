// Package lifecycle says, as one pure table, what a live run may do next, and
// who decides: which commands of operators are the engine's to take, and what
// becomes of them.
//
// A run is in the first of these phases whose condition holds:
//
//	phase      | condition                          | shown as      | commands are | the engine takes
//	Ending     | STOP, ABORT, cancel, deadline      | as they say   | nobody's     | —
//	Broken     | its record cannot be replayed      | HELD          | the engine's | STOP ABORT
//	Lost       | a part of its record may be lost   | HELD          | the engine's | STOP ABORT (resolve)
//	Doubtful   | a step's outcome is not known      | HELD          | the engine's | STOP ABORT (resolve)
//	Held       | HOLD, or on_power_loss             | HELD          | the engine's | STOP ABORT RESUME
//	Full       | the disk has no room               | as it was     | the engine's | STOP ABORT HOLD
//	Waiting    | its turn has not come              | STARTING      | the engine's | STOP ABORT HOLD
//	Executing  | else                               | RUNNING       | the engine's, or by the workflow's choice the script's
//
//	           HOLD               STOP, ABORT, cancel, deadline
//	Waiting ◄───────► Held ─────────────┐
//	   │    RESUME     ▲                ▼
//	   ▼               │ HOLD, RESUME  Ending ──► safe state ──► ended
//	Executing ◄────────┤                ▲
//	   │               ▼                │
//	   ├──► Doubtful, Lost ─────────────┤   resolve: goes on, or ends
//	   └──► Broken ─────────────────────┘   until the next start
//
// ABORT, cancel and deadline are the engine's in every phase, and act as they come.
// STOP is left to a script for the stop_grace of its workflow, and then the engine's.
//
// A run that waits in Broken, Lost, Doubtful or Held needs no worker.
package lifecycle
