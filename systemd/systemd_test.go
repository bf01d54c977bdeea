// Package systemd_test checks the files that systemd is given: the unit, the
// user, the folders.
package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unit is a unit file: section and key lead to the values, in their order.
type unit map[string][]string

func parse(t *testing.T, file string) unit {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u, section := unit{}, ""
	for i, l := range strings.Split(string(b), "\n") {
		l = strings.TrimSpace(l)
		key, v, ok := strings.Cut(l, "=")
		switch {
		case l == "" || l[0] == '#':
		case l[0] == '[' && strings.HasSuffix(l, "]"):
			section = l[1 : len(l)-1]
		case ok && section != "":
			u[section+"."+key] = append(u[section+"."+key], v)
		default:
			t.Fatalf("%s:%d: %q is neither a section nor key=value", file, i+1, l)
		}
	}
	return u
}

func TestUnit(t *testing.T) {
	t.Parallel()
	u := parse(t, "holdfast.service")
	for _, want := range []string{
		"Unit.After=network-online.target", "Unit.StartLimitIntervalSec=0", "Install.WantedBy=multi-user.target",
		"Service.Type=notify", "Service.NotifyAccess=main", "Service.ExecStart=/usr/bin/holdfast serve",
		"Service.User=holdfast", "Service.Group=holdfast", "Service.WatchdogSec=30", "Service.TimeoutStopSec=20",
		"Service.Restart=on-failure", "Service.RestartSec=2", "Service.RestartPreventExitStatus=78",
		"Service.StateDirectory=holdfast", "Service.RuntimeDirectory=holdfast", "Service.RuntimeDirectoryMode=0750", "Service.UMask=0027",
		"Service.NoNewPrivileges=yes", "Service.CapabilityBoundingSet=", "Service.ProtectSystem=strict", "Service.ProtectHome=yes",
		"Service.PrivateTmp=yes", "Service.PrivateDevices=yes", "Service.RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
		"Service.MemoryDenyWriteExecute=yes", "Service.SystemCallFilter=@system-service", "Service.SystemCallArchitectures=native",
		"Service.LockPersonality=yes", "Service.RestrictNamespaces=yes",
	} {
		key, v, _ := strings.Cut(want, "=")
		if !slices.Contains(u[key], v) {
			t.Errorf("%s is %q, not %q", key, u[key], v)
		}
	}
	for key, vs := range u {
		if len(vs) > 1 && key != "Service.SystemCallFilter" {
			t.Errorf("%s is given %d times: %q", key, len(vs), vs)
		}
	}
	// The two folders are those of the shipped configuration.
	b, err := os.ReadFile(filepath.Join("..", "configs", "holdfast.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"data_dir: /var/lib/holdfast", "socket: /run/holdfast/holdfast.sock"} {
		if !strings.Contains(string(b), path) {
			t.Errorf("configs/holdfast.yaml has no %q", path)
		}
	}
}

// What is commented out is an example, and stays valid when it is switched on.
func TestExamplesInUnit(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n#LoadCredential=press-password:", "\n#DeviceAllow=char-ttyS rw", "\n#DeviceAllow=char-ttyUSB rw"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no example %q", want)
		}
	}
}

func TestUserAndFolders(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][]string{
		"holdfast.sysusers.conf": {`u holdfast - "Holdfast gateway" /var/lib/holdfast -`},
		"holdfast.tmpfiles.conf": {"d /etc/holdfast 0750 root holdfast -", "d /etc/holdfast/credentials 0700 root root -"},
	} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, l := range strings.Split(string(b), "\n") {
			if l != "" && l[0] != '#' {
				lines = append(lines, strings.Join(strings.Fields(l), " "))
			}
		}
		for _, w := range want {
			if !slices.Contains(lines, w) {
				t.Errorf("%s has no line %q, but %q", file, w, lines)
			}
		}
	}
}

// Where systemd is at hand, it finds nothing to say about the unit, with all
// that is commented out in it switched on as well.
func TestVerify(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "/usr/bin/holdfast", os.Args[0], 1) // verify wants a program that is there
	if text == string(b) {
		t.Fatal("the unit starts another program")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd-analyze here: only TestUnit has looked")
		return
	}
	all := text
	for _, key := range []string{"LoadCredential", "PrivateDevices", "DevicePolicy", "DeviceAllow", "SupplementaryGroups"} {
		all = strings.ReplaceAll(all, "\n#"+key, "\n"+key)
	}
	for name, text := range map[string]string{"holdfast.service": text, "holdfast-all.service": all} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", file).CombinedOutput()
		for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if strings.Contains(l, "holdfast") { // it looks at other units, too
				t.Errorf("systemd-analyze verify: %v: %s", err, l)
			}
		}
	}
}
