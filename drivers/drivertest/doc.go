// Package drivertest is the conformance suite that every driver passes: what
// gateway.Driver and gateway.Subscriber promise, tried on a real driver with a
// real device behind it. It knows no protocol.
//
// # How a driver plugs in
//
// The driver's own test starts a device (a server in the same process), fills
// in a Device, and calls Run:
//
//	func TestConformance(t *testing.T) {
//		dev := startMyDevice(t)
//		proxy, err := drivertest.NewProxy(dev.Addr()) // drivers on TCP only
//		if err != nil {
//			t.Fatal(err)
//		}
//		t.Cleanup(func() { proxy.Close() })
//		drivertest.Run(t, drivertest.Device{
//			New: func(items []tag.Item) (gateway.Driver, error) {
//				return mydriver.New(mydriver.Config{Addr: proxy.Addr(), Timeout: 300 * time.Millisecond}, items)
//			},
//			Points: []drivertest.Point{
//				{Address: "word:1", Type: tag.TypeInt16},
//				{Address: "text:9", Type: tag.TypeString, Length: 16},
//			},
//			Get:   dev.Value,
//			Set:   dev.SetValue,
//			Proxy: proxy,
//		})
//	}
//
// Run's cases follow from what the Device has: a nil function or proxy is an
// ability that the device lacks, and its cases do not exist. New, Points, Get
// and Set are needed by all. Give the driver short timeouts (some 300 ms): the
// suite waits them out where it lets answers vanish, and allows each call
// Device.Patience.
//
// Call Run from a test that is not parallel: one case counts goroutines.
//
// # The proxy
//
// A Proxy stands between a driver on TCP and its device, and does on demand
// what networks do: cut, swallow answers or requests, let half a frame
// through, delay, refuse connections. A test of one driver may use it beside
// the suite.
package drivertest
