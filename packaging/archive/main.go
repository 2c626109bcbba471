// Command archive writes a folder into an archive that is the same whenever
// and wherever it is made: names in order, owner 0, one time for all files.
//
//	archive OUT.tar.gz|OUT.zip FOLDER
//
// The time is SOURCE_DATE_EPOCH, in seconds, or 1980 where zip begins.
package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func run(args []string, epoch string) error {
	if len(args) != 2 {
		return errors.New("want the archive's name and a folder")
	}
	at, err := parseTime(epoch)
	if err != nil {
		return err
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	return errors.Join(write(out, args[0], args[1], at), out.Close())
}

func parseTime(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// archiver takes one file after the other.
type archiver interface {
	add(name string, mode fs.FileMode, content []byte) error
	Close() error
}

func write(to io.Writer, name, folder string, at time.Time) error {
	var a archiver
	switch {
	case strings.HasSuffix(name, ".tar.gz"):
		compressed, err := gzip.NewWriterLevel(to, gzip.BestCompression)
		if err != nil {
			return err
		}
		a = &tarball{tar.NewWriter(compressed), compressed, at}
	case strings.HasSuffix(name, ".zip"):
		a = &zipball{zip.NewWriter(to), at}
	default:
		return fmt.Errorf("%s: neither .tar.gz nor .zip", name)
	}
	return errors.Join(addFolder(a, folder), a.Close())
}

// addFolder adds the files of folder below its own name, in order.
func addFolder(a archiver, folder string) error {
	root := os.DirFS(folder)
	return fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return a.add(path.Join(filepath.Base(folder), name), modeOf(info), content)
	})
}

// modeOf knows two kinds of files, whatever the umask of who built them was.
func modeOf(info fs.FileInfo) fs.FileMode {
	if info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

type tarball struct {
	*tar.Writer
	compressed io.Closer
	at         time.Time
}

func (t *tarball) add(name string, mode fs.FileMode, content []byte) error {
	header := &tar.Header{Name: name, Mode: int64(mode), Size: int64(len(content)), ModTime: t.at, Format: tar.FormatUSTAR}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

func (t *tarball) Close() error {
	return errors.Join(t.Writer.Close(), t.compressed.Close())
}

type zipball struct {
	*zip.Writer
	at time.Time
}

func (z *zipball) add(name string, mode fs.FileMode, content []byte) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at}
	header.SetMode(mode)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
