package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/control/wire"
	"holdfast/journal"
)

// ErrInUse says that a daemon has the journal: it has to be stopped first.
var ErrInUse = journal.ErrLocked

// JournalReport says what was found in the files of a journal, and done.
type JournalReport = journal.Report

// backupOf makes the API's backup of the journal's.
func backupOf(j *journal.Journal) control.Backup {
	return func(ctx context.Context, w io.Writer) (wire.Backup, error) {
		i, err := j.Backup(ctx, w)
		return wire.Backup{Journal: i.Journal, Time: i.Time, Frame: i.Frame, Runs: i.Runs, Entries: i.Entries, Bytes: i.Bytes}, err
	}
}

// CheckJournal reads the journal of a configuration through, and changes nothing.
func CheckJournal(configPath string) (dir string, r JournalReport, err error) {
	return onJournal(configPath, journal.Check)
}

// RestoreJournal puts a backup in the place of the journal of a configuration.
// Where its folder is missing, it is made.
func RestoreJournal(configPath string, backup io.ReadSeeker) (dir string, r JournalReport, err error) {
	return onJournal(configPath, func(dir string) (JournalReport, error) {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return JournalReport{}, err
		}
		return journal.Restore(dir, backup, journal.Options{})
	})
}

// SalvageJournal makes the best of what is left of the journal of a configuration.
func SalvageJournal(configPath string) (dir string, r JournalReport, err error) {
	return onJournal(configPath, func(dir string) (JournalReport, error) { return journal.Salvage(dir, journal.Options{}) })
}

func onJournal(configPath string, f func(dir string) (JournalReport, error)) (dir string, r JournalReport, err error) {
	if dir, err = dataDir(configPath); err == nil {
		r, err = f(dir)
	}
	return dir, r, err
}

// dataDir returns the data_dir of a configuration. Faults elsewhere do not
// matter: the journal is to be helped before the last tag is right, and by a user
// who cannot read every secret.
func dataDir(configPath string) (string, error) {
	cfg, faults := config.Load(configPath, nil)
	var matter []string
	for _, f := range faults {
		if cfg == nil || f.Line == 0 || strings.Contains(f.Message, "data_dir") {
			matter = append(matter, f.String())
		}
	}
	switch {
	case len(matter) > 0:
		return "", &BadConfig{Faults: matter}
	case cfg == nil:
		return "", errors.New("the configuration cannot be read")
	case cfg.DataDir == "":
		return "", fmt.Errorf("%s names no data_dir", configPath)
	}
	return cfg.DataDir, nil
}
