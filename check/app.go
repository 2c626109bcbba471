package check

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/wsbridge/wsbridge/message"
)

// app is step 13: what was asked for with --send, --expect, --fme and
// --fme-admin.
func (v *visit) app(ctx context.Context) finding {
	var done []string
	data := map[string]any{}
	for _, probe := range []struct {
		name   string
		wanted bool
		do     func(context.Context) finding
	}{
		{"message", v.Send != "" || v.Expect != nil, v.talk},
		{"fme", v.FME != "", v.fme},
		{"fme_admin", v.FMEAdmin, v.fmeAdmin},
	} {
		if !probe.wanted {
			continue
		}
		f := probe.do(ctx)
		if f.data != nil {
			data[probe.name] = f.data
		}
		if f.status == Fail {
			return f.with(data)
		}
		done = append(done, f.detail)
	}
	if len(done) == 0 {
		return skip("not asked for: --send, --expect, --fme, --fme-admin")
	}
	return ok("%s", strings.Join(done, "; ")).with(data)
}

// asText tells whether Send goes as text: bridges take binary messages only.
func (v *visit) asText(subprotocol string) bool {
	return subprotocol != "binary" && utf8.ValidString(v.Send)
}

// talk sends what there is to send, and waits for what is expected, in what
// the server has said since the upgrade.
func (v *visit) talk(ctx context.Context) finding {
	s := v.session
	if v.Send != "" {
		if err := s.conn.Write(message.Message{Text: v.asText(s.subprotocol), Data: []byte(v.Send)}); err != nil {
			return fail("the message could not be sent: %v", s.reason(err))
		}
	}
	if v.Expect == nil {
		if _, err := s.ping(ctx, anything); err != nil {
			return fail("after the message: %v", err)
		}
		return ok("%d bytes were sent", len(v.Send))
	}
	for !v.Expect.Match(s.heard) {
		if _, err := s.next(ctx); timedOut(err) {
			return fail("nothing the server said matches %s: %q", v.Expect, s.heard[max(0, len(s.heard)-200):])
		} else if err != nil {
			return fail("nothing matched %s: %v", v.Expect, err)
		}
	}
	return ok("the server said what matches %s", v.Expect)
}
