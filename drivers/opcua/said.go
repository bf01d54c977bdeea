package opcua

import (
	"slices"

	"holdfast/gateway/tag"
)

// said is what the log was told of the items that are not monitored. It outlives
// the session, so that each refusal is told once.
type said struct {
	items []tag.Item             // by Handle
	codes map[int]tag.StatusCode // by Handle
}

// count is how many items one line of the log is about, and the first of them.
type count struct {
	n     int
	first tag.Path
}

func (c *count) add(p tag.Path) {
	if c.n++; c.n == 1 {
		c.first = p
	}
}

// report logs what changes say that was not said yet: one line for each status.
func (d said) report(set settings, changes []tag.Change) {
	var codes []tag.StatusCode
	lost, back := map[tag.StatusCode]*count{}, count{}
	for _, c := range changes {
		code, known := d.codes[c.Handle]
		switch {
		case c.Unmonitored && !(known && code == c.Sample.Status):
			code = c.Sample.Status
			d.codes[c.Handle] = code
			if lost[code] == nil {
				lost[code] = &count{}
				codes = append(codes, code)
			}
			lost[code].add(d.path(c.Handle))
		case !c.Unmonitored && known:
			delete(d.codes, c.Handle)
			back.add(d.path(c.Handle))
		}
	}
	slices.Sort(codes)
	for _, code := range codes {
		set.Log.Warn("the server does not monitor tags; they are polled", "url", set.URL,
			"status", code.String(), "count", lost[code].n, "first", lost[code].first)
	}
	if back.n > 0 {
		set.Log.Info("the server monitors tags that were polled", "url", set.URL, "count", back.n, "first", back.first)
	}
}

func (d said) path(handle int) tag.Path {
	if handle < 0 || handle >= len(d.items) {
		return ""
	}
	return d.items[handle].Path
}
