package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads metrics as Prometheus does, those whose name begins with prefix.
// A histogram is its count and its sum.
func scrape(t *testing.T, url, prefix string) map[string]float64 {
	t.Helper()
	said := ask(t, "GET", url+"/metrics")
	if said.status != 200 {
		t.Fatalf("%d %s", said.status, said.body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(said.body))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			if strings.HasPrefix(name, prefix) {
				values(all, name, m)
			}
		}
	}
	return all
}

func values(all map[string]float64, name string, m *dto.Metric) {
	for _, label := range m.GetLabel() {
		name += fmt.Sprintf(" %s=%s", label.GetName(), label.GetValue())
	}
	if h := m.GetHistogram(); h != nil {
		all[name+" count"], all[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
		return
	}
	all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

func TestMetricsAreWhatTheBridgeDid(t *testing.T) {
	bridge := busy()
	a := &Admin{Bridge: bridge, Version: "1.2.3"}
	a.ObserveDial(time.Second)
	a.ObserveDial(2 * time.Second)
	url := start(t, a)
	got := scrape(t, url, "wsbridge_")
	for name, v := range got {
		if strings.HasPrefix(name, "wsbridge_memory_bytes") && v < 1<<20 {
			t.Errorf("%s %v", name, v)
		}
	}
	delete(got, "wsbridge_memory_bytes")
	for name := range got {
		if strings.HasPrefix(name, "wsbridge_build_info") && strings.Contains(name, "version=1.2.3") {
			delete(got, name)
		}
	}
	want := map[string]float64{
		"wsbridge_rtt_seconds share=0.5":                  0.008,
		"wsbridge_rtt_seconds share=0.9":                  0.008,
		"wsbridge_rtt_seconds share=0.99":                 0.008,
		"wsbridge_sessions_active":                        2,
		"wsbridge_sessions_total":                         4,
		"wsbridge_draining":                               0,
		"wsbridge_shedding":                               0,
		"wsbridge_bytes_total direction=to_target":        111,
		"wsbridge_bytes_total direction=to_client":        2300,
		"wsbridge_refused_total reason=unknown token":     2,
		"wsbridge_refused_total reason=too many sessions": 1,
		"wsbridge_close_total code=1000 who=target":       1,
		"wsbridge_close_total code=4xxx who=client":       1,
		"wsbridge_dial_seconds count":                     2,
		"wsbridge_dial_seconds sum":                       3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	bridge.drain()
	bridge.shed(2)
	bridge.end("a1", 1001, "bridge")
	got = scrape(t, url, "wsbridge_")
	for name, want := range map[string]float64{
		"wsbridge_draining": 1, "wsbridge_shedding": 2, "wsbridge_sessions_active": 1, "wsbridge_close_total code=1001 who=bridge": 1,
	} {
		if got[name] != want {
			t.Errorf("%s %v, want %v", name, got[name], want)
		}
	}
}

// What Prometheus's own linter finds wrong, its users would.
func TestMetricsPassTheLinter(t *testing.T) {
	url := start(t, &Admin{Bridge: busy()})
	said := ask(t, "GET", url+"/metrics", "Accept-Encoding: identity").body
	for _, must := range []string{"wsbridge_sessions_active 2\n", "\ngo_goroutines ", "\nprocess_start_time_seconds "} {
		if !strings.Contains(said, must) {
			t.Errorf("no %q", must)
		}
	}
	problems, err := promlint.New(strings.NewReader(said)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Peers invent reasons and codes without end: metrics stay few, their sums
// right, and none falls.
func TestLabelsStayFew(t *testing.T) {
	bridge := newFake()
	url := start(t, &Admin{Bridge: bridge})
	bridge.refuse("too many sessions")
	before := scrape(t, url, "wsbridge_refused")
	for i := range 1000 {
		bridge.refuse(fmt.Sprintf("%d seconds too early", i))
		bridge.refuse(fmt.Sprintf("%s\xff\n%d", strings.Repeat("ä", 1000), i))
	}
	bridge.mu.Lock()
	for code := range 70000 {
		bridge.totals.Closed[CloseKey{code, "client"}]++
	}
	bridge.totals.Closed[CloseKey{1000, "mallory"}]++
	bridge.mu.Unlock()
	after := scrape(t, url, "wsbridge_refused")
	if len(after) > maxReasons+1 {
		t.Errorf("%d reasons", len(after))
	}
	if got := sum(after); got != 2001 {
		t.Errorf("refusals %v, want 2001", got)
	}
	closed := scrape(t, url, "wsbridge_close")
	if len(closed) > 20 || sum(closed) != 70001 {
		t.Errorf("%d kinds of endings, %v in all: %v", len(closed), sum(closed), slices.Sorted(maps.Keys(closed)))
	}
	bridge.refuse("0 is before all others")
	for _, now := range []map[string]float64{after, scrape(t, url, "wsbridge_refused")} {
		for name, n := range before {
			if now[name] < n {
				t.Errorf("%s fell from %v to %v", name, n, now[name])
			}
		}
		before = now
	}
}

func sum(all map[string]float64) (n float64) {
	for _, v := range all {
		n += v
	}
	return n
}

func TestCodeLabel(t *testing.T) {
	for code, want := range map[int]string{
		-1: "other", 0: "1005", 1: "other", 999: "other", 1000: "1000", 1006: "1006", 1015: "1015", 1016: "other",
		2999: "other", 3000: "3xxx", 3999: "3xxx", 4000: "4xxx", 4999: "4xxx", 5000: "other", 1 << 40: "other",
	} {
		if got := codeLabel(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}
