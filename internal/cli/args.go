package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// takesNumber marks the commands whose last argument may be a negative number.
const takesNumber = "takes-number"

// shelter moves a negative number that is the argument of a command behind
// "--", where it is not taken for a flag: tags write line/offset -5.
func shelter(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.Annotations[takesNumber] == "" || slices.Contains(args, "--") {
		return args
	}
	negative := regexp.MustCompile(`^-(\d|\.\d)`)
	kept, moved := []string{}, []string{}
	for _, arg := range args {
		if negative.MatchString(arg) {
			moved = append(moved, arg)
		} else {
			kept = append(kept, arg)
		}
	}
	if len(moved) == 0 {
		return args
	}
	return append(append(kept, "--"), moved...)
}

// loose reads a value as users type it: JSON where it parses as JSON, else the
// text itself.
func loose(text string) any {
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		return text
	}
	return v
}

// inputsOf puts the inputs of a start together: the object of --input, then k=v,
// which win.
func inputsOf(object string, pairs []string) (value.Raw, error) {
	m := &value.Map{}
	if object != "" {
		doc, err := value.FromJSON([]byte(object))
		if err != nil {
			return nil, fmt.Errorf("--input is not JSON: %w", err)
		}
		var ok bool
		if m, ok = doc.(*value.Map); !ok {
			return nil, fmt.Errorf("--input is not a JSON object")
		}
	}
	given := map[string]bool{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("%q is not an input, which is KEY=VALUE", pair)
		case key == "":
			return nil, fmt.Errorf("%q has no key", pair)
		case given[key]:
			return nil, fmt.Errorf("input %s is given twice", key)
		}
		given[key] = true
		m.Set(key, loose(text))
	}
	return value.Encode(m)
}

// tagValue reads the value to write to a tag.
func tagValue(text string) (tag.Value, error) {
	v, err := tag.FromAny(loose(text))
	if err != nil {
		return v, fmt.Errorf("%s is not a value that a tag can hold", text)
	}
	if v.IsNone() {
		return v, fmt.Errorf("null cannot be written")
	}
	return v, nil
}

// message reads what to send to a mailbox: JSON, or a word that becomes {"cmd": word}.
func message(text string) (value.Raw, error) {
	v, err := value.FromJSON([]byte(text))
	if err == nil {
		return value.Encode(v)
	}
	if !regexp.MustCompile(`^[\pL_][\pL\pN_.-]*$`).MatchString(text) {
		return nil, fmt.Errorf("%q is neither JSON (%w) nor a word", text, err)
	}
	return value.Encode(value.NewMap("cmd", text))
}
