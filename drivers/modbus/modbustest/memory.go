package modbustest

// Holding returns a holding register.
func (d *Device) Holding(addr uint16) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holding[addr]
}

// SetHolding changes holding registers from addr on.
func (d *Device) SetHolding(addr uint16, values ...uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.holding[addr:], values)
}

// Input returns an input register.
func (d *Device) Input(addr uint16) uint16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.input[addr]
}

// SetInput changes input registers from addr on.
func (d *Device) SetInput(addr uint16, values ...uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.input[addr:], values)
}

// Coil returns a coil.
func (d *Device) Coil(addr uint16) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.coils[addr]
}

// SetCoil changes coils from addr on.
func (d *Device) SetCoil(addr uint16, values ...bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.coils[addr:], values)
}

// Discrete returns a discrete input.
func (d *Device) Discrete(addr uint16) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.discrete[addr]
}

// SetDiscrete changes discrete inputs from addr on.
func (d *Device) SetDiscrete(addr uint16, values ...bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	copy(d.discrete[addr:], values)
}
