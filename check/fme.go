package check

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wsbridge/wsbridge/message"
)

// fmeFrame is a request to an FME hub, or an error of one.
type fmeFrame struct {
	Op      string   `json:"ws_op"`
	Streams []string `json:"ws_stream_ids,omitempty"`
	Message string   `json:"ws_msg,omitempty"`
	Code    string   `json:"ws_code,omitempty"`
}

func (f fmeFrame) text() []byte {
	text, _ := json.Marshal(f) // strings always can
	return text
}

// member is a connection to an FME hub.
type member struct{ *session }

func (v *visit) joinFME(ctx context.Context) (member, error) {
	up, err := v.asking().Dial(ctx)
	if err != nil {
		return member{}, err
	}
	return member{newSession(up, v.patience)}, nil
}

func (m member) say(f fmeFrame) error {
	return m.conn.Write(message.Message{Text: true, Data: f.text()})
}

// open opens streams, which a hub does not answer, and waits until it must
// have: it answers a ping behind it. An answer by data shows what else it is.
func (m member) open(ctx context.Context, streams ...string) error {
	f := fmeFrame{Op: "open", Streams: streams}
	if err := m.say(f); err != nil {
		return err
	}
	_, err := m.ping(ctx, func(got message.Message) error { return notHub(got.Data, f) })
	return err
}

// notHub is why got cannot come from a hub that was told f.
func notHub(got []byte, f fmeFrame) error {
	if string(got) == string(f.text()) {
		return errors.New("this is an echo server, not an FME hub: it sends back what it is sent")
	}
	return hubError(got)
}

// hubError is got, if it is a hub's way to say no.
func hubError(got []byte) error {
	var answer fmeFrame
	if json.Unmarshal(got, &answer) == nil && answer.Op == "error" {
		return fmt.Errorf("the hub answers %s: %s", answer.Code, answer.Message)
	}
	return nil
}

// fme relays a message over a stream of its own, of which nobody else knows:
// what is sent over FME, real clients would take for theirs.
func (v *visit) fme(ctx context.Context) finding {
	from, err := v.joinFME(ctx)
	if err != nil {
		return fail("a second connection: %v", err)
	}
	defer from.part()
	to, err := v.joinFME(ctx)
	if err != nil {
		return fail("a third connection: %v", err)
	}
	defer to.part()
	private := "wsbridge-check-" + rand.Text()
	if err := to.open(ctx, private, v.FME); err != nil {
		return fail("opening the streams %s and %s: %v", private, v.FME, err)
	}
	if err := from.open(ctx, private); err != nil {
		return fail("opening the stream %s: %v", private, err)
	}
	if err := relay(ctx, from, to); err != nil {
		return fail("a message over a stream: %v", err)
	}
	for _, m := range []member{from, to} {
		if err := m.say(fmeFrame{Op: "close"}); err != nil {
			return fail("leaving the streams: %v", err)
		}
	}
	return ok("stream %s was opened, and a message went over a private one", v.FME)
}

// relay wants exactly the text that was sent, without what it was wrapped in.
// Other messages may come on the stream that is not ours.
func relay(ctx context.Context, from, to member) error {
	f := fmeFrame{Op: "send", Message: `{"check":"` + rand.Text() + `"}`}
	if err := from.say(f); err != nil {
		return err
	}
	for {
		select {
		case m := <-from.mail: // some hubs let senders hear themselves
			if err := notHub(m.Data, f); err != nil {
				return err
			}
			continue
		case <-from.ended:
			return endOf(from.err)
		case <-from.pongs:
			continue
		case <-to.pongs:
			continue
		case <-to.ended:
			return endOf(to.err)
		case <-ctx.Done():
			return errors.New("it did not arrive: this is no FME hub, or its members do not hear each other")
		case m := <-to.mail:
			if string(m.Data) == f.Message {
				return nil
			}
			if err := notHub(m.Data, f); err != nil {
				return err
			}
		}
	}
}

// channels is an FME hub's answer to either admin request. Every number and
// truth in it is a string.
type channels struct {
	Number    *string   `json:"numchannels"`
	Streams   []stream  `json:"streams,omitempty"`
	Channels  []channel `json:"channels,omitempty"`
	Partial   string    `json:"partial,omitempty"`
	Truncated string    `json:"truncated,omitempty"`
}

type stream struct {
	Stream *string `json:"stream"`
	Number *string `json:"numchannels"`
}

type channel struct {
	Port     *string `json:"port"`
	Stream   *string `json:"stream"`
	Host     *string `json:"host"`
	Writable *string `json:"writable"`
}

// fmeAdmin makes both admin requests and holds the answers against their shape.
func (v *visit) fmeAdmin(ctx context.Context) finding {
	m, err := v.joinFME(ctx)
	if err != nil {
		return fail("a connection for admin requests: %v", err)
	}
	defer m.part()
	var numbers []string
	for _, request := range []struct {
		name string
		fits func(channels) error
	}{{"getnumchannels()", sumsUp}, {"getchannelinfo()", allTold}} {
		number, err := m.admin(ctx, request.name, request.fits)
		if err != nil {
			return fail("%s: %v", request.name, err)
		}
		numbers = append(numbers, number)
	}
	return ok("%s channels, %s described", numbers[0], numbers[1]).with(map[string]string{"getnumchannels": numbers[0], "getchannelinfo": numbers[1]})
}

func (m member) admin(ctx context.Context, name string, fits func(channels) error) (number string, err error) {
	f := fmeFrame{Op: "admin", Message: name}
	if err := m.say(f); err != nil {
		return "", err
	}
	got, err := m.next(ctx)
	if timedOut(err) {
		return "", errors.New("no answer: this is no FME hub, or admin requests are not for everyone")
	} else if err != nil {
		return "", err
	}
	if err := notHub(got.Data, f); err != nil {
		return "", err
	}
	return readChannels(got.Data, fits)
}

func readChannels(text []byte, fits func(channels) error) (number string, err error) {
	var c channels
	if err := json.Unmarshal(text, &c); err != nil {
		return "", fmt.Errorf("the answer is not of this shape: %w", err)
	}
	if _, err := count(c.Number, "numchannels"); err != nil {
		return "", err
	}
	return *c.Number, fits(c)
}

// count is a number in a string.
func count(s *string, key string) (int, error) {
	if s == nil {
		return 0, fmt.Errorf("the answer has no %s", key)
	}
	n, err := strconv.ParseUint(*s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a number", key, *s)
	}
	return int(n), nil
}

// sumsUp is getnumchannels.
func sumsUp(c channels) error {
	if c.Streams == nil {
		return errors.New("the answer has no streams")
	}
	sum := 0
	for _, s := range c.Streams {
		n, err := count(s.Number, "numchannels of a stream")
		if err != nil || s.Stream == nil {
			return errors.Join(err, missing("stream", s.Stream))
		}
		sum += n
	}
	return c.agrees(sum)
}

// allTold is getchannelinfo.
func allTold(c channels) error {
	if c.Channels == nil {
		return errors.New("the answer has no channels")
	}
	for _, ch := range c.Channels {
		port, err := count(ch.Port, "port")
		if err := errors.Join(err, missing("stream", ch.Stream), missing("host", ch.Host), missing("writable", ch.Writable)); err != nil {
			return err
		}
		if port > 65535 || !slices.Contains([]string{"true", "false"}, *ch.Writable) {
			return fmt.Errorf("a channel has port %d and writable %q", port, *ch.Writable)
		}
	}
	return c.agrees(len(c.Channels))
}

func missing(key string, s *string) error {
	if s == nil {
		return fmt.Errorf("a part of the answer has no %s", key)
	}
	return nil
}

// agrees holds the total against n, unless the hub says that it is not all.
func (c channels) agrees(n int) error {
	if total, _ := count(c.Number, ""); total != n && c.Partial == "" && c.Truncated == "" {
		return fmt.Errorf("numchannels is %d, and there are %d", total, n)
	}
	return nil
}
