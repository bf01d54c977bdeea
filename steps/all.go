package steps

import (
	"slices"
	"time"

	"holdfast/engine"
)

// Config is what the built-in steps work with.
type Config struct {
	Tags       Tags
	StaleAfter time.Duration // see TagSteps
	HTTPAllow  []string      // see HTTPSteps
	Databases  *Databases    // nil: none
	Claims     Claims        // told of each write of a tag; nil: nobody
	Secrets    Secrets       // nil: there are none
}

// All returns the whole library. The error is about HTTPAllow.
func All(c Config) ([]engine.Step, error) {
	http, err := httpSteps(c.HTTPAllow, c.Secrets)
	if err != nil {
		return nil, err
	}
	if c.Databases == nil {
		c.Databases = &Databases{}
	}
	c.Databases.secrets = c.Secrets
	return slices.Concat(tagSteps(c.Tags, c.StaleAfter, c.Claims), WaitSteps(c.Tags), SleepSteps(), http, DBSteps(c.Databases)), nil
}
