package admin

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	maxReasons = 64
	maxReason  = 120 // bytes
	other      = "other"
)

// reasons bounds the reasons that have a number of their own: some of them may
// have come from a peer. Who has one keeps it, so that no counter ever falls.
type reasons struct {
	mu    sync.Mutex
	known map[string]bool
}

// bound sums what is too much under "other".
func (rs *reasons) bound(counts map[string]int64) map[string]int64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.known == nil {
		rs.known = map[string]bool{}
	}
	out := map[string]int64{}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		out[rs.name(reason)] += counts[reason]
	}
	return out
}

// name is what a reason is counted under. It needs mu.
func (rs *reasons) name(reason string) string {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	if len(rs.known) < maxReasons {
		rs.known[reason] = true
	}
	if !rs.known[reason] {
		return other
	}
	return reason
}

// closing are the labels of an ending.
type closing struct{ code, who string }

// endings sums endings by labels, of which there are few: clients may close
// with any of 2,000 codes.
func endings(closed map[CloseKey]int64) map[closing]int64 {
	out := map[closing]int64{}
	for how, n := range closed {
		out[closing{codeLabel(how.Code), whoLabel(how.By)}] += n
	}
	return out
}

// codeLabel keeps RFC 6455's codes apart, section 7.4.1, and has one label for
// each of the ranges of section 7.4.2. No code at all is 1005.
func codeLabel(code int) string {
	switch {
	case code == 0:
		return "1005"
	case code >= 1000 && code < 1016:
		return strconv.Itoa(code)
	case code >= 3000 && code < 4000:
		return "3xxx"
	case code >= 4000 && code < 5000:
		return "4xxx"
	}
	return other
}

func whoLabel(by string) string {
	switch by {
	case "client", "target", "bridge":
		return by
	}
	return other
}
