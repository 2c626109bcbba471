package admin

import (
	"encoding/json"
	"net/http"
)

// Reloaded is what came of a reload.
type Reloaded struct {
	Sessions int      `json:"sessions"` // live
	Refused  int      `json:"refused"`  // of them, that the new rules would not let in
	Kept     []string `json:"kept"`     // options that were changed, and only a restart changes
}

// reload answers when the new configuration is in force, or why it is not: 422.
func (a *Admin) reload(w http.ResponseWriter, r *http.Request) {
	if a.Reload == nil {
		say(w, http.StatusNotImplemented, "this bridge has no configuration to read again")
		return
	}
	a.log().Info("reload by the administrator", "client", r.RemoteAddr)
	done, err := a.Reload(r.Context())
	if err != nil {
		say(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if done.Kept == nil {
		done.Kept = []string{}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(done)
}
