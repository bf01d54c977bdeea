package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/config"
)

// BenchmarkLoadCSV loads 10,000 tags of a CSV file with the drivers' checks.
func BenchmarkLoadCSV(b *testing.B) {
	const tags = 10000
	dir := b.TempDir()
	var rows strings.Builder
	rows.WriteString("path,connection,address,type,units,scale.factor,write.kind,write.min,write.max\n")
	for i := range tags {
		fmt.Fprintf(&rows, "line%d/device%d/speed,plc1,holding:%d,uint16,1/min,0.1,set,0,1200\n", i%10, i, i)
	}
	const main = "version: 1\nconnections: {plc1: {driver: modbus, url: \"tcp://127.0.0.1:502\"}}\ntags_from: [tags.csv]\n"
	for name, text := range map[string]string{"tags.csv": rows.String(), "holdfast.yaml": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c, fs := config.Load(filepath.Join(dir, "holdfast.yaml"), drivers())
		if len(fs) > 0 || len(c.Tags) != tags {
			b.Fatal(len(c.Tags), fs)
		}
	}
}
