package config

import (
	"fmt"
	"strings"
)

const (
	helpWidth  = 80
	helpColumn = 30 // where the help lines start
)

// Help is the options part of --help.
func Help() string {
	var b strings.Builder
	for i, s := range Sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:\n", s.Title)
		for _, o := range s.Options {
			b.WriteString(o.helpLines())
		}
	}
	return b.String()
}

func (o Option) helpLines() string {
	head := "      --" + o.Long
	if o.Short != "" {
		head = "  -" + o.Short + ", --" + o.Long
	}
	if o.Metavar != "" {
		head += " " + o.Metavar
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-*s", helpColumn-1, head)
	if len(head) >= helpColumn {
		fmt.Fprintf(&b, "\n%-*s", helpColumn-1, "")
	}
	for i, line := range wrap(o.helpText(), helpWidth-helpColumn) {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", helpColumn-1))
		}
		b.WriteString(" " + line + "\n")
	}
	return b.String()
}

// helpText adds the default where there is one to speak of.
func (o Option) helpText() string {
	if o.Default == "" || o.Default == "0" {
		return o.Help
	}
	return fmt.Sprintf("%s (default %s)", o.Help, o.Default)
}

// wrap breaks text between words into lines of at most width bytes.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// Reference is a YAML file with every key, each commented out at its default.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead + "\n# Files\n" + includeOption().referenceLines())
	for _, s := range Sections() {
		title := fmt.Sprintf("\n# %s\n", s.Title)
		for _, o := range s.Options {
			if o.FileKey() == "" {
				continue
			}
			b.WriteString(title)
			title = ""
			b.WriteString(o.referenceLines())
		}
	}
	return b.String() + routesReference()
}

// routesReference lists the keys of a route below the key that has routes.
func routesReference() string {
	var b strings.Builder
	b.WriteString("\n# Routes\n\n# where requests go by path, host and subprotocol: a list of mappings, whose keys\n# are below\n#routes: []\n")
	joint := "- "
	for _, o := range Routing() {
		b.WriteString("#\n")
		for _, line := range wrap(o.Help, helpWidth-4) {
			b.WriteString("#   # " + line + "\n")
		}
		fmt.Fprintf(&b, "# %s%s: %s\n", joint, strings.ReplaceAll(o.FileKey(), "-", "_"), o.yamlDefault())
		joint = "  "
	}
	return b.String()
}

const referenceHead = `# wsbridge configuration: every key, at its default. Take the '#' off a key to
# set it, and start with: wsbridge --config FILE host:port
#
# An option on the command line wins over the environment (WSBRIDGE_MAX_SESSIONS
# for max-sessions), and that over this file. Seconds are a number or 30s, 5m,
# 1h30m. Paths that do not start at the root start at the working directory. In
# values, ${file:/path}, ${env:NAME} and ${credential:NAME} are replaced. wsbridge
# man 5 has more.
`

func (o Option) referenceLines() string {
	var b strings.Builder
	b.WriteByte('\n')
	for _, line := range wrap(o.Help, helpWidth-2) {
		b.WriteString("# " + line + "\n")
	}
	fmt.Fprintf(&b, "#%s: %s\n", o.FileKey(), o.yamlDefault())
	return b.String()
}

func (o Option) yamlDefault() string {
	switch {
	case o.Default != "":
		return o.Default
	case o.isSwitch():
		return "false"
	case o.isList():
		return "[]"
	}
	return `""`
}
