//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A court has bridges and others judge the same speeches, and compares.
type court struct {
	speeches        []speech
	ask             func(s speech, judge string) verdict
	others, bridges map[string]string // what ask is told of a judge, by its name
	// words puts a bridge's verdict into words, and those it is compared with;
	// where it is not named that is verdict.ofBytes.
	words         map[string]func(verdict) string
	disagreements []disagreement
}

// A disagreement is one of the others among themselves. What a bridge then does is
// what at least one of them does.
type disagreement struct {
	over    string
	section string // of RFC 6455, or else what decides
	is      func(speech) bool
	ours    []string // ends
}

// sit hears all speeches.
func (c court) sit(t *testing.T) {
	t.Helper()
	verdicts := map[string][]verdict{}
	var judging sync.WaitGroup
	for _, judges := range []map[string]string{c.others, c.bridges} {
		for name, judge := range judges {
			own := make([]verdict, len(c.speeches))
			verdicts[name] = own
			c.hear(&judging, own, judge)
		}
	}
	judging.Wait()

	unused := slices.Clone(c.disagreements)
	wrong := 0
	for i, s := range c.speeches {
		of := map[string]verdict{}
		for name, all := range verdicts {
			of[name] = all[i]
		}
		if why := c.compare(s, of, &unused); why != "" && wrong < 20 {
			wrong++
			t.Errorf("%s: %s", s.name, why)
		}
	}
	for _, d := range unused {
		t.Errorf("%s: nobody disagrees", d.over)
	}
	t.Logf("%d speeches, %d judges", len(c.speeches), len(verdicts))
}

// hear has one judge say its own verdicts, on several speeches at once.
func (c court) hear(judging *sync.WaitGroup, own []verdict, judge string) {
	const atOnce = 8
	for first := range atOnce {
		judging.Go(func() {
			for i := first; i < len(own); i += atOnce {
				own[i] = c.ask(c.speeches[i], judge)
			}
		})
	}
}

// compare says what is wrong with the bridges' verdicts. Another that leaves
// without a Close, which it may (RFC 6455, 7.1.7), or the Close of which is lost
// because it leaves on unread bytes, has refused without saying why.
func (c court) compare(s speech, of map[string]verdict, unused *[]disagreement) string {
	for name := range c.bridges {
		words := c.words[name]
		if words == nil {
			words = verdict.ofBytes
		}
		theirs, refused := map[string]bool{}, false
		for other := range c.others {
			if of[other].end == dropped {
				refused = true
				continue
			}
			theirs[words(of[other])] = true
		}
		ours := words(of[name])
		switch {
		case !theirs[ours]:
			return name + " is alone" + allOf(of, words)
		case (len(theirs) > 1 || refused && of[name].end == accepted) && !c.settled(s, of[name].end, unused):
			return "what " + name + " does is not in the table" + allOf(of, words)
		}
	}
	return ""
}

// settled reports whether a disagreement over s is in the table, with this end.
func (c court) settled(s speech, end string, unused *[]disagreement) bool {
	for _, d := range c.disagreements {
		if d.is(s) && slices.Contains(d.ours, end) {
			*unused = slices.DeleteFunc(*unused, func(u disagreement) bool { return u.over == d.over })
			return true
		}
	}
	return false
}

func allOf(of map[string]verdict, words func(verdict) string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(of)) {
		fmt.Fprintf(&b, "\n%20s: %s", name, words(of[name]))
	}
	return b.String()
}
