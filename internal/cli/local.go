package cli

import (
	"errors"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/control/wire"
)

func (a *app) serveVerb() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "run the gateway until SIGTERM or SIGINT", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _ := a.configPath()
			return cannot("serve "+path, a.Serve(cmd.Context(), ServeOptions{ConfigPath: path, Socket: a.givenSocket(), Stderr: a.err}))
		},
	}
}

func (a *app) demoVerb() *cobra.Command {
	o := DemoOptions{Stdout: a.out, Stderr: a.err, Terminal: a.terminal(a.out)}
	cmd := &cobra.Command{
		Use: "demo [--dir D]", Short: "run a simulated line, the gateway on it, and an example workflow", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cannot("run the demo", a.Demo(cmd.Context(), o))
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "where the demo keeps its data from one time to the next")
	return cmd
}

func (a *app) checkVerb() *cobra.Command {
	var plan bool
	cmd := &cobra.Command{
		Use: "check [--plan]", Short: "validate configuration, tags and workflows; change nothing", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			path, _ := a.configPath()
			var shown strings.Builder
			out := a.out
			if a.json() {
				out = &shown
			}
			faults, err := a.Check(path, plan, out)
			var bad *BadConfig
			switch {
			case errors.As(err, &bad):
				faults = bad.Faults
			case err != nil:
				return cannot("check "+path, err)
			}
			if a.json() {
				err = a.document(checked{OK: len(faults) == 0, Faults: array(faults), Notes: lines(shown.String())})
				if err != nil {
					return err
				}
			}
			if len(faults) > 0 {
				return cannot("use "+path, &BadConfig{Faults: faults})
			}
			if !a.json() {
				return a.print(path + ": no faults\n")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&plan, "plan", false, "show the requests that each scan makes")
	return cmd
}

// checked is the JSON of the verb check.
type checked struct {
	OK     bool     `json:"ok"`
	Faults []string `json:"faults"`
	Notes  []string `json:"notes"`
}

func lines(s string) []string {
	if s = strings.TrimRight(s, "\n"); s == "" {
		return []string{}
	}
	return strings.Split(s, "\n")
}

func (a *app) configVerb() *cobra.Command {
	cmd := group("config", "the configuration's format")
	cmd.AddCommand(&cobra.Command{
		Use: "schema", Short: "print the JSON Schema of the configuration", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			return a.print(strings.TrimRight(string(a.Schema()), "\n") + "\n")
		},
	})
	return cmd
}

// version is the JSON of the verb version.
type version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version of this program", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			v := version{a.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
			if a.json() {
				return a.document(v)
			}
			return a.print("holdfast " + v.Version + " (" + v.Go + ", " + v.OS + "/" + v.Arch + ")\n")
		},
	}
}

func (a *app) completionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|powershell", Short: "print a script that completes commands in a shell", Args: takes(1, 1),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			shells := map[string]func(io.Writer) error{
				"bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
				"zsh":  root.GenZshCompletion,
				"fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },

				"powershell": root.GenPowerShellCompletionWithDesc,
			}
			generate, ok := shells[args[0]]
			if !ok {
				return cannotf("complete commands", wire.BadRequest, "allowed are bash, zsh, fish, powershell", "unknown shell %q", args[0])
			}
			return cannot("print the script", generate(a.out))
		},
	}
}
