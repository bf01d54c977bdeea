package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/control/wire"
)

// JournalVerbs are the verbs on the journal of a daemon that is stopped. Each
// takes the configuration that names the folder; an *InUse says that the daemon
// is not stopped.
type JournalVerbs struct {
	Check   func(configPath string) (JournalReport, error)
	Restore func(configPath string, backup io.ReadSeeker) (JournalReport, error)
	Salvage func(configPath string) (JournalReport, error)
}

// JournalReport says what was found in the files of a journal, and done.
type JournalReport struct {
	Dir         string         `json:"dir"`
	Clean       bool           `json:"clean"`       // nothing is damaged or lost
	Interrupted bool           `json:"interrupted"` // it was not closed in order, which alone loses nothing
	Sentences   []string       `json:"sentences"`
	Runs        []JournalDoubt `json:"runs"`
	SetAside    []string       `json:"set_aside"` // files that were kept, in Dir
}

// JournalDoubt is a run that has lost something, or may have. A live one will be
// HELD.
type JournalDoubt struct {
	ID    string `json:"id"`
	Ended bool   `json:"ended"`
	Lost  bool   `json:"lost"` // nothing is left of it to go on from
	What  string `json:"what"`
}

// InUse is the error of a verb that needs the daemon stopped.
type InUse struct{ Cause error }

// Error says that it is not.
func (e *InUse) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *InUse) Unwrap() error { return e.Cause }

func (a *app) journalVerb() *cobra.Command {
	cmd := group("journal", "the record of runs by hand: backup, restore, check, salvage")
	cmd.AddCommand(
		&cobra.Command{
			Use: "backup FILE", Short: "have the running daemon back up all runs into FILE (-: standard output)", Args: takes(1, 1),
			RunE: func(cmd *cobra.Command, args []string) error { return a.backup(cmd, args[0]) },
		},
		&cobra.Command{
			Use: "restore FILE", Short: "put a backup in the journal's place; the daemon is stopped, live runs are HELD afterwards", Args: takes(1, 1),
			RunE: func(_ *cobra.Command, args []string) error { return a.restore(args[0]) },
		},
		&cobra.Command{
			Use: "check", Short: "read the journal through and change nothing; the daemon is stopped", Args: takes(0, 0),
			RunE: func(*cobra.Command, []string) error { return a.checkJournal() },
		},
		&cobra.Command{
			Use: "salvage", Short: "make the best of a journal that cannot be opened; the daemon is stopped", Args: takes(0, 0),
			RunE: func(*cobra.Command, []string) error {
				path, _ := a.configPath()
				r, err := a.Journal.Salvage(path)
				if err != nil {
					return stopped("salvage the journal", err)
				}
				return a.reportJournal(r)
			},
		},
	)
	return cmd
}

// backedUp is the JSON of the verb journal backup.
type backedUp struct {
	File string `json:"file"`
	wire.Backup
}

func (a *app) backup(cmd *cobra.Command, file string) error {
	what := "back up the journal"
	switch {
	case file != "-":
	case a.json():
		return usage(cmd, "standard output takes the backup, or the JSON that tells of it: name a FILE, or leave out -o json")
	case a.terminal(a.out):
		return usage(cmd, "a backup is not for a terminal: name a FILE, or redirect standard output")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var b wire.Backup
	fill := func(w io.Writer) (err error) {
		b, err = c.Backup(cmd.Context(), w)
		return err
	}
	if file == "-" {
		err = fill(a.out)
	} else {
		err = writeWhole(file, fill)
	}
	if interrupted(cmd.Context(), err) {
		err = &wire.Error{Code: wire.Failed, Message: "interrupted", Hint: "nothing was kept of it"}
	}
	if err != nil {
		return cannot(what, err)
	}
	if a.json() {
		return a.document(backedUp{file, b})
	}
	text := fmt.Sprintf("%s: %s and those that have ended, as of %s, %d bytes, journal %s", file, plural(b.Runs, "live run"), b.Time.UTC().Format(time.RFC3339), b.Bytes, b.Journal)
	if file == "-" {
		a.note("%s", text)
		return nil
	}
	return a.print(text + "\n")
}

func (a *app) restore(file string) error {
	path, _ := a.configPath()
	f, err := os.Open(file)
	if err != nil {
		return cannot("restore the journal", err)
	}
	r, err := a.Journal.Restore(path, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return stopped("restore the journal from "+file, err)
	}
	return a.reportJournal(r)
}

func (a *app) checkJournal() error {
	path, _ := a.configPath()
	r, err := a.Journal.Check(path)
	if err != nil {
		return stopped("check the journal", err)
	}
	if err := a.reportJournal(r); err != nil || r.Clean {
		return err
	}
	return cannotf("find the journal in order", wire.Failed, "a start of the daemon mends what can be mended; what keeps it from starting, holdfast journal salvage may help",
		"%s", plural(len(r.Sentences), "finding"))
}

// stopped says what kept us from what works on the journal of a stopped daemon.
func stopped(what string, err error) error {
	var busy *InUse
	if errors.As(err, &busy) {
		return cannotf(what, wire.TryAgain, "stop the daemon first (systemctl stop holdfast)", "%v", busy)
	}
	return cannot(what, err)
}

func (a *app) reportJournal(r JournalReport) error {
	if a.json() {
		r.Sentences, r.Runs, r.SetAside = array(r.Sentences), array(r.Runs), array(r.SetAside)
		return a.document(r)
	}
	text := ""
	for _, s := range r.Sentences {
		text += oneLine(s) + "\n"
	}
	if r.Clean {
		text += "the journal in " + r.Dir + " is in order\n"
	}
	if r.Interrupted {
		text += "it was not closed in order, which alone loses nothing\n"
	}
	return a.print(text)
}
