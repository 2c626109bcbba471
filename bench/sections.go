//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A section is one table: some columns do some loads in one setting.
type section struct {
	title   string
	prefix  string // of every row's title
	costs   string // what the first table is headed; empty: CPU time and memory
	chart   string // file name without .svg
	draw    func(*table) string
	columns []column
	loads   []load

	tls      bool // on the client's side
	mixed    bool // TLS is there, and the loads' clients are plain
	kind     farEnd
	target   *target // of that kind; nil: none
	sessions int     // that every proxy is to be ready for; 0: its default
}

// A farEnd is what a section's proxies lead to.
type farEnd uint8

const (
	toBytes    farEnd = iota // a target that obeys commands
	toMessages               // a WebSocket server
	toNothing                // the process is the service itself
)

// A column is a proxy by the name that -only has for it.
type column struct {
	name  string
	proxy proxy
}

// columnNames are all there are, in the tables' order.
func columnNames() []string {
	return []string{"wsbridge", "pump", "base", "haproxy", "splice", "websockify", "other"}
}

// sections are the tables from top to bottom, with the columns asked for.
func (o options) sections(built *program, a amounts) []section {
	haproxies := []column{{"haproxy", &haproxy{title: "HAProxy"}}, {"splice", &haproxy{title: "HAProxy, splice", splice: true}}}
	old := []column{{"websockify", &websockify{title: "websockify", file: "websockify"}}, {"other", &websockify{title: "websockify (other)", file: o.websockify}}}
	webSocket := []column{
		{"haproxy", &haproxy{title: "HAProxy, mode http", http: true, webSocket: true}},
		{"haproxy", &haproxy{title: "HAProxy, mode tcp", webSocket: true}},
	}
	own := o.own(built, "")
	pump := column{"pump", &wsbridge{title: "wsbridge --pump " + o.pump, program: built, pump: o.pump}}
	plain := []column{own[0], pump, own[1]} // the others have one pump only
	descriptors := files()
	crowd := a.crowd(descriptors)
	all := []section{
		{title: "Plain TCP", chart: "plain", draw: bars, columns: slices.Concat(plain, haproxies, old), loads: allLoads()},
		{title: "TLS 1.3 on the client's side", prefix: "TLS ", chart: "tls", draw: bars, columns: slices.Concat(own, haproxies[:1], old), loads: allLoads(), tls: true},
		{title: "Growth", prefix: "growth: ", chart: "growth", draw: lines, columns: slices.Concat(plain, haproxies[:1]), loads: growthLoads(a, crowd), sessions: crowd},
		{title: "Growth, TLS", prefix: "growth: TLS ", columns: slices.Concat(own, haproxies[:1]), loads: []load{idle{of: crowd}}, tls: true, sessions: crowd},
		{title: "WebSocket to WebSocket", prefix: "gateway: ", chart: "gateway", draw: bars, columns: slices.Concat(o.own(built, "ws://"), webSocket), loads: gatewayLoads(a), kind: toMessages},
		{title: "Message hub", prefix: "hub: ", columns: o.own(built, "fme:"), loads: hubLoads(a), kind: toNothing, sessions: slices.Max(a.hub)},
		{title: "Others during an attack", prefix: "attack: ", costs: "99 % within, by that before the attack", columns: plain, loads: attackLoads(a, descriptors), tls: true, mixed: true},
	}
	for i := range all {
		all[i].columns = slices.DeleteFunc(all[i].columns, func(c column) bool { return !o.asked(c.name) })
	}
	return all
}

// own are the columns of this repository's program, with a target of that scheme.
func (o options) own(built *program, scheme string) []column {
	return []column{
		{"wsbridge", &wsbridge{title: "wsbridge", program: built, scheme: scheme}},
		{"base", &wsbridge{title: "wsbridge (base)", program: &program{file: o.base}, scheme: scheme}},
	}
}

// asked tells whether a column is wanted; three of them take a flag of their own.
func (o options) asked(name string) bool {
	given := map[string]string{"pump": o.pump, "base": o.base, "other": o.websockify}
	if value, optional := given[name]; optional && value == "" {
		return false
	}
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

// checkOnly says which word of -only is no column.
func (o options) checkOnly() error {
	for word := range strings.SplitSeq(o.only, ",") {
		if o.only != "" && !slices.Contains(columnNames(), word) {
			return fmt.Errorf("-only: %q is none of %s", word, strings.Join(columnNames(), ", "))
		}
	}
	return nil
}

// spareFiles is what a proxy and this program need besides their sessions.
const spareFiles = 60

// files is how many descriptors a process may have.
func files() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 1024
	}
	return int(min(r.Cur, 1<<20))
}

// crowd is how many sessions the largest rows have: each has two descriptors in the
// proxy, and its two ends are both in this program.
func (a amounts) crowd(files int) int { return max(a.idle+1, min(a.sessions, (files-spareFiles)/2)) }

// choose keeps the loads that -rows asks for, and drops sections that have none or
// nobody to do them.
func (p plan) choose(all []section) []section {
	for i := range all {
		s := &all[i]
		s.loads = slices.DeleteFunc(slices.Clone(s.loads), func(l load) bool {
			return p.rows != nil && !p.rows.MatchString(s.prefix+l.title())
		})
	}
	return slices.DeleteFunc(all, func(s section) bool { return len(s.loads) == 0 || len(s.columns) == 0 })
}

// prepare takes the proxies out that are not there, with a line of Markdown for each.
func prepare(ctx context.Context, sections []section) string {
	var missing []string
	for i := range sections {
		sections[i].columns = slices.DeleteFunc(sections[i].columns, func(c column) bool {
			err := c.proxy.prepare(ctx)
			if err != nil {
				missing = append(missing, fmt.Sprintf("- %s is left out: %v\n", c.proxy.name(), err))
			}
			return err != nil
		})
	}
	slices.SortFunc(missing, cmp.Compare[string])
	return strings.Join(slices.Compact(missing), "")
}
