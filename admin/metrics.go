package admin

import (
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const maxScrapes = 4 // at a time

// newDial counts the times that targets took to be reached, or not.
func newDial() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "wsbridge_dial_seconds", Help: "Time to reach a target, or to fail to.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
}

// ObserveDial counts the time that a target took to be reached, or not. It
// costs some tens of nanoseconds, and is for any goroutine.
func (a *Admin) ObserveDial(d time.Duration) {
	a.once.Do(a.start)
	a.dial.Observe(d.Seconds())
}

// newHandshake counts the times that clients took to become sessions.
func newHandshake() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "wsbridge_handshake_seconds", Help: "Time of a handshake, by phase: tls, or upgrade from the request to the 101.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"phase"})
}

// ObserveHandshake counts the time of a handshake's phase, of which there are
// few. It is for any goroutine.
func (a *Admin) ObserveHandshake(phase string, d time.Duration) {
	a.once.Do(a.start)
	a.handshake.WithLabelValues(phase).Observe(d.Seconds())
}

// newRegistry has all metrics there are.
func (a *Admin) newRegistry() *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "wsbridge_build_info", Help: "1, with what was built.",
		ConstLabels: prometheus.Labels{"version": a.Version, "goversion": runtime.Version()},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newNumbers(a.Bridge, &a.reasons), a.dial, a.handshake, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if a.Hubs != nil {
		registry.MustRegister(newHubs(a.Hubs))
	}
	return registry
}

func (a *Admin) metrics() http.Handler {
	return promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(a.log().Handler(), slog.LevelError),
		MaxRequestsInFlight: maxScrapes,
	})
}

// numbers are the bridge's, taken when they are asked for.
type numbers struct {
	bridge  Bridge
	reasons *reasons

	active, draining, memory, rtt    *prometheus.Desc
	shedding                         *prometheus.Desc
	sessions, bytes, refused, closed *prometheus.Desc
}

func newNumbers(bridge Bridge, r *reasons) *numbers {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("wsbridge_"+name, help, labels, nil)
	}
	return &numbers{
		bridge: bridge, reasons: r,
		active:   desc("sessions_active", "Sessions that live now."),
		draining: desc("draining", "1: no new session is accepted any more."),
		shedding: desc("shedding", "For want of memory: 1, new sessions are refused; 2, idle ones are closed, too; 0, nothing."),
		memory:   desc("memory_bytes", "Memory that the process holds of the system's."),
		rtt:      desc("rtt_seconds", "Round trip to clients, of the given share of live sessions at most.", "share"),
		sessions: desc("sessions_total", "Sessions that were begun."),
		bytes:    desc("bytes_total", "Payload carried, by direction.", "direction"),
		refused:  desc("refused_total", "Refusals, by reason.", "reason"),
		closed:   desc("close_total", "Sessions that ended, by close code and who ended them.", "code", "who"),
	}
}

// Describe implements prometheus.Collector.
func (n *numbers) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{n.active, n.draining, n.shedding, n.memory, n.rtt, n.sessions, n.bytes, n.refused, n.closed} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (n *numbers) Collect(to chan<- prometheus.Metric) {
	totals := n.bridge.Totals()
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	live := n.bridge.Sessions()
	gauge(n.active, float64(len(live)))
	for share, rtt := range roundTrips(live) {
		to <- prometheus.MustNewConstMetric(n.rtt, prometheus.GaugeValue, rtt.Seconds(), share)
	}
	gauge(n.draining, oneIf(n.bridge.Draining()))
	gauge(n.shedding, float64(n.bridge.Shedding()))
	gauge(n.memory, float64(memory()))
	counter(n.sessions, totals.Sessions)
	counter(n.bytes, totals.ToTarget, "to_target")
	counter(n.bytes, totals.ToClient, "to_client")
	for reason, count := range n.reasons.bound(totals.Refused) {
		counter(n.refused, count, reason)
	}
	for how, count := range endings(totals.Closed) {
		counter(n.closed, count, how.code, how.who)
	}
}

// roundTrips are the times within which half of the sessions, nine of ten and 99
// of 100 are reached; none where no time is known.
func roundTrips(live []Session) map[string]time.Duration {
	var all []time.Duration
	for _, s := range live {
		if s.RTT > 0 {
			all = append(all, s.RTT)
		}
	}
	slices.Sort(all)
	at := map[string]time.Duration{}
	for share, percent := range map[string]int{"0.5": 50, "0.9": 90, "0.99": 99} {
		if len(all) > 0 {
			at[share] = all[(len(all)-1)*percent/100]
		}
	}
	return at
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
