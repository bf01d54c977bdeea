package app

import (
	"fmt"
	"log/slog"
	"path/filepath"

	"holdfast/drivers/modbus"
	"holdfast/drivers/opcua"
	"holdfast/drivers/sim"
	"holdfast/gateway"
	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

// driverChecks is what the configuration's checker asks the drivers.
func driverChecks() map[string]config.DriverChecks {
	return map[string]config.DriverChecks{
		config.DriverModbus: {Address: modbus.CheckItem, URL: modbus.CheckURL},
		config.DriverOPCUA: {
			Address: func(addr string, _ tag.Type, _ tag.Order, _ int, _ bool) error { return opcua.CheckAddress(addr) },
			URL:     opcua.CheckURL,
		},
		config.DriverSim: {
			Address: func(addr string, t tag.Type, _ tag.Order, _ int, w bool) error { return sim.CheckAddress(addr, t, w) },
		},
	}
}

// newDriver makes the driver of one connection.
func newDriver(cfg *config.Config, c config.Connection, items []tag.Item, log *slog.Logger) (gateway.Driver, error) {
	log = log.With("connection", c.Name)
	switch c.Driver {
	case config.DriverModbus:
		return modbus.New(modbusConfig(c, log), items)
	case config.DriverOPCUA:
		oc, err := opcuaConfig(cfg, c, log)
		if err != nil {
			return nil, err
		}
		return opcua.New(oc, items)
	case config.DriverSim:
		return sim.New(items)
	}
	return nil, fmt.Errorf("driver %q is unknown", c.Driver)
}

func modbusConfig(c config.Connection, log *slog.Logger) modbus.Config {
	m := c.Modbus
	return modbus.Config{URL: c.URL, UnitID: m.UnitID, Order: m.Order, Timeout: m.Timeout, MaxRegisters: m.Limits.Registers,
		MaxCoils: m.Limits.Coils, MaxGap: m.Limits.MaxGap, DelayBetween: m.DelayBetween, LateAnswer: m.LateAnswer, Log: log}
}

func opcuaConfig(cfg *config.Config, c config.Connection, log *slog.Logger) (opcua.Config, error) {
	o := c.OPCUA
	out := opcua.Config{URL: c.URL, Policy: o.Security.Policy, Mode: o.Security.Mode, ServerCert: o.Security.ServerCert,
		PKIDir: filepath.Join(cfg.DataDir, "pki"), WatchdogSilence: o.Silence, ConnectTimeout: o.Timeouts.Connect,
		RequestTimeout: o.Timeouts.Request, SessionTimeout: o.Timeouts.Session, Log: log}
	auth, err := opcuaAuth(cfg, o.Auth)
	out.Auth = auth
	return out, err
}
