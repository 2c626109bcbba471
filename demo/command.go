package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	maxBurst  = 1024 // KB
	maxSecret = 100
	drawPace  = 60 * time.Millisecond // between the lines of a picture

	burstLine = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"
)

// command is a row of the table: what a visitor types and what comes of it.
// One without args is only meant when it stands alone on its line, so that
// "who are you?" is talk.
type command struct {
	name, args, help string
	run              func(h *Hall, v *visitor, arg string)
}

// commands is a function because help, a row, reads the table.
func commands() []command {
	return []command{
		{"help", "", "this list", (*Hall).help},
		{"say", "TEXT", "speak to all (as any line that is no command does)", (*Hall).say},
		{"who", "", "who is here", (*Hall).who},
		{"name", "NAME", "be called something else", (*Hall).rename},
		{"dice", "", "roll two dice for all to see", (*Hall).dice},
		{"guess", "N", "guess the number I think of, 1 to 100", (*Hall).guess},
		{"draw", "[WHAT]", "a picture: " + strings.Join(pictureNames(), ", "), (*Hall).draw},
		{"clock", "", "the time, five times", (*Hall).clock},
		{"burst", "KB", "that many kilobytes at once, 1 to 1024", (*Hall).burst},
		{"bye", "", "leave", (*Hall).bye},
	}
}

// obey runs the command in line, or says line to all when it holds none. A
// slash in front makes it a command and nothing else.
func (h *Hall) obey(v *visitor, line string) {
	text, slashed := strings.CutPrefix(line, "/")
	word, arg, _ := strings.Cut(text, " ")
	arg = strings.TrimSpace(arg)
	for _, c := range commands() {
		if strings.EqualFold(c.name, word) && (arg == "" || c.args != "" || slashed) {
			c.run(h, v, arg)
			return
		}
	}
	if slashed {
		v.say("There is no command " + word + ". Type help for the list.")
		return
	}
	h.say(v, line)
}

func (h *Hall) help(v *visitor, _ string) {
	for _, c := range commands() {
		v.say(fmt.Sprintf("  %-12s %s", c.name+" "+c.args, c.help))
	}
}

func (h *Hall) say(v *visitor, text string) {
	if text == "" {
		v.say("Say what?")
		return
	}
	if h.tell(v, v.name+": "+text) == 0 {
		v.say("Only the walls heard that: " + h.company())
	}
}

func (h *Hall) who(v *visitor, _ string) {
	v.say("You are " + v.name + ". " + h.company())
}

func (h *Hall) rename(v *visitor, name string) {
	if err := checkName(name); err != nil {
		v.say("You are still " + v.name + ": " + err.Error() + ".")
		return
	}
	h.mu.Lock()
	old, taken := v.name, h.takenLocked(name) && !strings.EqualFold(name, v.name)
	if !taken {
		v.name = name
		h.tellLocked(v, "* "+old+" is now "+name+".")
	}
	h.mu.Unlock()
	if taken {
		v.say("You are still " + old + ": somebody here is called " + name + ".")
		return
	}
	v.say("You are " + name + " now.")
}

func (h *Hall) dice(v *visitor, _ string) {
	thrown := fmt.Sprintf("rolled %d and %d.", h.roll(6)+1, h.roll(6)+1)
	h.tell(v, "* "+v.name+" "+thrown)
	v.say("You " + thrown)
}

func (h *Hall) guess(v *visitor, arg string) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > maxSecret {
		v.say(fmt.Sprintf("I think of a number from 1 to %d, the same for all. Try: guess 50", maxSecret))
		return
	}
	secret, tries := h.try(n)
	switch {
	case n < secret:
		v.say(fmt.Sprintf("It is higher than %d.", n))
	case n > secret:
		v.say(fmt.Sprintf("It is lower than %d.", n))
	default:
		found := fmt.Sprintf("found it: %d, after a total of %d. I think of another.", n, tries)
		h.tell(v, "* "+v.name+" "+found)
		v.say("You " + found)
	}
}

// try counts a guess and returns the number it was held against; the right
// guess makes the hall forget it, so that only one visitor finds it.
func (h *Hall) try(n int) (secret, tries int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.secret == 0 {
		h.secret, h.tries = h.roll(maxSecret)+1, 0
	}
	h.tries++
	secret, tries = h.secret, h.tries
	if n == secret {
		h.secret = 0
	}
	return secret, tries
}

func (h *Hall) draw(v *visitor, what string) {
	if what == "" {
		what = pictures[h.roll(len(pictures))].name
	}
	art, ok := picture(what)
	if !ok {
		v.say("I can draw: " + strings.Join(pictureNames(), ", ") + ".")
		return
	}
	v.show(art, drawPace)
}

func (h *Hall) clock(v *visitor, _ string) {
	select {
	case v.wind <- struct{}{}:
	default: // about to start anyway
	}
}

// burst goes out no faster than the visitor reads.
func (h *Hall) burst(v *visitor, arg string) {
	kb, err := strconv.Atoi(arg)
	if err != nil || kb < 1 || kb > maxBurst {
		v.say(fmt.Sprintf("How many kilobytes, 1 to %d? Try: burst 64", maxBurst))
		return
	}
	block := strings.Repeat(burstLine, 1024/len(burstLine))
	for range kb {
		if !v.write(block) {
			return
		}
	}
	v.say(fmt.Sprintf("That was %d KB.", kb))
}

func (h *Hall) bye(v *visitor, _ string) { v.leaving = true }
