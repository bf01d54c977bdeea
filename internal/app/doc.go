// Package app is the composition root: it makes one daemon of the rooms of
// Holdfast, starts them in order (journal, gateway, engine, control) and stops
// them in reverse. Which drivers, steps and Go workflows there are is listed
// here, and nowhere else.
package app
