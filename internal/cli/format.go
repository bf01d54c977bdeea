package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/engine/value"
)

// span shows a duration in at most two units.
func span(d time.Duration) string {
	d = max(d, 0)
	day := 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

// at shows a moment; "" for none.
func (a *app) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(a.Zone).Format("2006-01-02 15:04:05")
}

// clock shows the time of day with milliseconds.
func (a *app) clock(t time.Time) string { return t.In(a.Zone).Format("15:04:05.000") }

// ago shows how long ago a moment was; "" for none.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(a.Now().Sub(t)) + " ago"
}

// took shows how long something took that has ended, or is taking.
func (a *app) took(from, to *time.Time) string {
	switch {
	case from == nil:
		return ""
	case to == nil:
		return span(a.Now().Sub(*from))
	}
	return span(to.Sub(*from))
}

// text shows a value as JSON.
func text(r value.Raw) string {
	b, err := r.MarshalJSON()
	if err != nil {
		return fmt.Sprintf("(unreadable: %v)", err)
	}
	return string(b)
}

// given shows a value as JSON; "" for none.
func given(r value.Raw) string {
	if s := text(r); s != "null" {
		return s
	}
	return ""
}

// short cuts s to n letters, and makes one line of it.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// field is a line "name  content" of what is shown of one thing; further lines
// of the content are indented. A field without content is not shown.
func field(b *strings.Builder, name, content string) {
	if content == "" {
		return
	}
	for i, line := range strings.Split(strings.TrimRight(content, "\n"), "\n") {
		if i > 0 {
			name = ""
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-12s%s", name, line), " ") + "\n")
	}
}

// plural shows a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// size shows a number of bytes.
func size(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, units := float64(n), []string{"kB", "MB", "GB", "TB"}
	i := -1
	for v >= unit && i+1 < len(units) {
		v, i = v/unit, i+1
	}
	if v < 10 {
		return fmt.Sprintf("%.1f %s", v, units[i])
	}
	return fmt.Sprintf("%.0f %s", v, units[i])
}
