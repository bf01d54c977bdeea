package sim

import (
	"fmt"
	"testing"
	"time"

	"holdfast/drivers/drivertest"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

func TestConformance(t *testing.T) {
	var points []drivertest.Point
	var items []tag.Item
	// Each point costs the suite several sampling periods, so not all types.
	for i, typ := range []tag.Type{tag.TypeBool, tag.TypeInt16, tag.TypeUint64, tag.TypeFloat32, tag.TypeString, tag.TypeBytes} {
		p := drivertest.Point{Address: "place_" + typ.String(), Type: typ}
		if typ == tag.TypeString || typ == tag.TypeBytes {
			p.Length = 16
		}
		points = append(points, p)
		items = append(items, tag.Item{Handle: i, Path: tag.Path(p.Address), Address: p.Address, Type: typ})
	}
	plant, err := newPlant(items)
	if err != nil {
		t.Fatal(err)
	}
	drivertest.Run(t, drivertest.Device{
		New:     func(items []tag.Item) (gateway.Driver, error) { return plant.driver(items), nil },
		Points:  points,
		Missing: &drivertest.Point{Address: "nowhere", Type: tag.TypeInt16},
		Get: func(p drivertest.Point) (tag.Value, error) {
			plant.mu.Lock()
			defer plant.mu.Unlock()
			return plant.places[p.Address].at(time.Since(plant.start))
		},
		Set: func(p drivertest.Point, v tag.Value) error {
			plant.mu.Lock()
			defer plant.mu.Unlock()
			q, ok := plant.places[p.Address]
			if !ok {
				return fmt.Errorf("there is no %s", p.Address)
			}
			q.write(v, time.Since(plant.start))
			return nil
		},
	})
}
