package demo

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 16 // characters

var birds = []string{
	"avocet", "bittern", "crane", "dipper", "egret", "finch", "grebe", "heron",
	"ibis", "jackdaw", "kite", "linnet", "martin", "nuthatch", "osprey", "plover",
	"quail", "robin", "siskin", "tern", "wagtail", "yellowhammer",
}

// clean makes what a visitor sent fit to be shown to others: UTF-8, printable,
// nothing that moves a terminal's cursor or reverses text.
func clean(raw []byte) string {
	text := strings.ToValidUTF8(string(raw), "\uFFFD")
	return strings.TrimSpace(strings.Map(printable, text))
}

func printable(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case unicode.IsPrint(r):
		return r
	}
	return -1
}

// checkName says what is wrong with a name, in words for its owner.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("say which name, as in: name wren")
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("a name has at most %d characters", maxName)
	case strings.ContainsFunc(name, notInName):
		return errors.New("a name is made of letters, digits, - and _")
	}
	return nil
}

func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
}

// pictures fit a narrow window: at most 38 columns.
var pictures = []struct{ name, art string }{
	{"bridge", `
           |               |
          /|\             /|\
         / | \           / | \
       .'  |  '.       .'  |  '.
    .-' |  |  | '-._.-' |  |  | '-.
  ====================================
           |               |
  ~~~~~~~~~|~~~~~~~~~~~~~~~|~~~~~~~~~~
     ~~    |    ~~     ~~  |   ~~
`},
	{"boat", `
              |\
              | \
             /|  \
            / |   \
           /  |    \
          /___|_____\
              |
      \_______|__________/
       \   o    o    o  /
  ~~~~~~\______________/~~~~~~
     ~~     ~~     ~~     ~~
`},
	{"lighthouse", `
              ___
             /___\
    - - - - |  o  | - - - -
            |_____|
             |   |
             | # |
            /     \
            |  #  |
           /       \
           |   #   |
      ~~~~/_________\~~~~
        ~~     ~~     ~~
`},
}

// picture finds a picture by name and returns its lines.
func picture(name string) (string, bool) {
	for _, p := range pictures {
		if strings.EqualFold(p.name, name) {
			return strings.TrimPrefix(p.art, "\n"), true
		}
	}
	return "", false
}

func pictureNames() []string {
	names := make([]string, len(pictures))
	for i, p := range pictures {
		names[i] = p.name
	}
	return names
}
