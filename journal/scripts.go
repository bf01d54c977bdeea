package journal

import "encoding/binary"

// all returns the names, in no order.
func (s *nameSet) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.m))
	for name := range s.m {
		out = append(out, name)
	}
	return out
}

func (s *nameSet) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, in := s.m[name]
	return in
}

// collect removes the scripts that no run names, live or ended. One that was
// put, or named by a start, since the journal was opened stays: its run may be
// on its way.
func (k *keeper) collect() error {
	j := k.m.j
	var idle []string
	for _, hash := range j.scripts.all() {
		if !j.used.has(hash) {
			idle = append(idle, hash)
		}
	}
	if len(idle) == 0 {
		return nil
	}
	// The live file first: who leaves it meanwhile is then found in the history.
	live, err := k.liveScripts()
	if err != nil {
		return err
	}
	for _, hash := range idle {
		if live[hash] {
			continue
		}
		used := false
		prefix := usePrefix(hash)
		err := j.history.Scan(prefix, after(prefix), func(key, _ []byte) bool {
			_, used = lastNumber(key, prefix)
			return !used
		})
		if err != nil {
			return err
		}
		if !used {
			if err := j.dropScript(hash); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropScript removes a script, unless it has come into use. Who puts it
// meanwhile finds it gone, and puts it behind its removal.
func (j *Journal) dropScript(hash string) error {
	j.scripts.mu.Lock()
	defer j.scripts.mu.Unlock()
	if j.used.has(hash) {
		return nil
	}
	delete(j.scripts.m, hash)
	var e encoder
	e.removeRaw(scriptKey(hash))
	_, err := j.q.add(&e, pending{}, Later, nil)
	return err
}

// liveScripts returns the scripts that runs in the live file name.
func (k *keeper) liveScripts() (map[string]bool, error) {
	out := make(map[string]bool)
	for from := runKey(tableRun, 0); from != nil; {
		next := from
		var bad error
		err := k.m.j.live.Scan(from, []byte{tableRun + 1}, func(key, value []byte) bool {
			run, part, ok := splitRunKey(key)
			if !ok || part != partHeader {
				next = after(key[:9])
				return false
			}
			payload, _, err := unseal(key, value)
			if err == nil {
				var h Header
				h, err = decodeHeader(run, payload)
				out[h.Script] = true
			}
			bad = err
			next = binary.BigEndian.AppendUint64([]byte{tableRun}, run+1)
			return false
		})
		if err == nil {
			err = bad // whose script is not known
		}
		if err != nil {
			return nil, err
		}
		if string(next) == string(from) {
			break
		}
		from = next
		k.m.rest()
	}
	return out, nil
}
