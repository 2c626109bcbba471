package ticket

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a Store that bridges share, and that outlives them. While it does
// not answer, nobody is let in.
type Redis struct {
	Client redis.UniversalClient // closed by who opened it
	Prefix string                // of all keys
}

// Spend is Store's. The value says whose it is: a client that tries again, after
// an answer that was lost, is not to be told that somebody was here before.
func (s Redis) Spend(ctx context.Context, id string, _, until time.Time) error {
	key, mine := s.Prefix+"ticket:spent:"+id, rand.Text()
	fresh, err := s.Client.SetNX(ctx, key, mine, left(until)).Result()
	if err != nil {
		return unknown(err)
	}
	if fresh {
		return nil
	}
	whose, err := s.Client.Get(ctx, key).Result()
	switch {
	case err != nil && !errors.Is(err, redis.Nil):
		return unknown(err)
	case whose != mine:
		return errUsed
	}
	return nil
}

// Keep is Store's.
func (s Redis) Keep(ctx context.Context, id string, value []byte, until time.Time) error {
	if err := s.Client.Set(ctx, s.Prefix+"ticket:kept:"+id, value, left(until)).Err(); err != nil {
		return unknown(err)
	}
	return nil
}

// Find is Store's.
func (s Redis) Find(ctx context.Context, id string) ([]byte, error) {
	value, err := s.Client.Get(ctx, s.Prefix+"ticket:kept:"+id).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, errNoPass
	case err != nil:
		return nil, unknown(err)
	}
	return value, nil
}

// left is the time to then. What is over already is remembered all the same: to
// Redis none means for ever.
func left(until time.Time) time.Duration { return max(time.Until(until), time.Second) }

func unknown(cause error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Reason: reasonUnknown, Cause: cause}
}
