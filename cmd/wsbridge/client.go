package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/target"
)

// serverFlags are the options of commands that are clients of a WebSocket
// server. They are called as wscat calls them.
type serverFlags struct {
	tls          target.TLSOptions
	headers      []string
	auth         string
	origin       string
	subprotocols []string
	proxy        string
	proxyGiven   bool
}

func (f *serverFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.tls.CAFile, "ca", "", "trust these authorities, in `F`, and no others")
	flags.StringVar(&f.tls.CertFile, "cert", "", "show this client certificate, in `F`")
	flags.StringVar(&f.tls.KeyFile, "key", "", "its key, in `F`; default: in the same file")
	flags.BoolVarP(&f.tls.Insecure, "no-check", "n", false, "take any certificate: who is in between can read and change everything")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "send a header, `name:value`, or those in @FILE, one a line; may be repeated")
	flags.StringVar(&f.auth, "auth", "", "log in as `user:password` (Basic), or as the first line of @FILE says")
	flags.StringVarP(&f.origin, "origin", "o", "", "send this Origin `URL`, as browsers send that of their page")
	flags.StringArrayVarP(&f.subprotocols, "subprotocol", "s", nil, "offer a subprotocol, `NAME`, as it is written; may be repeated")
	flags.StringVar(&f.proxy, "proxy", "", "go through the HTTP proxy `URL`; default: what http_proxy, https_proxy and no_proxy say; empty: none")
	for _, name := range []string{"header", "auth", "origin", "subprotocol", "proxy"} {
		completeChoices(cmd, name, "")
	}
}

// reader puts off reading the URL.
func (f *serverFlags) reader(text string, timeout time.Duration) func() (target.WebSocket, error) {
	return func() (target.WebSocket, error) { return f.server(text, timeout) }
}

// server reads a URL as the flags have it. timeout bounds each dial.
func (f *serverFlags) server(text string, timeout time.Duration) (target.WebSocket, error) {
	config, err := f.tls.Load()
	if err != nil {
		return target.WebSocket{}, err
	}
	w, err := target.ParseWebSocket(text, target.Options{Timeout: timeout, TLS: config})
	if err != nil {
		return w, err
	}
	if err := f.setHeader(&w); err != nil {
		return w, err
	}
	w.Subprotocols = f.subprotocols
	return f.throughProxy(w)
}

func (f *serverFlags) setHeader(w *target.WebSocket) error {
	h := w.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if f.origin != "" {
		h.Set("Origin", f.origin)
	}
	if err := f.logIn(h); err != nil {
		return err
	}
	lines, err := f.headerLines()
	if err != nil {
		return err
	}
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fmt.Errorf("header %d has no colon: write -H name:value", i+1) // it may be a secret
		}
		if strings.EqualFold(name, "host") {
			w.Host = strings.TrimSpace(value)
			continue
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	w.Header = h
	return nil
}

func (f *serverFlags) logIn(h http.Header) error {
	words, file := strings.CutPrefix(f.auth, "@")
	if file {
		lines, err := secretLines(words)
		if err != nil {
			return err
		}
		words = strings.Join(lines[:min(len(lines), 1)], "")
		if !strings.Contains(words, ":") {
			return fmt.Errorf("the first line of %s is not user:password", f.auth[1:])
		}
	}
	if words != "" {
		h.Set("Authorization", "Basic "+basic(words))
	}
	return nil
}

// headerLines are the headers of the command line and of the files named there.
func (f *serverFlags) headerLines() (all []string, err error) {
	for _, header := range f.headers {
		path, file := strings.CutPrefix(header, "@")
		if !file {
			all = append(all, header)
			continue
		}
		lines, err := secretLines(path)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

// secretLines are the lines of a file that say something.
func secretLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("%s has more than 64 KiB: it is no file of headers", path)
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" }), err
}

func basic(userPassword string) string {
	request := http.Request{Header: http.Header{}}
	user, password, _ := strings.Cut(userPassword, ":")
	request.SetBasicAuth(user, password)
	return strings.TrimPrefix(request.Header.Get("Authorization"), "Basic ")
}

func (f *serverFlags) throughProxy(w target.WebSocket) (target.WebSocket, error) {
	proxy, err := f.proxyFor(w)
	if err != nil || proxy == nil {
		return w, err
	}
	return w.Through(proxy)
}

// proxyFor is --proxy, or the environment's, which never leads to this machine
// itself, nor to a unix socket.
func (f *serverFlags) proxyFor(w target.WebSocket) (*url.URL, error) {
	if f.proxyGiven {
		return parseProxy(f.proxy)
	}
	scheme, over := "http", w.Over
	if secure, ok := over.(target.TLS); ok {
		scheme, over = "https", secure.Over
	}
	tcp, ok := over.(target.TCP)
	if !ok {
		return nil, nil
	}
	return http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: tcp.Address}})
}

func parseProxy(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	proxy, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the proxy is not a URL: write http://host:port") // it may hold a password
	}
	return proxy, nil
}

// seconds is a flag of time, 10 or 1m30s.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }
func (s *seconds) Type() string   { return "SECONDS" }

// Set takes up to a day, and no less than nothing.
func (s *seconds) Set(text string) error {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 24*time.Hour {
		return &config.UsageError{Msg: fmt.Sprintf("%q is not a time from 0 to a day", text)}
	}
	*s = seconds(d)
	return nil
}
