package wrap_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wsbridge/wsbridge/wrap"
)

// A main that wraps a program, which believes that it serves port 2023, until
// it ends.
func Example() {
	if status, child := wrap.Child(); child {
		os.Exit(status)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := wrap.Start(ctx, wrap.Options{Command: []string{"telnetd", "-debug", "2023"}, Port: 2023})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Stop(ctx)
	conn, err := p.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	<-p.Done()
}
