package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/demo"
	"github.com/wsbridge/wsbridge/listen"
	"github.com/wsbridge/wsbridge/target"
	demopage "github.com/wsbridge/wsbridge/web/demo"
	"github.com/wsbridge/wsbridge/web/pages"
)

const (
	demoPort  = "6080"
	demoDrain = 3 * time.Second // after Ctrl-C
)

func demoCommand() *cobra.Command {
	var option string
	cmd := &cobra.Command{
		Use:   "demo [[addr:]port]",
		Short: "Try it: a bridge to a service of its own, with a page to talk to it",
		Long: `Start a bridge in front of a small service that is built in, and serve a page
that talks to the service through the bridge. It listens on 127.0.0.1, port
` + demoPort + `, unless told otherwise; :` + demoPort + ` is all addresses, port 0 one that is free.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := demoAddress(option, args)
			if err != nil {
				return err
			}
			return runDemo(cmd.Context(), address, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&option, "listen", "", "the same as the argument: where to listen, `[addr:]port`")
	completeChoices(cmd, "listen", "")
	return cmd
}

// demoAddress reads where to listen. Unlike the bridge's, a port alone means
// loopback: a demo is for the person who typed it.
func demoAddress(option string, args []string) (listen.Address, error) {
	text := demoPort
	switch {
	case option != "" && len(args) > 0:
		return listen.Address{}, &config.UsageError{Msg: "two places to listen on",
			Hint: "write one: wsbridge demo " + args[0]}
	case option != "":
		text = option
	case len(args) > 0:
		text = args[0]
	}
	if !strings.Contains(text, ":") {
		text = "127.0.0.1:" + text
	}
	address, err := listen.Parse(text)
	if err != nil {
		return listen.Address{}, &config.UsageError{Msg: "listen " + err.Error()}
	}
	return address, nil
}

// runDemo serves until a signal or the end of ctx. The service ends after the
// bridge, so that no session sees its target go first.
func runDemo(ctx context.Context, address listen.Address, stderr io.Writer) error {
	front, err := address.Listen(ctx)
	if err != nil {
		return &failure{&config.UsageError{Msg: err.Error(),
			Hint: "choose another port: wsbridge demo 8080; 0 takes one that is free"}}
	}
	back, err := listen.Address{Host: "127.0.0.1"}.Listen(ctx)
	if err != nil {
		front.Close()
		return &failure{err}
	}
	s, err := demoService(front, back.Addr(), stderr)
	if err != nil {
		return err
	}
	defer s.close()

	hallCtx, closeHall := context.WithCancel(context.WithoutCancel(ctx))
	var hall sync.WaitGroup
	hall.Go(func() { s.serveHall(hallCtx, back) })
	defer hall.Wait()
	defer closeHall()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	printDemo(stderr, front.Addr(), back.Addr())
	return s.serve(ctx, signals)
}

func demoService(front net.Listener, hall net.Addr, stderr io.Writer) (*service, error) {
	c := &config.Config{DrainTimeout: demoDrain}
	out, err := openLog(c, stderr)
	if err != nil {
		return nil, err
	}
	s := newBareService(c, out)
	s.listeners = []net.Listener{front}
	to := target.TCP{Address: hall.String()}
	s.server = &bridge.Server{
		Rules: bridge.Rules{Route: routeTo(to), Handler: demoPages()},
		Log:   s.log,
	}
	return s, nil
}

// demoPages is the demo's own page, and the built-in ones below pages/.
func demoPages() http.Handler {
	hall := []pages.Offer{{Name: "the hall", About: "the demo's service, line by line", Path: "../", Kinds: []string{"line", "terminal"}}}
	builtIn := pages.New(pages.Options{Offers: func(*http.Request) []pages.Offer { return hall }})
	mux := http.NewServeMux()
	mux.Handle("/", demopage.Handler())
	mux.Handle("/pages/", http.StripPrefix("/pages", builtIn))
	return mux
}

func (s *service) serveHall(ctx context.Context, l net.Listener) {
	if err := new(demo.Hall).Serve(ctx, l); err != nil {
		s.log.Error("the demo's service failed", "err", err)
	}
}

// printDemo says where the page is, who can open it, and how to end it all.
func printDemo(w io.Writer, front, hall net.Addr) {
	url, who := demoURL(front)
	fmt.Fprintf(w, "Open %s in a browser, best in two tabs. %s can.\n", url, who)
	fmt.Fprintf(w, "More pages, a terminal among them: %spages/\n", url)
	fmt.Fprintf(w, "Behind the bridge is a plain TCP service: nc %s\n", strings.Replace(hall.String(), ":", " ", 1))
	fmt.Fprintln(w, "Ctrl-C stops both.")
}

func demoURL(front net.Addr) (url, who string) {
	who = "Whoever reaches this machine"
	host, port, _ := net.SplitHostPort(front.String()) // an Addr of TCP always splits
	switch ip := net.ParseIP(host); {
	case ip.IsUnspecified():
		host = "localhost"
	case ip.IsLoopback():
		who = "Only this machine"
	}
	return "http://" + net.JoinHostPort(host, port) + "/", who
}
