//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
)

// A crowd is as many members in one stream of a hub; in each round every one says
// so many messages, and hears all of everybody's. The hub may not drop one: all
// that is under way at once is less than a member's queue holds.
const (
	crowdSize  = 8
	perRound   = 8
	maxSaid    = 3000 // bytes of a message
	crowdGreet = "here"
)

// A member is one connection to the hub.
type member struct {
	*peer
	number int
	heard  []int                // how many messages of each member in this round
	round  [][]string           // what each member says in it
	sums   [crowdSize]hash.Hash // of what each member said, as it arrived here
}

// crowd has rounds of a hub's members until so many bytes have arrived.
func (r *rig) crowd(ctx context.Context, seed uint64, bytes int64, res *result) error {
	random := rand.New(newRandom(seed))
	words := newStream(seed+1, r.runes, 1<<62)
	var members []*member
	for i := range crowdSize {
		m, err := r.join(ctx, seed, i)
		if err != nil {
			return fmt.Errorf("member %d: %w", i, err)
		}
		defer m.conn.Close()
		defer r.add(m.peer)
		members = append(members, m)
	}
	res.sessions = crowdSize
	for round := 0; res.toClient < bytes; round++ {
		said, total := newRound(random, words)
		if err := meet(members, said); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		res.toTarget += total
		res.toClient += total * crowdSize
		r.done.Add(total * (1 + crowdSize))
	}
	all := sha256.New()
	for _, m := range members {
		all.Write(m.total())
	}
	res.sum = all.Sum(nil)
	return nil
}

// newRound is what each member is to say.
func newRound(random *rand.Rand, words *stream) (said [][]string, total int64) {
	for range crowdSize {
		var one []string
		for range perRound {
			text := string(words.whole(int(magnitude(random, maxSaid))))
			one = append(one, text)
			total += int64(len(text))
		}
		said = append(said, one)
	}
	return said, total
}

// meet has one round.
func meet(members []*member, said [][]string) error {
	results := make(chan error, 2*len(members))
	for _, m := range members {
		m.round, m.heard = said, make([]int, len(members))
		go func() { results <- m.tell(said[m.number]) }()
		go func() { results <- m.listen() }()
	}
	var err error
	for range 2 * len(members) {
		if one := <-results; one != nil && err == nil {
			err = one
			for _, m := range members {
				m.conn.Close() // the others wait in vain
			}
		}
	}
	return err
}

// join opens the stream, and waits until the hub has the member in it: it hears
// itself then.
func (r *rig) join(ctx context.Context, seed uint64, number int) (*member, error) {
	conn, err := r.way.dial(ctx, r, "")
	if err != nil {
		return nil, err
	}
	m := &member{number: number}
	for i := range m.sums {
		m.sums[i] = sha256.New()
	}
	m.peer = newPeer(newTalk(number, seed+uint64(number), 0), lively{conn}, toTarget, nil, nil)
	m.listener.sink = m
	if err := m.enter(r); err != nil {
		conn.Close()
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return m, nil
}

func (m *member) enter(r *rig) error {
	if !r.way.upgraded {
		request := newRequest(r.bridge.address, "", "", m.speaker)
		m.speaker.out = request.text()
		if err := m.speaker.flush(); err != nil {
			return err
		}
		if err := request.answered(m.listener.frames.r); err != nil {
			return err
		}
	}
	m.round, m.heard = nil, make([]int, 1)
	return errors.Join(
		m.send(map[string]any{"ws_op": "open", "ws_stream_id": "soak"}),
		m.send(map[string]any{"ws_op": "send", "ws_msg": crowdGreet}),
		m.listenFor(1))
}

// tell says a member's part of a round; each message says whose it is, and which.
func (m *member) tell(all []string) error {
	for i, text := range all {
		if err := m.send(map[string]any{"ws_op": "send", "ws_msg": mark(m.number, i) + text}); err != nil {
			return fmt.Errorf("member %d: %w", m.number, err)
		}
	}
	return nil
}

func mark(member, i int) string { return fmt.Sprintf("%02d %02d ", member, i) }

func (m *member) send(what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return errors.Join(m.speaker.message(opText, text), m.speaker.flush())
}

// listen hears a round.
func (m *member) listen() error {
	if err := m.listenFor(crowdSize * perRound); err != nil {
		return fmt.Errorf("member %d, after %v messages of each: %w", m.number, m.heard, err)
	}
	return nil
}

func (m *member) listenFor(n int) error {
	for heard := 0; heard < n; {
		f, err := m.listener.step()
		if err != nil {
			return err
		}
		if f.op == opClose {
			closing, err := readClosing(f.payload)
			return errors.Join(fmt.Errorf("closed with %v", closing), err)
		}
		if !f.control() && f.fin {
			heard = sumOf(m.heard)
		}
	}
	return nil
}

func sumOf(counts []int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// message is a sink's. Of each sender the next in order must come, but who sends
// before whom is open. Greetings of those who come later are none of a round's.
func (m *member) message(op byte, payload []byte) error {
	text := string(payload)
	if op != opText {
		return fmt.Errorf("a message of kind %d: %q", op, text)
	}
	if text == crowdGreet {
		if m.round == nil {
			m.heard[0]++
		}
		return nil
	}
	var from int
	if n, err := fmt.Sscanf(text, "%d ", &from); n != 1 || from < 0 || from >= len(m.round) {
		return fmt.Errorf("a message that nobody sent: %w: %q", err, text)
	}
	i := m.heard[from]
	if i >= perRound || text != mark(from, i)+m.round[from][i] {
		return fmt.Errorf("of member %d came %q, message %d was to be next", from, text[:min(len(text), 40)], i)
	}
	m.heard[from]++
	m.sums[from].Write(payload)
	return nil
}

// over and finish make a member a sink; a round tells by itself when it is over.
func (m *member) over() bool          { return false }
func (m *member) finish([]byte) error { return nil }

// total does not depend on who sent before whom.
func (m *member) total() []byte {
	all := sha256.New()
	for _, one := range m.sums {
		all.Write(one.Sum(nil))
	}
	return all.Sum(nil)
}
