// Package scheduler gives workers to runs, and takes them back.
//
// A run has a Seat from its start to its end. It waits until its turn comes, in
// the order in which runs entered, and executes then. A run that waits long, or
// is held, parks: its worker goes to the next that waits. When it goes on it
// does so at once, though all workers may be taken: what has begun on a plant
// does not queue behind what has not. So the workers bound how many runs begin,
// and how many execute is more only by those that came back from parking.
//
//	Enter ──► Waiting ──► Executing ◄────► Parked, Held
//	             │            │                │
//	             └────────────┴───► Leave ◄────┘
//
// Who is next is decided in one place, Scheduler.next: queues, priorities,
// partitions and rates belong there. A parked run still has its goroutine, and
// its program's stack; Park is the place where it is to give up those too, and
// Resume the one where it is to be replayed.
package scheduler
