package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	t.Parallel()
	words := []string{"url", "unit_id", "order", "timeout", "limits", "delay_between", "demote", "reconnect"}
	for in, want := range map[string]string{
		"URL": "url", "uri": "url", "unitid": "unit_id", "oredr": "order", "time_out": "timeout", "limit": "limits",
		"delaybetween": "delay_between", "demot": "demote", "host": "", "": "", "x": "",
		strings.Repeat("url", 1000): "",
	} {
		if got := Word(in, words); got != want {
			t.Errorf("nearest to %.20q: got %q, want %q", in, got, want)
		}
	}
}
