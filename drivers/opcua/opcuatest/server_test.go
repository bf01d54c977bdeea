package opcuatest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/awcullen/opcua/client"
	"github.com/awcullen/opcua/ua"

	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// session calls f with a fresh session. The client library now and then closes
// a channel that has just been opened, on a busy machine; then it is tried anew.
func session(t *testing.T, s *opcuatest.Server, f func(ctx context.Context, c *client.Client) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		c, err := client.Dial(ctx, s.URL(), client.WithInsecureSkipVerify())
		if err == nil {
			err = f(ctx, c)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, ua.BadSessionClosed) {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, s *opcuatest.Server, node string) (v ua.DataValue) {
	t.Helper()
	session(t, s, func(ctx context.Context, c *client.Client) error {
		r, err := c.Read(ctx, &ua.ReadRequest{NodesToRead: []ua.ReadValueID{{NodeID: ua.ParseNodeID(node), AttributeID: ua.AttributeIDValue}}})
		if err == nil {
			v = r.Results[0]
		}
		return err
	})
	return v
}

func TestServer(t *testing.T) {
	t.Parallel()
	s, err := opcuatest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.AddVariable("Speed", tag.TypeFloat32, 1.5, true); err != nil {
		t.Fatal(err)
	}
	if err := s.AddVariable("Speed", tag.TypeFloat32, 1.5, true); err == nil {
		t.Error("a second Speed was taken")
	}
	if err := s.AddVariable("Small", tag.TypeInt8, 200, true); err == nil {
		t.Error("200 was taken as int8")
	}
	taken := make(chan any, 1)
	s.OnWrite(func(name string, v any) { taken <- v })

	if v := read(t, s, "ns=2;s=Speed"); v.Value != float32(1.5) {
		t.Errorf("Speed reads %v", v)
	}
	session(t, s, func(ctx context.Context, c *client.Client) error {
		w, err := c.Write(ctx, &ua.WriteRequest{NodesToWrite: []ua.WriteValue{
			{NodeID: ua.ParseNodeID("ns=2;s=Speed"), AttributeID: ua.AttributeIDValue, Value: ua.DataValue{Value: float32(2.5)}}}})
		if err == nil && w.Results[0] != ua.Good {
			err = w.Results[0]
		}
		return err
	})
	if v := <-taken; v != float32(2.5) {
		t.Errorf("OnWrite got %v", v)
	}
	if v, err := s.Get("Speed"); err != nil || v != float32(2.5) {
		t.Errorf("Get gives %v, %v", v, err)
	}
	if l := s.Writes(); len(l) != 1 || l[0].Name != "Speed" || l[0].Value != float32(2.5) || l[0].Status != tag.Good {
		t.Errorf("the log of writes is %v", l)
	}

	for range 2 {
		if err := s.AddVariable("Late", tag.TypeInt8, 7, false); err != nil {
			t.Fatal(err)
		}
		if v := read(t, s, "ns=2;s=Late"); v.Value != int8(7) {
			t.Errorf("Late reads %v", v)
		}
		if err := s.RemoveVariable("Late"); err != nil {
			t.Fatal(err)
		}
		if v := read(t, s, "ns=2;s=Late"); v.StatusCode != ua.BadNodeIDUnknown {
			t.Errorf("Late, which was removed, reads %v", v)
		}
	}
	if err := s.RemoveVariable("Late"); err == nil {
		t.Error("Late was removed twice")
	}

	url := s.URL()
	if err := s.Restart(opcuatest.WithNamespaces("urn:other", opcuatest.NamespaceURI)); err != nil {
		t.Fatal(err)
	}
	if s.URL() != url {
		t.Errorf("the address changed from %s to %s", url, s.URL())
	}
	if v := read(t, s, "ns=3;s=Speed"); v.Value != float32(2.5) {
		t.Errorf("after the restart Speed reads %v", v)
	}
}
