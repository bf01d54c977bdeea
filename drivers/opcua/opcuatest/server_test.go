package opcuatest_test

import (
	"context"
	"testing"
	"time"

	"github.com/awcullen/opcua/client"
	"github.com/awcullen/opcua/ua"

	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

func dial(t *testing.T, s *opcuatest.Server) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, s.URL(), client.WithInsecureSkipVerify())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func read(t *testing.T, c *client.Client, node string) ua.DataValue {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := c.Read(ctx, &ua.ReadRequest{NodesToRead: []ua.ReadValueID{{NodeID: ua.ParseNodeID(node), AttributeID: ua.AttributeIDValue}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Results[0]
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

	c := dial(t, s)
	if v := read(t, c, "ns=2;s=Speed"); v.Value != float32(1.5) {
		t.Errorf("Speed reads %v", v)
	}
	w, err := c.Write(context.Background(), &ua.WriteRequest{NodesToWrite: []ua.WriteValue{
		{NodeID: ua.ParseNodeID("ns=2;s=Speed"), AttributeID: ua.AttributeIDValue, Value: ua.DataValue{Value: float32(2.5)}}}})
	if err != nil || w.Results[0] != ua.Good {
		t.Fatal(w, err)
	}
	if v := <-taken; v != float32(2.5) {
		t.Errorf("OnWrite got %v", v)
	}
	if v, err := s.Get("Speed"); err != nil || v != float32(2.5) {
		t.Errorf("Get gives %v, %v", v, err)
	}
	if l := s.Writes(); len(l) != 1 || l[0].Name != "Speed" || l[0].Value != float32(2.5) || l[0].Status != tag.Good {
		t.Errorf("the log of writes is %v", l)
	}

	url := s.URL()
	if err := s.Restart(opcuatest.WithNamespaces("urn:other", opcuatest.NamespaceURI)); err != nil {
		t.Fatal(err)
	}
	if s.URL() != url {
		t.Errorf("the address changed from %s to %s", url, s.URL())
	}
	if v := read(t, dial(t, s), "ns=3;s=Speed"); v.Value != float32(2.5) {
		t.Errorf("after the restart Speed reads %v", v)
	}
}
