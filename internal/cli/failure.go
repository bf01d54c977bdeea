package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/internal/control/wire"
)

// BadConfig is the error of a configuration that has faults.
type BadConfig struct {
	Faults []string // each "file:line:col: …"
}

// Error says how many faults there are.
func (e *BadConfig) Error() string {
	if len(e.Faults) == 1 {
		return "the configuration has a fault"
	}
	return fmt.Sprintf("the configuration has %d faults", len(e.Faults))
}

// ExitCode returns 78, sysexits' EX_CONFIG.
func (e *BadConfig) ExitCode() int { return wire.BadConfig.Kind().Exit }

// failure is an error as it is shown: what could not be done, and why.
type failure struct {
	what string
	err  error
	hint string // "": that of err
}

func (f *failure) Error() string {
	cause := f.err.Error()
	if strings.HasPrefix(cause, "cannot ") {
		return cause // it says itself what could not be done
	}
	object := f.what[strings.LastIndex(f.what, " ")+1:]
	cause = strings.TrimPrefix(cause, object+": ") // it has just been named
	return fmt.Sprintf("cannot %s: %s", f.what, cause)
}

func (f *failure) Unwrap() error { return f.err }

// cannot says what err has kept us from doing; nil for nil.
func cannot(what string, err error) error {
	if err == nil {
		return nil
	}
	var f *failure
	if errors.As(err, &f) {
		return err // it says so already
	}
	return &failure{what: what, err: err}
}

// cannotf is a failure of a kind that we found ourselves.
func cannotf(what string, code wire.Code, hint, format string, args ...any) error {
	return &failure{what: what, err: &wire.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}}
}

// usage is the failure of a command line that says something that it cannot.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return cannotf(verbOf(cmd), wire.BadRequest, "usage: "+useLine(cmd), format, args...)
}

// verbOf is what a command does, without the program's name.
func verbOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "run"
	}
	return "run " + strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

func useLine(cmd *cobra.Command) string {
	if cmd.HasParent() {
		return strings.TrimSpace(cmd.Parent().CommandPath() + " " + cmd.Use)
	}
	return cmd.Use + " COMMAND"
}

// takes checks the number of a command's arguments; most < 0: any.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage(cmd, "an argument is missing")
		case most >= 0 && len(args) > most:
			return usage(cmd, "%q is one argument too many", args[most])
		}
		return nil
	}
}

// unknownCommand is the failure of a word that is no command of cmd.
func unknownCommand(cmd *cobra.Command, word string) error {
	names := []string{}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	hint := "holdfast help lists the commands"
	if near := meant(word, names); near != "" {
		hint = fmt.Sprintf("did you mean %s %s?", cmd.CommandPath(), near)
	} else if cmd.HasParent() {
		hint = fmt.Sprintf("allowed are %s", strings.Join(names, ", "))
	}
	return cannotf(verbOf(cmd), wire.BadRequest, hint, "unknown command %q", word)
}

// flagError is the failure of a flag.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var none *pflag.NotExistError
	if !errors.As(err, &none) {
		return usage(cmd, "%v", err)
	}
	if none.GetSpecifiedShortnames() != "" {
		return usage(cmd, "unknown flag -%s", none.GetSpecifiedName())
	}
	names := []string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := meant(none.GetSpecifiedName(), names); near != "" {
		return cannotf(verbOf(cmd), wire.BadRequest, "did you mean --"+near+"?", "unknown flag --%s", none.GetSpecifiedName())
	}
	return usage(cmd, "unknown flag --%s", none.GetSpecifiedName())
}

// report shows err on standard error and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	var bad *BadConfig
	if errors.As(err, &bad) {
		for _, f := range bad.Faults {
			fmt.Fprintln(a.err, oneLine(f))
		}
	}
	fmt.Fprintf(a.err, "holdfast: %s\n", oneLine(cannot("do it", err).Error()))
	if h := hintOf(err); h != "" {
		fmt.Fprintf(a.err, "hint: %s\n", oneLine(h))
	}
	return exitCode(err)
}

func hintOf(err error) string {
	var f *failure
	if errors.As(err, &f) && f.hint != "" {
		return f.hint
	}
	var w *wire.Error
	if errors.As(err, &w) {
		return w.Hint
	}
	return ""
}

// exitCode returns the exit code of an error: its own, else 1.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return wire.Failed.Kind().Exit
}

// interrupted reports whether err is only that the user wants no more.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled)
}

func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
