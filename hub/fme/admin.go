package fme

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wsbridge/wsbridge/hub"
)

// The answers, whose keys are in FME's order. Numbers and truths are texts.
type (
	streamCount struct {
		Stream      string `json:"stream"`
		NumChannels string `json:"numchannels"`
	}
	numChannels struct {
		NumChannels string        `json:"numchannels"`
		Streams     []streamCount `json:"streams"`
		Partial     string        `json:"partial,omitempty"`
		Truncated   string        `json:"truncated,omitempty"`
	}
	channel struct {
		Port     string `json:"port"`
		Stream   string `json:"stream"`
		Host     string `json:"host"`
		Writable string `json:"writable"`
	}
	channelInfo struct {
		NumChannels string    `json:"numchannels"`
		Channels    []channel `json:"channels"`
		Partial     string    `json:"partial,omitempty"`
		Truncated   string    `json:"truncated,omitempty"`
	}
)

// admin answers the client that asks, and it alone.
func (s *session) admin(q request) error {
	if !s.mayAdmin() {
		return &fault{forbidden, "you may not ask for the table of channels"}
	}
	if q.msg.kind == absent || q.msg.kind == nullKind {
		return &fault{missingField, "ws_msg is missing"}
	}
	var answer any
	switch command(q.msg) {
	case "getnumchannels()":
		answer = countsAnswer(s.service.Hub.Counts(context.Background()))
	case "getchannelinfo()":
		answer = channelsAnswer(s.service.Hub.Channels(context.Background()))
	default:
		return &fault{unknownAdmin, "ws_msg is getnumchannels() or getchannelinfo()"}
	}
	s.member.Tell(textMessage(answer))
	if len(s.member.Keys()) == 0 {
		s.unopened.Reset(s.idle())
	}
	return nil
}

func command(msg value) string {
	if msg.kind != stringKind {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(msg.text()), ";")))
}

func (s *session) mayAdmin() bool {
	switch s.service.Admin {
	case AdminLoopback:
		addr, err := netip.ParseAddr(s.host)
		return err == nil && addr.Unmap().IsLoopback()
	case AdminAuthenticated:
		return s.user != ""
	}
	return s.service.Admin == AdminAny
}

func countsAnswer(all hub.Survey) numChannels {
	answer := numChannels{strconv.Itoa(all.Total), []streamCount{}, flag(all.Partial), flag(all.Truncated)}
	for _, c := range all.Counts {
		answer.Streams = append(answer.Streams, streamCount{c.Group, strconv.Itoa(c.N)})
	}
	return answer
}

func channelsAnswer(all hub.Survey) channelInfo {
	answer := channelInfo{strconv.Itoa(all.Total), []channel{}, flag(all.Partial), flag(all.Truncated)}
	for _, c := range all.Channels {
		answer.Channels = append(answer.Channels, channel{c.Port, c.Group, c.Host, strconv.FormatBool(c.Writable)})
	}
	return answer
}

// flag is a key that is there only when it is true.
func flag(is bool) string {
	if is {
		return "true"
	}
	return ""
}
