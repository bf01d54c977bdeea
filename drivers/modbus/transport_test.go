package modbus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"holdfast/drivers/modbus"
	"holdfast/drivers/modbus/modbustest"
	"holdfast/gateway/tag"
)

// carry forwards one Modbus TCP request to a device and returns its answer,
// both with their MBAP header.
func carry(device net.Conn, request []byte) ([]byte, error) {
	if _, err := device.Write(request); err != nil {
		return nil, err
	}
	answer := make([]byte, 7, 260)
	if _, err := io.ReadFull(device, answer); err != nil {
		return nil, err
	}
	answer = answer[:6+int(binary.BigEndian.Uint16(answer[4:]))]
	_, err := io.ReadFull(device, answer[7:])
	return answer, err
}

func dial(t *testing.T, dev *modbustest.Device) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", dev.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exercise reads and writes through a driver.
func exercise(t *testing.T, dev *modbustest.Device, cfg modbus.Config) {
	t.Helper()
	items := append(registers(3), tag.Item{Handle: 3, Path: "c", Address: "coil:9", Type: tag.TypeBool, Write: true})
	d := connect(t, cfg, items)
	dev.SetHolding(0, 1, 2, 3)
	dev.SetCoil(9, true)
	for i, s := range mustRead(t, d, items) {
		want := tag.Int(int64(i + 1))
		if i == 3 {
			want = tag.Bool(true)
		}
		if !s.Status.IsGood() || !s.Value.Equal(want) {
			t.Errorf("%s reads %v, %v; want %v", items[i].Address, s.Value, s.Status, want)
		}
	}
	dev.RefuseWrites(modbustest.TableHolding, 1, modbustest.IllegalDataValue)
	os := mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(10)}, tag.Write{Item: items[1], Value: tag.Int(20)},
		tag.Write{Item: items[3], Value: tag.Bool(false)})
	if os[0].Result != tag.Accepted || os[1].Status != tag.BadOutOfRange || os[2].Result != tag.Accepted {
		t.Errorf("outcomes are %v", os)
	}
	if dev.Holding(0) != 10 || dev.Holding(1) != 2 || dev.Coil(9) {
		t.Errorf("the device has %d, %d, %t", dev.Holding(0), dev.Holding(1), dev.Coil(9))
	}
}

func TestUDP(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	device := dial(t, dev)
	sock, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := sock.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer, err := carry(device, buf[:n]); err == nil {
				sock.WriteTo(answer, from)
			}
		}
	}()
	exercise(t, dev, modbus.Config{URL: "udp://" + sock.LocalAddr().String(), UnitID: 1})
}

// crc16 is the checksum of Modbus over Serial Line v1.02, appendix B.
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			odd := crc&1 == 1
			crc >>= 1
			if odd {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// TestRTU speaks over each kind of serial line.
func TestRTU(t *testing.T) {
	t.Parallel()
	for name, open := range serialLines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			_, url := open(t, dev)
			exercise(t, dev, modbus.Config{URL: url, UnitID: 1, Timeout: time.Second, LateAnswer: time.Second})
		})
	}
}

// certificate makes a key pair that signs itself, for 127.0.0.1.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	device := dial(t, dev)
	serverCert, serverPool := certificate(t)
	clientCert, clientPool := certificate(t)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{serverCert}, ClientCAs: clientPool, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 512)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					answer, err := carry(device, buf[:n])
					if err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	url := "tcp+tls://" + ln.Addr().String()
	exercise(t, dev, modbus.Config{URL: url, UnitID: 1, ClientCert: &clientCert, Roots: serverPool})

	d, err := modbus.New(modbus.Config{URL: url, ClientCert: &clientCert, Roots: clientPool}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var unknown *tls.CertificateVerificationError
	if err := d.Connect(t.Context()); !errors.As(err, &unknown) {
		t.Errorf("Connect to a device that is not trusted: %v", err)
	}
}

// TestConnectEnded ends attempts to connect to a device that takes the
// connection and never shakes hands, by ctx and by Close.
func TestConnectEnded(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	cert, pool := certificate(t)
	d, err := modbus.New(modbus.Config{URL: "tcp+tls://" + ln.Addr().String(), ClientCert: &cert, Roots: pool}, nil)
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { result <- d.Connect(ctx) }()
	first := <-accepted
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Connect that was cancelled: %v", err)
	}

	// The next attempt waits for the first, which is still under way.
	ctx, cancel = context.WithCancel(t.Context())
	go func() { result <- d.Connect(ctx) }()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Connect beside one under way: %v", err)
	}
	first.Close()

	go func() { result <- d.Connect(t.Context()) }()
	second := <-accepted
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; err == nil {
		t.Error("Connect that Close ended returned no error")
	}
	second.Close()
	ln.Close()
	for range accepted {
		t.Error("one attempt more than there were calls")
	}
}
