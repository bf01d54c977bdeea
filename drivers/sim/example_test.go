package sim_test

import (
	"context"
	"fmt"
	"time"

	"holdfast/drivers/sim"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// A valve that answers 5 ms after its command, behind a gateway.
func Example() {
	command := tag.Item{Handle: 0, Path: "valve/cmd", Address: "valve_cmd", Type: tag.TypeBool, Period: time.Millisecond, Write: true}
	feedback := tag.Item{Handle: 1, Path: "valve/fb", Address: "valve_fb?echo=valve_cmd&delay=5ms", Type: tag.TypeBool, Period: time.Millisecond}
	plant, err := sim.New([]tag.Item{command, feedback})
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := gateway.New(gateway.Config{
		Connections: []gateway.Connection{{Name: "bench", DriverKind: "sim", Driver: plant}},
		Tags: []gateway.Tag{
			{Path: command.Path, Connection: "bench", Item: command, Write: &gateway.WriteRule{Kind: tag.Set}},
			{Path: feedback.Path, Connection: "bench", Item: feedback},
		},
		StartupGrace: time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()

	updates, err := g.Watch(ctx, "valve/fb")
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := g.Write(ctx, "valve/cmd", tag.Bool(true))
	fmt.Println(out.Result, out.Status, err)
	for u := range updates {
		if u.Sample.Value.Equal(tag.Bool(true)) {
			fmt.Println(u.Path, u.Sample.Value, u.Sample.Status)
			break
		}
	}
	cancel()
	fmt.Println(<-ended)
	// Output:
	// accepted Good <nil>
	// valve/fb true Good
	// <nil>
}
