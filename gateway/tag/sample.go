package tag

import "time"

// Sample is the state of one tag at one moment: an OPC UA DataValue
// (OPC 10000-4, 7.11) with the time at which the gateway received it.
type Sample struct {
	Value    Value      // None when Status is bad
	Status   StatusCode // quality
	Source   time.Time  // when the device says the value was so; zero where it does not say
	Server   time.Time  // when the OPC UA server read it; zero for other drivers
	Received time.Time  // by the gateway's clock; staleness is judged by this only
}

// Timestamp returns the source's time where there is one, else when the sample
// was received.
func (s Sample) Timestamp() time.Time {
	if !s.Source.IsZero() {
		return s.Source
	}
	return s.Received
}

// BadSample is a Sample without a value.
func BadSample(code StatusCode, at time.Time) Sample { return Sample{Status: code, Received: at} }

// Update is a Sample of a named tag, as a watch delivers it.
type Update struct {
	Path   Path
	Sample Sample
	// Own is the device's own value where a deadband kept an earlier one in
	// Sample; else None.
	Own Value
	// Asked is when the request went out that brought the sample: the value is
	// not older than this, by the gateway's clock. For what the device told
	// unasked it is Change.Taken.
	Asked time.Time
}

// Change is a sample of one item of a subscription.
type Change struct {
	Handle int // Item.Handle
	Sample Sample
	// Taken is the earliest moment at which the device may have sampled it, by
	// the gateway's clock: a server that publishes once a second tells of a
	// sample up to a second late. Zero: Sample.Received.
	Taken time.Time
	// Unmonitored says that the device does not tell of changes of the item, from
	// now on until a Change without it: the device refuses to, gave no first
	// sample in time, or lost the item. Sample is bad and says why. The gateway
	// reads such an item at its Period.
	Unmonitored bool
}
