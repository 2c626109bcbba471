package hub

// windowSize is how many sequence numbers of an origin are told apart.
const windowSize = 4096

// window remembers which of an origin's messages have come. A message for
// several groups comes once for each, and counts the first time.
type window struct {
	last uint64                  // the highest that came
	seen [windowSize / 64]uint64 // bits, by sequence modulo windowSize
	any  bool
}

// first tells whether n has not come before. What is older than the window
// counts as come: it could only arrive out of order.
func (w *window) first(n uint64) bool {
	switch {
	case !w.any:
		w.any, w.last = true, n
	case n > w.last:
		w.forget(n)
		w.last = n
	case w.last-n >= windowSize:
		return false
	}
	word, bit := &w.seen[n%windowSize/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// forget makes room for the numbers up to n.
func (w *window) forget(n uint64) {
	if n-w.last >= windowSize {
		clear(w.seen[:])
		return
	}
	for i := w.last + 1; i <= n; i++ {
		w.seen[i%windowSize/64] &^= 1 << (i % 64)
	}
}

// maxOrigins is how many processes are remembered.
const maxOrigins = 1024

// windows are those of the origins heard of late.
type windows struct {
	of    map[nodeID]*window
	older map[nodeID]*window // from before of was full
}

// first tells whether message n of the origin has not come before.
func (ws *windows) first(origin nodeID, n uint64) bool {
	w := ws.of[origin]
	if w == nil {
		if w = ws.older[origin]; w == nil {
			w = &window{}
		}
		if ws.of == nil || len(ws.of) >= maxOrigins/2 {
			ws.of, ws.older = map[nodeID]*window{}, ws.of
		}
		ws.of[origin] = w
	}
	return w.first(n)
}
