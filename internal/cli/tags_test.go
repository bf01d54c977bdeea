package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"holdfast/gateway/tag"
	"holdfast/internal/control/controltest"
)

func TestTagsRead(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	var tags []map[string]any
	hf(t, d.Socket, "tags", "read", "line/count", "line/name", "-o", "json").want(t, 0, "[", "").decode(t, &tags)
	if len(tags) != 2 || tags[0]["value"] != 7.0 || tags[1]["value"] != "Cola" || tags[0]["quality"] != "Good" {
		t.Fatalf("tags are %v", tags)
	}
	for _, key := range strings.Fields("path value quality timestamp connection address type units writable") {
		if _, ok := tags[0][key]; !ok {
			t.Errorf("a tag has no %s", key)
		}
	}
	at, _ := tags[0]["timestamp"].(string)
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", at); err != nil {
		t.Error(err)
	}
	hf(t, d.Socket, "tags", "read", "line/cuont").want(t, 4, "", "holdfast: cannot read line/cuont: there is no such tag\nhint: did you mean line/count?\n")
	hf(t, d.Socket, "tags", "read", "line//x").want(t, 2, "", "has an empty segment")
	hf(t, d.Socket, "tags", "read").want(t, 2, "", "an argument is missing")
	hf(t, d.Socket, "tags", "list", "-o", "json").want(t, 0, "[", "").decode(t, &tags)
	if len(tags) != 4 || tags[0]["path"] != "line/count" || tags[3]["writable"] != true {
		t.Errorf("tags are %v", tags)
	}
}

func TestTagsWrite(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "12.5").want(t, 0, "line/speed_sp = 12.5  accepted (Good)\n", "")
	if got := d.Device.Get("line/speed_sp"); !got.Equal(tag.Float(12.5)) {
		t.Errorf("the device has %s", got)
	}
	// 0.1 is another number once a float32 has held it.
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "0.1", "--confirm").want(t, 0, "line/speed_sp = 0.1  confirmed (Good)\n", "")
	hf(t, d.Socket, "tags", "write", "line/name", "Fanta", "--confirm").want(t, 0, `line/name = "Fanta"  confirmed (Good)`, "")
	hf(t, d.Socket, "tags", "write", "line/raw", "AwQ=", "--confirm").want(t, 0, "confirmed", "")
	if b, _ := d.Device.Get("line/raw").AsBytes(); string(b) != "\x03\x04" {
		t.Errorf("the device has %x", b)
	}
	var w map[string]any
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "3", "--confirm", "-o", "json").want(t, 0, "{", "").decode(t, &w)
	if w["outcome"] != "confirmed" || w["quality"] != "Good" || w["path"] != "line/speed_sp" {
		t.Errorf("the write as JSON is %v", w)
	}
}

func TestTagsWriteRefusals(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	for _, c := range []struct {
		code             int
		path, text, want string
	}{
		{5, "line/speed_sp", "500", "holdfast: cannot write line/speed_sp: 500 is above max 100\n"},
		{5, "line/speed_sp", "-5", "holdfast: cannot write line/speed_sp: -5 is below min 0\n"},
		{5, "line/count", "1", "hint: a write: section in the tag's configuration permits writing it"},
		{2, "line/speed_sp", "fast", "line/speed_sp: "},
		{2, "line/speed_sp", "true", "line/speed_sp: "},
		{2, "line/raw", "%%", "a bytes tag takes base64"},
		{2, "line/name", "null", "null cannot be written"},
		{2, "line/name", `{"a":1}`, "is not a value that a tag can hold"},
		{4, "line/nix", "1", "there is no such tag"},
	} {
		hf(t, d.Socket, "tags", "write", c.path, c.text).want(t, c.code, "", c.want)
	}
	if got := d.Device.Get("line/speed_sp"); !got.Equal(tag.Float(0)) {
		t.Errorf("the device has %s", got)
	}
}

func TestTagsWriteOutcomes(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	d.Device.Answer(tag.Outcome{Result: tag.Rejected, Status: tag.BadOutOfRange}, false)
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "1").want(t, 5, "", "cannot write line/speed_sp: the device rejected it (BadOutOfRange); nothing was written")
	d.Device.Answer(tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}, false)
	var w map[string]any
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "1", "--confirm", "-o", "json").
		want(t, 6, `"unknown"`, "it was sent and the device did not answer (BadTimeout): it may or may not have had its effect\nhint: look before you repeat it").decode(t, &w)
	if w["outcome"] != "unknown" {
		t.Errorf("the write as JSON is %v", w)
	}
}

func TestTagsWriteToDeadLink(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	b := goRun(t, d.Socket, "tags", "watch", "line/count")
	b.out.await(t, "Good") // the link has been up
	d.Device.Unplug()
	b.out.await(t, "Bad")
	hf(t, d.Socket, "tags", "write", "line/speed_sp", "1").want(t, 75, "", "nothing was written\nhint: holdfast status shows the connection\n")
	hf(t, d.Socket, "tags", "read", "line/count").want(t, 0, "Bad", "")
	hf(t, d.Socket, "status").want(t, 0, "down", "")
}

func TestTagsWatch(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	b := goRun(t, d.Socket, "tags", "watch", "line/count", "line/name", "-o", "json")
	b.out.await(t, `"value":7`)
	d.Device.Set("line/count", tag.Int(8))
	b.out.await(t, `"value":8`)
	b.interrupt()
	b.ends(t, 0)
	if b.err.String() != "" {
		t.Errorf("stderr is %q", b.err)
	}
	for line := range strings.Lines(b.out.String()) {
		var g map[string]any
		if err := json.Unmarshal([]byte(line), &g); err != nil || g["connection"] != "plc1" {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	p := goRun(t, d.Socket, "tags", "watch", "line/speed_sp")
	p.out.await(t, "  line/speed_sp  0 1/min  Good\n")
	d.Stop()
	p.ends(t, 75)
	p.err.await(t, "holdfast: cannot watch line/speed_sp: the daemon is stopping\n")
	hf(t, d.Socket, "tags", "watch", "line/nix").want(t, 3, "", "no daemon listens at "+d.Socket)
}
