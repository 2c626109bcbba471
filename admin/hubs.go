package admin

import "github.com/prometheus/client_golang/prometheus"

// Hub is what a message hub has, and what it did since its start.
type Hub struct {
	Name             string // the configuration's, so there are few
	Members, Streams int
	In, Out          int64 // messages of members, and to them
	InBytes          int64
	OutBytes         int64
	Dropped          int64 // messages that slow members missed
	Slow             int64 // members disconnected for being slow
	Errors           map[string]int64
}

// hubs are the numbers of all hubs, taken when they are asked for.
type hubs struct {
	ask func() []Hub

	members, streams, messages, bytes, dropped, slow, errors *prometheus.Desc
}

func newHubs(ask func() []Hub) *hubs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("wsbridge_hub_"+name, help, append([]string{"hub"}, labels...), nil)
	}
	return &hubs{
		ask:      ask,
		members:  desc("connections", "Connections to the hub now."),
		streams:  desc("streams", "Streams that somebody has open."),
		messages: desc("messages_total", "Messages, by direction.", "direction"),
		bytes:    desc("bytes_total", "Payload of messages, by direction.", "direction"),
		dropped:  desc("dropped_total", "Messages that slow connections missed."),
		slow:     desc("slow_total", "Connections ended for being slow."),
		errors:   desc("errors_total", "What clients did wrong, by code.", "code"),
	}
}

// Describe implements prometheus.Collector.
func (h *hubs) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{h.members, h.streams, h.messages, h.bytes, h.dropped, h.slow, h.errors} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (h *hubs) Collect(to chan<- prometheus.Metric) {
	for _, hub := range h.ask() {
		gauge := func(d *prometheus.Desc, v int) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), hub.Name)
		}
		counter := func(d *prometheus.Desc, v int64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{hub.Name}, labels...)...)
		}
		gauge(h.members, hub.Members)
		gauge(h.streams, hub.Streams)
		counter(h.messages, hub.In, "in")
		counter(h.messages, hub.Out, "out")
		counter(h.bytes, hub.InBytes, "in")
		counter(h.bytes, hub.OutBytes, "out")
		counter(h.dropped, hub.Dropped)
		counter(h.slow, hub.Slow)
		for code, n := range hub.Errors {
			counter(h.errors, n, code)
		}
	}
}
