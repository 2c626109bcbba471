package policy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisTokens is TokenRedis.
type redisTokens struct {
	client redis.UniversalClient
	prefix string // of keys: "" or "namespace:"
}

// silenceRedis: what goes wrong is in the errors. The library has its logger in a
// variable that its clients read without a lock: it is set before the first.
var silenceRedis = sync.OnceFunc(logging.Disable)

func openRedis(source string, _ *slog.Logger) (Lookup, error) {
	silenceRedis()
	client, namespace, err := newRedis(source)
	if err != nil {
		return nil, err
	}
	if namespace != "" {
		namespace += ":"
	}
	return &redisTokens{client, namespace}, nil
}

func (t *redisTokens) Close() error { return t.client.Close() }

func (t *redisTokens) Lookup(r *http.Request, token string) (Endpoint, error) {
	value, err := t.client.Get(r.Context(), t.prefix+token).Bytes()
	if errors.Is(err, redis.Nil) {
		return Endpoint{}, ErrNotFound
	}
	var e Endpoint
	if err == nil {
		e, err = parseAnswer(value)
	} else {
		err = noAnswer(r.Context(), err)
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("redis: %w", err)
	}
	return e, nil
}

func newRedis(source string) (redis.UniversalClient, string, error) {
	if strings.Contains(source, "://") {
		return newRedisURL(source)
	}
	options, namespace, err := parseRedis(source)
	if err != nil {
		return nil, "", err
	}
	return newSingle(options, nil), namespace, nil
}

// parseRedis reads websockify's host[:port[:db[:password[:namespace]]]].
func parseRedis(source string) (*redis.Options, string, error) {
	parts, err := fields(source, func(r rune) bool { return r == ':' })
	if err == nil && len(parts) > 5 {
		err = errors.New(`there are more than five parts: write host:port:db:password:namespace, and "..." around what has a colon`)
	}
	if err != nil {
		return nil, "", err
	}
	parts = append(parts, make([]string, 5-len(parts))...)
	for i, part := range parts[:4] {
		parts[i] = strings.TrimSpace(part)
	}
	host, port, db := parts[0], parts[1], parts[2]
	host, err = parseHost(host)
	if err != nil {
		return nil, "", errors.New("the host is missing or no name: write host:port:db:password:namespace, or redis://host")
	}
	if port == "" {
		port = "6379"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, "", errors.New("the port is no number from 1 to 65535: write host:port:db:password:namespace")
	}
	if db == "" {
		db = "0"
	}
	n, err := strconv.ParseUint(db, 10, 31)
	if err != nil {
		return nil, "", errors.New("the database is no number: write host:port:db:password:namespace")
	}
	return &redis.Options{Addr: net.JoinHostPort(host, port), DB: int(n), Password: parts[3]}, parts[4], nil
}

// newRedisURL does not hand on go-redis's errors: they quote the password.
func newRedisURL(source string) (redis.UniversalClient, string, error) {
	source, own, err := cutOptions(source, "namespace", "ca")
	if err != nil {
		return nil, "", err
	}
	roots, err := loadRoots(own.Get("ca"))
	if err != nil {
		return nil, "", err
	}
	u, err := url.Parse(source)
	if err != nil {
		return nil, "", errRedisURL
	}
	var client redis.UniversalClient
	switch q := u.Query(); {
	case q.Has("master_name"):
		client, err = newSentinel(source, roots)
	case q.Has("addr"):
		client, err = newCluster(source, roots)
	default:
		var options *redis.Options
		if options, err = redis.ParseURL(source); err == nil {
			client = newSingle(options, roots)
		}
	}
	if err != nil {
		return nil, "", errRedisURL
	}
	return client, own.Get("namespace"), nil
}

var errRedisURL = errors.New("the URL is not one of Redis: write redis://user:password@host:6379/0, rediss:// or unix:///path")

func newSingle(o *redis.Options, roots *x509.CertPool) redis.UniversalClient {
	o.ContextTimeoutEnabled, o.DisableIdentity, o.DialerRetries, o.MaxRetries = true, true, 1, 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	setRoots(o.TLSConfig, roots)
	return redis.NewClient(o)
}

func newSentinel(source string, roots *x509.CertPool) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(source)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	setRoots(o.TLSConfig, roots)
	return redis.NewFailoverClient(o), nil
}

func newCluster(source string, roots *x509.CertPool) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(source)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	setRoots(o.TLSConfig, roots)
	return redis.NewClusterClient(o), nil
}

// loadRoots reads the certificates of path; none for "".
func loadRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no PEM certificate in it", path)
	}
	return roots, nil
}

func setRoots(config *tls.Config, roots *x509.CertPool) {
	if config != nil && roots != nil {
		config.RootCAs = roots
	}
}
