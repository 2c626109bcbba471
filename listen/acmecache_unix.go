//go:build unix

package listen

import (
	"errors"
	"os"
)

// keepsSecrets tells what is wrong with a folder for keys: others could put
// theirs there. The keys in it are files that only their owner reads.
func keepsSecrets(folder string) error {
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		return reason(err)
	case info.Mode().Perm()&0o022 != 0:
		return errors.New("can be written to by others: chmod 700 it")
	}
	return nil
}
