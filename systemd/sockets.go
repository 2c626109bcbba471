package systemd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	firstFD = 3    // SD_LISTEN_FDS_START
	mostFDs = 4096 // more than any unit can have
)

// readSockets takes over the descriptors that the variables speak of.
func readSockets(values map[string]string) (sockets []Socket, err error) {
	text := values["LISTEN_FDS"]
	if text == "" || values["LISTEN_PID"] == "" || !forUs(values["LISTEN_PID"]) {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > mostFDs {
		return nil, fmt.Errorf("LISTEN_FDS=%q in the environment is no number of sockets", text)
	}
	names := strings.Split(values["LISTEN_FDNAMES"], ":")
	for i := range n {
		name := "unknown" // sd_listen_fds_with_names(3)
		if len(names) == n && names[i] != "" {
			name = names[i]
		}
		closeOnExec(firstFD + i)
		sockets = append(sockets, Socket{name, os.NewFile(uintptr(firstFD+i), name)})
	}
	return sockets, nil
}
