package main

import (
	"io"
	"path/filepath"
	"testing"

	"github.com/wsbridge/wsbridge/config"
)

// TestAuthorityOverReloads: who asks the same of an authority shares what asks it,
// and the last to go closes it; other settings have another.
func TestAuthorityOverReloads(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "acme")
	read := func(name string) *config.Config {
		c, err := config.Parse([]string{"0", "localhost:5900", "--cert=", "--acme", name, "--acme-cache", cache}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	out, err := openLog(&config.Config{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s := newBareService(read("a.example"), out)
	next := func(name string) *authority {
		g, err := s.newGeneration(read(name))
		if err != nil {
			t.Fatal(err)
		}
		if old := s.current; old != nil {
			old.close()
		}
		s.current = g
		return g.acme
	}
	first := next("a.example")
	if again := next("a.example"); again != first || first.closed {
		t.Errorf("the same settings: shared %v, closed %v", again == first, first.closed)
	}
	if other := next("b.example"); other == first || !first.closed {
		t.Errorf("other settings: shared %v, closed %v", other == first, first.closed)
	}
	s.current.close()
	if !s.current.acme.closed {
		t.Error("the last one is not closed")
	}
}
