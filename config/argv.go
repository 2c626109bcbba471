package config

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// Flags is the table as a flag set, for shell completion: what is parsed with
// it is forgotten.
func Flags() *pflag.FlagSet { return newTable(new(Config)).flagSet(new([]assignment)) }

// readArgs splits a command line into what it sets, its positional words, and
// the command behind "--", which is nil where there is no "--".
// The grammar is pflag's (options and words in any order, --opt v, --opt=v, -vh,
// -- ends the options) plus unique prefixes of long options.
func (t table) readArgs(args []string) (given []assignment, words, command []string, err error) {
	set := t.flagSet(&given)
	set.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if all := t.withPrefix(name); len(all) == 1 {
			name = all[0]
		}
		return pflag.NormalizedName(name)
	})
	if err := set.Parse(args); err != nil {
		return nil, nil, nil, t.explain(err)
	}
	words = set.Args()
	if dash := set.ArgsLenAtDash(); dash >= 0 {
		words, command = words[:dash], words[dash:]
	}
	return given, words, command, nil
}

// flagSet has a flag per option that notes its values in given, unread.
func (t table) flagSet(given *[]assignment) *pflag.FlagSet {
	set := pflag.NewFlagSet("wsbridge", pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.SortFlags = false
	for _, o := range t {
		flag := set.VarPF(&noted{o, given}, o.Long, o.Short, o.Help)
		if o.isSwitch() {
			flag.NoOptDefVal = "true"
		}
	}
	return set
}

// noted is the pflag.Value of one option.
type noted struct {
	option Option
	given  *[]assignment
}

func (n *noted) Set(text string) error {
	origin := Origin{Source: Flag, Place: "--" + n.option.Long}
	*n.given = append(*n.given, assignment{n.option, text, origin})
	return nil
}

func (n *noted) String() string {
	if n.option.isSwitch() {
		return "false"
	}
	return n.option.Default
}

// Type is pflag's own word for switches and lists, the metavar for the rest.
func (n *noted) Type() string {
	switch n.option.to.(type) {
	case *bool:
		return "bool"
	case *[]string, *Verbatim:
		return "stringSlice"
	}
	return n.option.Metavar
}

func (o Option) isSwitch() bool {
	_, ok := o.to.(*bool)
	return ok
}

// withPrefix lists the long options that name may stand for: itself when it is
// one, otherwise all that begin with it.
func (t table) withPrefix(name string) (all []string) {
	for _, o := range t {
		if o.Long == name {
			return []string{name}
		}
		if name != "" && strings.HasPrefix(o.Long, name) {
			all = append(all, o.Long)
		}
	}
	return all
}

// explain puts pflag's error into our words.
func (t table) explain(err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usageErrorf("a long option has two dashes; see wsbridge --help",
			"unknown option -%s in -%s", unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())
	case errors.As(err, &unknown):
		return t.explainUnknown(unknown.GetSpecifiedName())
	case errors.As(err, &bare):
		name, metavar := bare.GetFlag().Name, bare.GetFlag().Value.(*noted).option.Metavar
		return usageErrorf("write --"+name+" "+metavar, "option --%s needs a value", name)
	}
	return usageErrorf("see wsbridge --help", "%s", err)
}

func (t table) explainUnknown(name string) error {
	if all := t.withPrefix(name); len(all) > 1 {
		return usageErrorf("write one of them out", "option --%s is ambiguous: --%s", name, strings.Join(all, ", --"))
	}
	hint := "see wsbridge --help"
	if near := nearest(name, t.names(long)); near != "" {
		hint = "did you mean --" + near + "?"
	}
	return usageErrorf(hint, "unknown option --%s", name)
}

// textAsked is the part of given that asks for help or the version. It is
// looked at first, so that a person with a bad option elsewhere still gets help.
func textAsked(given []assignment) (asked []assignment) {
	for _, a := range given {
		if a.option.Long == "help" || a.option.Long == "version" {
			asked = append(asked, a)
		}
	}
	return asked
}
