//go:build linux

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A picture says all that its table does, and is well-formed.
func TestBars(t *testing.T) {
	picture := bars(&table{
		title: "Plain <TCP>", columns: []string{"a", "b", "c & d"}, reference: 1,
		rows: []*row{
			{bulk{}, []cell{cellOf(0.5), cellOf(1), cellOf(9)}},
			{idle{}, []cell{cellOf(3), {err: errors.New("out of order")}, cellOf(3)}},
			{connects{}, []cell{{err: errors.New("out of order")}, cellOf(2), cellOf(1)}},
		},
	})
	want := []string{
		"Plain <TCP>: cost, b = 1", "a", "b", "c & d",
		"target->client bulk", "0.50 (0.50 CPU-s/GB)", "1.00 (1.00 CPU-s/GB)", "9.00 (9.00 CPU-s/GB)",
		"memory per idle session",
		"connect + handshake + 1 echo + close", "1.00 (2.00 CPU-us)", "0.50 (1.00 CPU-us)",
	}
	if got := texts(t, picture); !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
	for _, width := range []string{`width="82.5"`, `width="165.0"`, `width="330.0"`} { // half, one, cut at two
		if !strings.Contains(picture, width) {
			t.Errorf("no bar with %s in\n%s", width, picture)
		}
	}
}

func TestLines(t *testing.T) {
	picture := lines(&table{
		title: "Growth", columns: []string{"a", "b"}, reference: 1,
		rows: []*row{
			{roundTrips{sessions: 1}, []cell{cellOf(10), cellOf(20)}},
			{roundTrips{sessions: 100}, []cell{cellOf(20), {err: errors.New("out of order")}}},
			{roundTrips{sessions: 10_000}, []cell{cellOf(20), cellOf(20)}},
			{idle{}, []cell{cellOf(3), cellOf(3)}},
		},
	})
	want := []string{"Growth: CPU-us for a round trip, by sessions", "a", "b", "0", "5.50", "11.0", "16.5", "22.0", "1", "100", "10000"}
	if got := texts(t, picture); !slices.Equal(got, want) {
		t.Errorf("it says %q, want %q", got, want)
	}
	if got := strings.Count(picture, `stroke-width="2.0"`); got != 3 {
		t.Errorf("%d pieces of line, want 2 of a and 1 of b:\n%s", got, picture)
	}
}

// texts are the words of a picture, from top to bottom of its source.
func texts(t *testing.T, picture string) []string {
	t.Helper()
	var all []string
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
		if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
			all = append(all, string(text))
		}
	}
}

// A table without HAProxy has no picture, and its page does not ask for one.
func TestSaveCharts(t *testing.T) {
	rows := []*row{{bulk{}, []cell{cellOf(1)}}}
	some := &table{title: "A", chart: "some", draw: bars, columns: []string{"HAProxy"}, rows: rows}
	none := &table{title: "B", chart: "none", draw: bars, columns: []string{"wsbridge"}, rows: rows, reference: -1}
	dir := filepath.Join(t.TempDir(), "charts")
	if err := saveCharts(dir, []*table{some, none}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "some.svg" {
		t.Errorf("files %v, error %v; want some.svg", files, err)
	}
	if !strings.Contains(some.markdown(), "![A](charts/some.svg)") || strings.Contains(none.markdown(), ".svg") {
		t.Errorf("the page does not show the picture that there is:\n%s%s", some.markdown(), none.markdown())
	}
}
