package app

import (
	"fmt"
	"log/slog"
	"os"

	"holdfast/drivers/opcua"
	"holdfast/gateway"
	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

// newGateway makes the process image of a configuration. It opens nothing.
func newGateway(cfg *config.Config, log *slog.Logger) (*gateway.Gateway, error) {
	items := map[string][]tag.Item{}
	out := gateway.Config{StartupGrace: cfg.Engine.StartupGrace, Log: log}
	for _, t := range cfg.Tags {
		item := tag.Item{Handle: len(items[t.Connection]), Path: t.Path, Address: t.Address, Type: t.Type, Order: t.Order,
			Length: t.Length, Period: t.Period, Write: t.Write != nil}
		items[t.Connection] = append(items[t.Connection], item)
		out.Tags = append(out.Tags, gatewayTag(t, item))
	}
	for _, c := range cfg.Connections {
		d, err := newDriver(cfg, c, items[c.Name], log)
		if err != nil {
			return nil, fmt.Errorf("connection %s: %w", c.Name, err)
		}
		out.Connections = append(out.Connections, gateway.Connection{Name: c.Name, DriverKind: c.Driver, Driver: d,
			Subscribe: c.OPCUA.Subscribe, ReconnectMin: c.Reconnect.Min, ReconnectMax: c.Reconnect.Max})
	}
	return gateway.New(out)
}

func gatewayTag(t config.Tag, item tag.Item) gateway.Tag {
	out := gateway.Tag{Path: t.Path, Connection: t.Connection, Item: item, ScanClass: t.Scan, Units: t.Units, Deadband: t.Deadband}
	if t.Scale != nil {
		out.Scale = &gateway.Scale{Factor: t.Scale.Factor, Offset: t.Scale.Offset}
	}
	if t.Write == nil {
		return out
	}
	w := t.Write
	out.Write = &gateway.WriteRule{Kind: w.Kind, Min: w.Min, Max: w.Max, MaxStep: w.MaxStep, MinInterval: w.MinInterval}
	for _, i := range w.Interlocks {
		out.Write.Interlocks = append(out.Write.Interlocks, gateway.Interlock{Tag: i.Tag, Equals: i.Equals, MaxAge: i.MaxAge})
	}
	return out
}

// opcuaAuth reads the secrets that an OPC UA session needs.
func opcuaAuth(cfg *config.Config, a config.Auth) (opcua.Auth, error) {
	out := opcua.Auth{User: a.User}
	var err error
	if a.PasswordCredential != "" {
		if out.Password, err = cfg.Credential(a.PasswordCredential); err != nil {
			return out, err
		}
	}
	if a.Cert == "" {
		return out, nil
	}
	if out.Cert, err = os.ReadFile(a.Cert); err != nil {
		return out, fmt.Errorf("cannot read the user's certificate: %w", err)
	}
	key, err := cfg.Credential(a.KeyCredential)
	out.Key = []byte(key)
	return out, err
}
