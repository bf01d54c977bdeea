//go:build race

package journal

// fewer divides the number of cases of tests that have one goroutine at work
// and would be slow under the race detector.
const fewer = 10
