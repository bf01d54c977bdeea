package script

import (
	"errors"
	"strings"

	"go.starlark.net/starlark"
)

// secret is the name of a credential. A script can pass it on, and compare it;
// what the credential holds only a step sees, when it sends it.
type secret string

var _ starlark.Value = secret("")

func (s secret) String() string        { return "secret(" + starlark.String(s).String() + ")" }
func (s secret) Type() string          { return "secret" }
func (s secret) Freeze()               {}
func (s secret) Truth() starlark.Bool  { return true }
func (s secret) Hash() (uint32, error) { return starlark.String(s).Hash() }

// maxSecretName bounds the name of a credential, in bytes.
const maxSecretName = 128

// newSecret is secret(name).
func newSecret(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	if err := starlark.UnpackArgs("secret", args, kwargs, "name", &name); err != nil {
		return nil, err
	}
	strange := strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r|32 >= 'a' && r|32 <= 'z' || r == '_' || r == '.' || r == '-')
	})
	if name == "" || len(name) > maxSecretName || strange {
		return nil, errors.New("secret wants the name of a credential, of 1 to 128 characters of [A-Za-z0-9_.-], not what it holds")
	}
	return secret(name), nil
}
