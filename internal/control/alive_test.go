package control

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/control/wire"
)

func TestSignsWhileAtWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var signs atomic.Int64
		whileAlive(func() { signs.Add(1) }, func(sync.Locker) {
			time.Sleep(3*signTime + signTime/2)
			if signs.Load() != 3 {
				t.Errorf("%d signs", signs.Load())
			}
		})
		before := signs.Load()
		time.Sleep(5 * signTime)
		if signs.Load() != before {
			t.Error("signs behind the end")
		}
	})
}

// An act that comes to its turn when nobody waits for it any more is not done.
func TestTooLate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for text, want := range map[string]wire.Code{
		"": "", now.Add(time.Second).Format(time.RFC3339Nano): "", now.Add(-time.Millisecond).Format(time.RFC3339Nano): wire.TryAgain, "soon": wire.BadRequest,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set(wire.HeaderBeginBefore, text)
		err := tooLate(r, now)
		if want == "" && err != nil || want != "" && (err == nil || tell(err).Code != want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
