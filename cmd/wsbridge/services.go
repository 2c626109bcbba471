package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/wsbridge/wsbridge/bridge"
	"github.com/wsbridge/wsbridge/gateway"
	"github.com/wsbridge/wsbridge/hub"
	"github.com/wsbridge/wsbridge/hub/fme"
	"github.com/wsbridge/wsbridge/message"
	"github.com/wsbridge/wsbridge/passthrough"
)

// admitter is a service of messages as a destination has it. The rooms behind
// it know nothing of the bridge: their words are put into its own here.
type admitter interface {
	bridge.Service
	fmt.Stringer
}

type gatewayRoute struct{ *gateway.Route }

func (g gatewayRoute) Admit(r *http.Request) (bridge.Visit, error) {
	visit, err := g.Route.Admit(r)
	if err == nil {
		return gatewayVisit{visit}, nil
	}
	var refusal *gateway.Refusal
	if errors.As(err, &refusal) {
		return nil, &bridge.Refusal{Status: refusal.Status, Reason: refusal.Reason}
	}
	return nil, err
}

type gatewayVisit struct{ *gateway.Visit }

func (v gatewayVisit) Serve(c *message.Conn) bridge.Ending {
	end := v.Visit.Serve(c)
	return bridge.Ending{By: end.By, Code: end.Code, Reason: end.Reason, Dial: end.Dial, Answer: end.Answer}
}

type hubService struct{ *fme.Service }

func (h hubService) Admit(r *http.Request) (bridge.Visit, error) {
	visit, err := h.Service.Admit(r)
	switch {
	case err == nil:
		return hubVisit{visit}, nil
	case errors.Is(err, hub.ErrFull):
		return nil, &bridge.Refusal{Status: http.StatusServiceUnavailable, Reason: err.Error()}
	}
	return nil, err
}

type hubVisit struct{ *fme.Visit }

func (v hubVisit) Serve(c *message.Conn) bridge.Ending {
	end := v.Visit.Serve(c)
	return bridge.Ending{By: end.By, Code: end.Code, Reason: end.Reason}
}

type relayed struct{ *passthrough.Target }

func (t relayed) Relay(w http.ResponseWriter, r *http.Request) bridge.Ending {
	out := t.Target.Relay(w, r)
	return bridge.Ending{By: out.By, Reason: out.Reason, Dial: out.Dial, ToTarget: out.ToTarget, ToClient: out.ToClient}
}

// known is a service whose client's name is known by now. Its visits use the
// generation they came under.
type known struct {
	admitter
	user string
	uses *uses
}

func (k known) Admit(r *http.Request) (bridge.Visit, error) {
	if !k.uses.hold() {
		return nil, errChanged
	}
	visit, err := k.admitter.Admit(r.WithContext(context.WithValue(r.Context(), userKey{}, k.user)))
	if err != nil {
		k.uses.release()
		return nil, err
	}
	return using{visit, k.uses}, nil
}

// using is a visit that is a use until it ends.
type using struct {
	bridge.Visit
	uses *uses
}

func (u using) Serve(c *message.Conn) bridge.Ending {
	defer u.uses.release()
	return u.Visit.Serve(c)
}

func (u using) Leave() {
	defer u.uses.release()
	u.Visit.Leave()
}

type userKey struct{}

// userOf is who policy found a request to be from.
func userOf(r *http.Request) string {
	user, _ := r.Context().Value(userKey{}).(string)
	return user
}
