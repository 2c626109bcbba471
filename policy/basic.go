package policy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	maxCredentials = 1024 // bytes of a user name and password
	maxKnown       = 1024 // pairs found right that are remembered
)

// basic is BasicHTTPAuth (RFC 7617).
type basic struct {
	users func() (users, error)
	slots chan struct{} // hashes computed at once: they are slow on purpose
	known known
}

// users is a password list: from source itself, or from a file.
type users struct {
	byName map[string]hash
	all    []hash
}

func openBasic(source string, log *slog.Logger) (Authenticator, error) {
	b := &basic{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	rand.Read(b.known.key[:])
	info, err := os.Stat(source)
	if err == nil && info.Mode().IsRegular() || filepath.IsAbs(source) || !strings.Contains(source, ":") {
		return b, b.useFile(source, log)
	}
	list, err := parsePairs(source)
	b.users = func() (users, error) { return list, nil }
	return b, err
}

func (b *basic) useFile(source string, log *slog.Logger) error {
	path, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	said := &remarks{log: log}
	file := &watched[users]{path: path, now: time.Now, parse: func(files []content) (users, error) {
		list, wrong := parseUsers(files)
		said.say(wrong)
		return list, nil
	}}
	b.users = file.get
	list, err := file.get()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("the source is neither a file that is there nor user:password")
	case err == nil && len(list.all) == 0:
		return errors.New("the file has no user in it: make one with htpasswd -B")
	}
	return err
}

// parsePairs reads user:password lines, in which every other byte counts.
func parsePairs(source string) (users, error) {
	list := users{byName: map[string]hash{}}
	for line := range strings.SplitSeq(source, "\n") {
		name, password, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if name == "" && !ok {
			continue
		}
		if !ok || !list.add(name, parsePair(password)) {
			return users{}, errors.New("a user has no password, no name, or was there before: write user:password")
		}
	}
	return list, nil
}

// parseUsers reads htpasswd files. Of two lines for one user the first counts,
// as Apache has it. No remark quotes a line.
func parseUsers(files []content) (users, []remark) {
	list := users{byName: map[string]hash{}}
	var wrong []remark
	for _, file := range files {
		wrong = append(wrong, file.unread()...)
		for n, line := range file.lines {
			name, text, _ := strings.Cut(line, ":")
			h, err := parseHash(text)
			if err == nil && !list.add(name, h) {
				err = errors.New("the user was there before, or has no name")
			}
			if err != nil {
				wrong = append(wrong, remark{file.path, n, "the line is left out: " + err.Error()})
			}
		}
	}
	return list, wrong
}

// add takes a user, unless there is one of that name, or no name.
func (u *users) add(name string, h hash) bool {
	if _, again := u.byName[name]; again || name == "" {
		return false
	}
	u.byName[name] = h
	u.all = append(u.all, h)
	return true
}

func (b *basic) Authenticate(r *http.Request) (string, error) {
	list, err := b.users()
	if err != nil {
		return "", err
	}
	if r.Header.Get("Authorization") == "" {
		return "", unauthorized("a user name and a password are needed", false)
	}
	name, password, ok := r.BasicAuth()
	if !ok || len(name)+len(password) > maxCredentials {
		return "", unauthorized("the credentials cannot be read", true)
	}
	right, err := b.check(r.Context(), list, name, password)
	if err != nil {
		return "", err
	}
	if !right {
		return "", unauthorized("the user name or the password is wrong", true)
	}
	return name, nil
}

// check takes as long for a user who is not there as for one who is: it
// computes somebody else's hash, always the same one's for the same name.
func (b *basic) check(ctx context.Context, list users, name, password string) (bool, error) {
	h, exists := list.byName[name]
	if !exists {
		if len(list.all) == 0 {
			return false, nil
		}
		n := binary.BigEndian.Uint64(b.known.digest(name))
		h = list.all[n%uint64(len(list.all))]
	}
	pair := b.known.digest(name, password, h.text)
	if b.known.has(pair) && exists {
		return true, nil
	}
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return false, noAnswer(ctx, ctx.Err())
	}
	defer func() { <-b.slots }()
	right := h.matches(password)
	if !right || !exists {
		return false, nil
	}
	b.known.add(pair)
	return true, nil
}

// known are pairs that were found right, so that a page's hundred files cost
// one slow hash. A changed password has another hash, and is not known.
type known struct {
	key [32]byte

	mu    sync.Mutex
	pairs map[[32]byte]bool
}

// digest tells strings apart, and tells nobody without the key what they are.
func (k *known) digest(all ...string) []byte {
	mac := hmac.New(sha256.New, k.key[:])
	for _, s := range all {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		mac.Write(size[:])
		mac.Write([]byte(s))
	}
	return mac.Sum(nil)
}

func (k *known) has(pair []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pairs[[32]byte(pair)]
}

func (k *known) add(pair []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pairs == nil || len(k.pairs) >= maxKnown {
		k.pairs = map[[32]byte]bool{}
	}
	k.pairs[[32]byte(pair)] = true
}
