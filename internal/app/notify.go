package app

import (
	"context"
	"log/slog"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
)

// notifier talks to systemd (sd_notify(3)). Without systemd it says nothing.
type notifier struct{ log *slog.Logger }

func newNotifier(log *slog.Logger) notifier { return notifier{log} }

func (n notifier) send(state string) {
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		n.log.Error("cannot notify systemd", "state", state, "error", err)
	}
}

func (n notifier) ready(status string) { n.send(sdnotify.SdNotifyReady + "\nSTATUS=" + status) }
func (n notifier) stopping()           { n.send(sdnotify.SdNotifyStopping) }

// healthPeriod is how often the daemon looks after itself where systemd does not ask.
const healthPeriod = time.Second

// watch feeds systemd's watchdog while healthy says nil, until ctx ends. What
// healthy says otherwise ends the daemon.
func (n notifier) watch(ctx context.Context, healthy func() error, fail context.CancelCauseFunc) {
	period := healthPeriod
	limit, err := sdnotify.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Error("cannot read systemd's watchdog interval", "error", err)
	}
	if limit > 0 {
		period = min(period, limit/2)
	}
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := healthy(); err != nil {
			fail(err)
			return
		}
		if limit > 0 {
			n.send(sdnotify.SdNotifyWatchdog)
		}
	}
}
