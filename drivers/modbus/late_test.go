package modbus_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/drivers/modbus"
	"holdfast/drivers/modbus/modbustest"
	"holdfast/gateway/tag"
)

// serialLines are the transports whose answers do not say what they answer.
func serialLines() map[string]func(*testing.T, *modbustest.Device) (*serialUnit, string) {
	return map[string]func(*testing.T, *modbustest.Device) (*serialUnit, string){"rtu": onPTY, "rtuovertcp": onGateway, "rtuoverudp": onUDP}
}

// TestLateAnswers reads registers of known values from devices that answer
// late, in pieces, garbled or not at all, at random. A value that is shown Good
// is the register's own.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	const (
		lines, reads, tags = 8, 250, 40
		timeout            = 20 * time.Millisecond
		latest             = 80 * time.Millisecond
		lateAnswer         = 150 * time.Millisecond // the machine may be busy
	)
	for name, open := range serialLines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var good, bad, wrong, late atomic.Int64
			var work sync.WaitGroup
			for l := range lines {
				dev := listen(t)
				items := registers(tags)
				for i := range items {
					dev.SetHolding(uint16(i), uint16(1000*(l+1)+i))
				}
				unit, url := open(t, dev)
				seed := rand.Uint64()
				t.Logf("line %d: seed %d", l, seed)
				fate := rand.New(rand.NewPCG(seed, 0))
				unit.limit = latest
				unit.ask = func() manner {
					if fate.IntN(30) > 0 {
						return manner{}
					}
					what := fate.IntN(6)
					return manner{delay: time.Duration(fate.Int64N(int64(latest))), torn: what == 1, garbled: what == 2, lost: what == 3}
				}
				choice := rand.New(rand.NewPCG(seed, 1))
				work.Go(func() {
					defer func() { late.Add(unit.late.Load()) }()
					d, err := modbus.New(modbus.Config{URL: url, UnitID: 1, Timeout: timeout, LateAnswer: lateAnswer}, items)
					if err != nil {
						t.Error(err)
						return
					}
					defer d.Close()
					err = d.Connect(t.Context())
					for range reads {
						if err != nil {
							t.Error(err)
							return
						}
						i := choice.IntN(tags)
						unit.asked.Store(time.Now().UnixNano())
						var samples []tag.Sample
						samples, err = d.Read(t.Context(), items[i:i+1])
						for _, s := range samples {
							switch want := tag.Int(int64(1000*(l+1) + i)); {
							case !s.Status.IsGood():
								bad.Add(1)
							case s.Value.Equal(want):
								good.Add(1)
							default:
								if wrong.Add(1) < 10 {
									t.Errorf("line %d: register %d reads %v, Good; it is %v", l, i, s.Value, want)
								}
							}
						}
						// The delay of its answer counts from when the device has heard it.
						if heard := unit.hears(); !heard && err == nil {
							t.Errorf("line %d: register %d has a value, and the device was not asked", l, i)
						}
						if err != nil {
							err = d.Connect(t.Context())
						}
					}
				})
			}
			work.Wait()
			t.Logf("%d reads Good, %d bad, %d Good and wrong; %d answers came with a delay", good.Load(), bad.Load(), wrong.Load(), late.Load())
			if good.Load() < lines*reads/2 || bad.Load() < lines || late.Load() < lines {
				t.Error("that was too few of one sort to tell anything")
			}
		})
	}
}
