//go:build linux

package main

import "context"

// bulk is one session that carries many bytes one way.
type bulk struct{ toTarget bool }

func (l bulk) unit() string     { return "CPU-s/GB" }
func (l bulk) wallUnit() string { return "MB/s" }

func (l bulk) title() string {
	if l.toTarget {
		return "client->target bulk"
	}
	return "target->client bulk"
}

func (l bulk) run(ctx context.Context, st *station, a amounts) (sample, error) {
	s, err := open(ctx, st, readSize)
	if err != nil {
		return sample{}, err
	}
	defer s.abandon()
	n := max(1, a.bulk/chunk) * chunk
	if err := l.carry(s, max(1, n/chunk/16)*chunk); err != nil { // warm up
		return sample{}, err
	}
	used, err := st.measured(func() error { return l.carry(s, n) })
	if err != nil {
		return sample{}, err
	}
	return sample{
		cost: used.cpu.Seconds() / (float64(n) / 1e9),
		wall: float64(n) / 1e6 / used.wall.Seconds(),
	}, s.close()
}

func (l bulk) carry(s *session, n int64) error {
	if l.toTarget {
		return s.upload(n)
	}
	return s.download(n)
}
