package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// low makes every roll its lowest: the first bird, the first picture, ones.
func low(int) int { return 0 }

const welcome = `Welcome to the hall at the far end of the bridge.
You are avocet. Nobody else is here: connect a second time to meet yourself.
Type help for what there is to do, or just talk.
`

const alone = "Nobody else is here: connect a second time to meet yourself.\n"

func TestCommandsOfALoneVisitor(t *testing.T) {
	burst := strings.Repeat(burstLine, 2*1024/len(burstLine))
	bridge, _ := picture("bridge")
	tests := []struct{ typed, want string }{
		{"", ""},
		{"hello", "Only the walls heard that: " + alone},
		{"say dice", "Only the walls heard that: " + alone},
		{"say", "Say what?\n"},
		{"who", "You are avocet. " + alone},
		{"WHO", "You are avocet. " + alone},
		{"/who", "You are avocet. " + alone},
		{"who are you?", "Only the walls heard that: " + alone},
		{"/dance", "There is no command dance. Type help for the list.\n"},
		{"name", "You are still avocet: say which name, as in: name wren.\n"},
		{"name wren", "You are wren now.\n"},
		{"name Avocet", "You are Avocet now.\n"},
		{"name zwölf_12-x", "You are zwölf_12-x now.\n"},
		{"name a b", "You are still avocet: a name is made of letters, digits, - and _.\n"},
		{"name <b>", "You are still avocet: a name is made of letters, digits, - and _.\n"},
		{"name " + strings.Repeat("ö", 17), "You are still avocet: a name has at most 16 characters.\n"},
		{"dice", "You rolled 1 and 1.\n"},
		{"guess", "I think of a number from 1 to 100, the same for all. Try: guess 50\n"},
		{"guess 101", "I think of a number from 1 to 100, the same for all. Try: guess 50\n"},
		{"guess 7", "It is lower than 7.\n"},
		{"guess 1", "You found it: 1, after a total of 1. I think of another.\n"},
		{"draw", bridge},
		{"draw Bridge", bridge},
		{"draw breath", "I can draw: bridge, boat, lighthouse.\n"},
		{"burst 2", burst + "That was 2 KB.\n"},
		{"burst", "How many kilobytes, 1 to 1024? Try: burst 64\n"},
		{"burst 1025", "How many kilobytes, 1 to 1024? Try: burst 64\n"},
		{strings.Repeat("x", maxLine-1), "Only the walls heard that: " + alone},
		{strings.Repeat("x", maxLine), "That line was not used: it is longer than 1024 bytes.\n"},
		{strings.Repeat("x", 10*maxLine), "That line was not used: it is longer than 1024 bytes.\n"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.20s", tt.typed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				defer serve(t, &Hall{Roll: low}, p)()
				g := newGuest(t, p.dial())
				go io.WriteString(g.conn, tt.typed+"\nbye\n")
				got := g.rest()
				name := goodbyeName(tt.want)
				if diff := cmp.Diff(welcome+tt.want+"Goodbye, "+name+".\n", got); diff != "" {
					t.Errorf("transcript (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// goodbyeName is the name a visitor has after the answer "You are NAME now."
func goodbyeName(answer string) string {
	rest, renamed := strings.CutPrefix(answer, "You are ")
	name, now := strings.CutSuffix(rest, " now.\n")
	if renamed && now {
		return name
	}
	return "avocet"
}

func TestHelpListsEveryCommand(t *testing.T) {
	g := enter(t, listenTCP(t, &Hall{Roll: low}))
	g.says("help")
	for _, c := range commands() {
		if line := g.line(); !strings.HasPrefix(strings.TrimSpace(line), c.name) || !strings.HasSuffix(line, c.help) {
			t.Errorf("help says %q for %s", line, c.name)
		}
	}
}

func TestTwoVisitorsHearEachOther(t *testing.T) {
	address := listenTCP(t, &Hall{Roll: low})
	a := enter(t, address)
	b := enter(t, address)

	a.hears("* avocet-2 came in.")
	a.says("good morning")
	b.hears("avocet: good morning")
	b.says("name Avocet")
	b.hears("You are still avocet-2: somebody here is called Avocet.")
	b.says("name wren")
	b.hears("You are wren now.")
	b.says("who")
	b.hears("You are wren. 2 are here: avocet, wren.")
	b.says("dice")
	b.says("guess 1")
	a.hears("* avocet-2 is now wren.", "* wren rolled 1 and 1.",
		"* wren found it: 1, after a total of 1. I think of another.")
	b.says("bye")
	a.hears("* wren left.")
}

func TestNothingOddIsRelayed(t *testing.T) {
	tests := []struct{ name, said, heard string }{
		{"escape", "a\x1b[31mred", "a[31mred"},
		{"bell, nul and return", "a\ab\x00c\r", "abc"},
		{"cursor to line start", "a\rb", "ab"},
		{"c1 control", "a\u009bb", "ab"},
		{"right-to-left override", "a\u202eb", "ab"},
		{"line separator", "a\u2028b", "ab"},
		{"tab", "a\tb", "a b"},
		{"not UTF-8", "a\xff\xfeb", "a\uFFFDb"},
		{"other scripts", "žluť 日本 🙂", "žluť 日本 🙂"},
	}
	address := listenTCP(t, &Hall{Roll: low})
	a := enter(t, address)
	b := enter(t, address)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a.says(tt.said)
			b.hears("avocet: " + tt.heard)
		})
	}
}

func TestLongLineDoesNotEndTheVisit(t *testing.T) {
	g := enter(t, listenTCP(t, &Hall{Roll: low}))
	g.says(strings.Repeat("x", 100_000))
	g.hears("That line was not used: it is longer than 1024 bytes.")
	g.says("who")
	g.hears("You are avocet. " + strings.TrimSpace(alone))
}

func TestByeIsACleanEndThoughMoreWasSent(t *testing.T) {
	g := enter(t, listenTCP(t, &Hall{Roll: low}))
	g.says("bye\n" + strings.Repeat("and another thing\n", 1000))
	if got := g.rest(); got != "Goodbye, avocet.\n" {
		t.Errorf("after bye: %q", got)
	}
}

func TestHalfClosedInputIsStillAnswered(t *testing.T) {
	g := enter(t, listenTCP(t, &Hall{Roll: low}))
	io.WriteString(g.conn, "dice\nsay") // the last line unfinished
	g.conn.(*net.TCPConn).CloseWrite()
	if got, want := g.rest(), "You rolled 1 and 1.\nSay what?\nGoodbye, avocet.\n"; got != want {
		t.Errorf("answers to a half-closed connection: %q, want %q", got, want)
	}
}

func TestSlowVisitorIsDroppedAndBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer serve(t, &Hall{Roll: low}, p)()
		slow := newGuest(t, p.dial())
		slow.skip(3) // and reads nothing more
		a := newGuest(t, p.dial())
		a.skip(3)
		synctest.Wait() // one line is being written to slow, in vain
		for range queueLines + 1 {
			a.says("are you there?")
		}
		a.hears("* avocet left: too slow to listen.")
		a.says("who")
		a.hears("You are avocet-2. " + strings.TrimSpace(alone))
	})
}

func TestVisitorWhoNeverReadsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer serve(t, &Hall{Roll: low}, p)()
		a := newGuest(t, p.dial())
		a.skip(3)
		stuck := newGuest(t, p.dial())
		stuck.skip(3)
		stuck.says("burst 1024") // and does not read it
		a.hears("* avocet-2 came in.", "* avocet-2 left: too slow to listen.")
	})
}

func TestSilentVisitorIsToldAndSentHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer serve(t, &Hall{Roll: low}, p)()
		g := newGuest(t, p.dial())
		want := welcome + "You have been silent for 30m0s.\nGoodbye, avocet.\n"
		if diff := cmp.Diff(want, g.rest()); diff != "" {
			t.Errorf("transcript (-want +got):\n%s", diff)
		}
	})
}

func TestClockTicksFiveTimesAndTakesCommandsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer serve(t, &Hall{Roll: low}, p)()
		g := newGuest(t, p.dial())
		g.skip(3)
		start := time.Now()
		g.says("clock")
		tick := func(n int) string { return start.Add(time.Duration(n) * time.Second).Format(time.TimeOnly) }
		g.hears(tick(1), tick(2))
		g.says("dice")
		g.hears("You rolled 1 and 1.", tick(3), tick(4), tick(5))
		time.Sleep(time.Minute) // the clock of the bubble: no sixth tick comes
		g.says("bye")
		g.hears("Goodbye, avocet.")
	})
}

func TestFullHallSaysSo(t *testing.T) {
	address := listenTCP(t, &Hall{Visitors: 1, Roll: low})
	g := enter(t, address)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	late := newGuest(t, conn)
	if got, want := late.rest(), "The hall is full: it holds no more than 1. Please come back later.\n"; got != want {
		t.Errorf("second visitor of a hall for one: %q, want %q", got, want)
	}

	g.says("bye")
	g.hears("Goodbye, avocet.")
	g.conn.Close()
	for !letIn(t, address) { // the slot comes back once the hall has seen the end
	}
}

func letIn(t *testing.T, address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.HasPrefix(line, "Welcome")
}

func TestServeReportsAListenerClosedUnderIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := new(Hall).Serve(context.Background(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v, want net.ErrClosed", err)
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"hello\r\n", "\x1b[2J", "\xff\u202e\t", "日本"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := clean(raw)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("clean(%q) = %q, which is not printable text", raw, got)
		}
		if again := clean([]byte(got)); again != got {
			t.Errorf("clean(%q) = %q and, cleaned again, %q", raw, got, again)
		}
	})
}

func TestPicturesFitANarrowWindow(t *testing.T) {
	for _, p := range pictures {
		for line := range strings.Lines(p.art) {
			if text := strings.TrimSuffix(line, "\n"); len(text) > 38 || clean([]byte("|"+text+"|")) != "|"+text+"|" {
				t.Errorf("%s: line %q is too wide or not printable", p.name, text)
			}
		}
	}
}
