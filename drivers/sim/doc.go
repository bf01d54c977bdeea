// Package sim is a plant in memory, to try workflows with no wire.
//
// A place in the plant is a name with parameters, as in a URL:
//
//	lamp                                   holds what was written; false, 0 or "" before
//	recipe?init=Cola                       holds "Cola" at first (%20 is a space)
//	level?ramp=0..100&period=10s           rises from 0 to 100 in 10 s, and starts again
//	temp?sine=20..80&period=1m             swings between 20 and 80
//	beacon?toggle=2s                       is false for 2 s, true for 2 s, …; init=true begins with true
//	valve_fb?echo=valve_cmd&delay=500ms    is what valve_cmd was 500 ms ago
//
// Two tags may share a place: one gives the parameters, or both the same. What
// the plant moves by itself (ramp, sine, toggle, echo) cannot be written.
//
// Values follow from the time since New alone: nothing runs while nobody
// reads. The plant lives as long as its Driver; a link that is closed and
// connected again finds it as it is.
package sim
