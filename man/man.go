// Package man has the manual pages: hand-written frames around parts made from
// the option table. man/wsbridge.1 and man/wsbridge.5 are these pages in files,
// for those who package them; after a change of either, write them anew:
//
//	go run ./cmd/wsbridge man 1 > man/wsbridge.1
//	go run ./cmd/wsbridge man 5 > man/wsbridge.5
package man

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/wsbridge/wsbridge/config"
)

//go:embed wsbridge.1.in
var frame string

//go:embed wsbridge.5.in
var fileFrame string

// FilePage is the manual page wsbridge(5), of the configuration file, in mdoc(7).
func FilePage() string {
	return strings.NewReplacer("@KEYS@\n", keys(), "@ROUTE KEYS@\n", keyList(config.Routing(), "_")).Replace(fileFrame)
}

func keys() string {
	var b strings.Builder
	for _, s := range config.Sections() {
		if list := keyList(s.Options, "-"); list != "" {
			fmt.Fprintf(&b, ".Ss %s\n.Bl -tag -width Ds\n%s.El\n", escape(s.Title), list)
		}
	}
	return b.String()
}

// keyList is the options as keys of a file, their words joined by joint.
func keyList(options []config.Option, joint string) string {
	var b strings.Builder
	for _, o := range options {
		if o.FileKey() == "" {
			continue
		}
		fmt.Fprintf(&b, ".It Cm %s : %s\n%s.\n", strings.ReplaceAll(o.FileKey(), "-", joint), keyValue(o), escape(sentence(o.Help)))
		if o.Default != "" {
			fmt.Fprintf(&b, "The default is\n.Cm %s .\n", escape(o.Default))
		}
	}
	return b.String()
}

// keyValue is what stands behind a key.
func keyValue(o config.Option) string {
	switch o.Kind() {
	case "switch":
		return "Cm true | false"
	case "list":
		return "Bq Ar " + o.Metavar + " , ..."
	}
	return "Ar " + strings.ReplaceAll(o.Metavar, "|", " | ")
}

// Page is the manual page wsbridge(1) in mdoc(7).
func Page() string {
	return strings.NewReplacer("@OPTIONS@\n", options(), "@ROUTE OPTIONS@\n", routeOptions()).Replace(frame)
}

// routeOptions are those of a route, as a file has them.
func routeOptions() string {
	var b strings.Builder
	for _, o := range config.Routing() {
		fmt.Fprintf(&b, ".It Cm %s", strings.ReplaceAll(o.Long, "-", "_"))
		if o.Metavar != "" {
			b.WriteString(" Ar " + strings.ReplaceAll(o.Metavar, "|", " | "))
		}
		fmt.Fprintf(&b, "\n%s.\n", escape(sentence(o.Help)))
		if o.Default != "" {
			fmt.Fprintf(&b, "The default is\n.Cm %s .\n", escape(o.Default))
		}
	}
	return b.String()
}

func options() string {
	var b strings.Builder
	for _, s := range config.Sections() {
		fmt.Fprintf(&b, ".Ss %s\n.Bl -tag -width Ds\n", escape(s.Title))
		for _, o := range s.Options {
			fmt.Fprintf(&b, ".It %s\n%s.\n", head(o), escape(sentence(o.Help)))
			if o.Default != "" {
				fmt.Fprintf(&b, "The default is\n.Cm %s .\n", escape(o.Default))
			}
		}
		b.WriteString(".El\n")
	}
	return b.String()
}

// head is the flags of an option and what follows them.
func head(o config.Option) string {
	head := "Fl -" + o.Long
	if o.Short != "" {
		head = "Fl " + o.Short + " , " + head
	}
	if o.Metavar != "" {
		head += " Ar " + strings.ReplaceAll(o.Metavar, "|", " | ")
	}
	return head
}

// sentence gives a help line its capital letter.
func sentence(line string) string {
	return strings.ToUpper(line[:1]) + line[1:]
}

// escape keeps roff from reading commands into plain text.
func escape(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
