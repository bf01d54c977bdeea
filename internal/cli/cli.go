package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/client"
)

// Deps is what the composition root supplies: the verbs that work without a
// daemon, and what makes tests repeatable. Its functions may return an error with
// a method ExitCode() int, such as BadConfig.
type Deps struct {
	Version string

	Serve func(ctx context.Context, o ServeOptions) error
	Demo  func(ctx context.Context, o DemoOptions) error
	// Check checks a configuration and its workflows, and opens nothing. It
	// writes what is good to know to out; faults are "file:line:col: …".
	Check   func(configPath string, plan bool, out io.Writer) (faults []string, err error)
	Journal JournalVerbs
	// Schema returns the JSON Schema of the configuration.
	Schema func() []byte
	// SocketOf returns the socket that a configuration names.
	SocketOf func(configPath string) (string, error)

	Patience time.Duration // for which the daemon may be silent; 0: five seconds

	Getenv func(string) string // nil: os.Getenv
	Now    func() time.Time    // nil: time.Now
	Zone   *time.Location      // of times in tables; nil: time.Local
}

// ServeOptions are those of the verb serve.
type ServeOptions struct {
	ConfigPath string
	Socket     string // where to listen; "": as configured
	Stderr     io.Writer
}

// DemoOptions are those of the verb demo.
type DemoOptions struct {
	Dir      string // where the demo's data lie; "": the demo's own choice
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // Stdout is a terminal: a line may be drawn anew
}

// Where things are unless something else is said.
const (
	defaultConfig = "/etc/holdfast/holdfast.yaml"
	defaultSocket = "/run/holdfast/holdfast.sock"
)

// Run does what args say, without the program's name, and returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, d Deps) int {
	a := newApp(stdin, stdout, stderr, d)
	root := a.root()
	root.SetArgs(shelter(root, args))
	return a.report(root.ExecuteContext(ctx))
}

// app is one invocation.
type app struct {
	Deps
	in       io.Reader
	out, err io.Writer

	socket string // flags that all verbs have
	config string
	output string
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, d Deps) *app {
	if d.Getenv == nil {
		d.Getenv = os.Getenv
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Zone == nil {
		d.Zone = time.Local
	}
	return &app{Deps: d, in: stdin, out: stdout, err: stderr}
}

func (a *app) root() *cobra.Command {
	root := group("holdfast", "a gateway to PLCs and a workflow engine that keeps its place")
	root.Long = "Holdfast reads and writes the tags of PLCs, and runs workflows on them that go on\nwhere they were after a power cut."
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVar(&a.socket, "socket", "", "the daemon's socket (else HOLDFAST_SOCKET, else the configuration's, else "+defaultSocket+")")
	f.StringVar(&a.config, "config", "", "the configuration (else HOLDFAST_CONFIG, else "+defaultConfig+")")
	f.StringVarP(&a.output, "output", "o", "table", "table or json")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if a.output != "table" && a.output != "json" {
			return usage(cmd, "-o is %q, allowed are table, json", a.output)
		}
		return nil
	}
	root.AddCommand(
		a.serveVerb(), a.demoVerb(), a.checkVerb(), a.configVerb(),
		a.statusVerb(), a.workflowsVerb(), a.startVerb(),
		a.runsVerb(), a.showVerb(), a.stepsVerb(), a.logsVerb(), a.commandsVerb(),
		a.sendVerb(), a.cancelVerb(), a.resolveVerb(), a.obligationsVerb(), a.waiveVerb(), a.alarmsVerb(), a.ackVerb(),
		a.tagsVerb(), a.journalVerb(), a.versionVerb(), a.completionVerb(),
	)
	for _, c := range operatorVerbs() {
		root.AddCommand(a.operatorVerb(c))
	}
	return root
}

// group is a command that only holds others.
func group(use, short string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
}

// json reports whether the output is to be JSON.
func (a *app) json() bool { return a.output == "json" }

func (a *app) configPath() (path string, explicit bool) {
	if a.config != "" {
		return a.config, true
	}
	if path := a.Getenv("HOLDFAST_CONFIG"); path != "" {
		return path, true
	}
	return defaultConfig, false
}

// givenSocket returns the socket that the user has named; "" for none.
func (a *app) givenSocket() string {
	if a.socket != "" {
		return a.socket
	}
	return a.Getenv("HOLDFAST_SOCKET")
}

// client returns a client of the daemon. A configuration that nobody has named
// and that cannot be read does not matter: an operator need not be able to.
func (a *app) client() (*client.Client, error) {
	if s := a.givenSocket(); s != "" {
		return client.New(s).WithPatience(a.Patience), nil
	}
	path, explicit := a.configPath()
	s, err := a.SocketOf(path)
	if err != nil && explicit {
		return nil, cannot("find the daemon's socket", err)
	}
	if err != nil || s == "" {
		s = defaultSocket
	}
	return client.New(s).WithPatience(a.Patience), nil
}
