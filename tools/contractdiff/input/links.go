package input

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links a path may lead through, as on Linux.
const maxLinks = 40

// maxFolders is how many symbolic links to folders are followed in a folder. Links that lead to
// each other in many ways would otherwise have more paths than can be read.
const maxFolders = 10_000

// resolved returns a path without its symbolic links, also if there is nothing at that path. The
// function link returns the target of a link, and reports whether a path is one. An absolute target
// is a path of the file system if it begins at the root of the machine.
func resolved(name string, fromRoot bool, link func(string) (string, bool)) (string, error) {
	at, rest := ".", path.Clean(name)
	for links := 0; rest != ""; {
		step, after, _ := strings.Cut(rest, "/")
		rest = after
		switch step {
		case "", ".":
			continue
		case "..":
			if at == "." && !fromRoot {
				return "", fs.ErrNotExist
			}
			at = path.Dir(at)
			continue
		}
		at = path.Join(at, step)
		target, is := link(at)
		if !is {
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many symbolic links", name)
		}
		at = path.Dir(at)
		if path.IsAbs(target) {
			if !fromRoot {
				return "", fs.ErrNotExist
			}
			at = "."
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// resolved returns the path of a file or a folder of the side without symbolic links.
func (s *Side) resolved(name string) (string, error) {
	return resolved(name, s.fromRoot, func(at string) (string, bool) {
		info, err := fs.Lstat(s.FS, at)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return "", false
		}
		target, err := fs.ReadLink(s.FS, at)
		return target, err == nil
	})
}

// walk calls a function for each file of a folder that may be a contract. Links to folders are
// followed, but for those to a folder that the walk is in.
func (s *Side) walk(visit func(at string) error) error {
	at, err := s.resolved(s.root)
	if err != nil {
		return err
	}
	w := &walker{side: s, visit: visit}
	return w.folder(s.root, at, nil)
}

type walker struct {
	side  *Side
	visit func(at string) error
	links int // to folders, followed so far
}

// folder walks a folder, whose path without links is physical. The way is the folders whose links
// led to it, without links too.
func (w *walker) folder(folder, physical string, way []string) error {
	return fs.WalkDir(w.side.FS, physical, func(from string, d fs.DirEntry, err error) error {
		at := path.Join(folder, strings.TrimPrefix(strings.TrimPrefix("/"+from, path.Join("/", physical)), "/"))
		skip := from != physical && isSkipped(path.Base(at))
		switch {
		case err != nil:
			return err
		case d.IsDir() && skip:
			return fs.SkipDir
		case d.IsDir():
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			return w.link(at, from, way)
		case d.Type()&submodule != 0 && w.side.absent != nil:
			if skip {
				return nil
			}
			return w.side.absent(at, true)
		}
		return w.file(at)
	})
}

func (w *walker) file(at string) error {
	if !mayBeContract(at) {
		return nil
	}
	return w.visit(at)
}

// link walks the folder that a link leads to, or visits the file. In its physical path no folder is
// a link.
func (w *walker) link(at, physical string, way []string) error {
	s := w.side
	to, err := s.resolved(physical)
	var info fs.FileInfo
	if err == nil {
		info, err = fs.Stat(s.FS, to)
	}
	switch {
	case s.absent != nil && (err != nil || info.Mode()&submodule != 0):
		if isSkipped(path.Base(at)) && !mayBeContract(at) {
			return nil
		}
		return s.absent(at, false)
	case err != nil || !info.IsDir():
		return w.file(at)
	case isSkipped(path.Base(at)):
		return nil
	}
	way = append(slices.Clip(way), path.Dir(physical))
	if slices.ContainsFunc(way, func(folder string) bool { return isBelow(folder, to) }) {
		return nil
	}
	if w.links++; w.links > maxFolders {
		return fmt.Errorf("%s: symbolic links lead to more than %d folders", s.Display(at), maxFolders)
	}
	return w.folder(at, to, way)
}

// isSkipped reports whether a name is that of a folder that has no contracts of its own.
func isSkipped(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains(skipped, name)
}

// isBelow reports whether a path is that of a folder, or of something in it.
func isBelow(name, folder string) bool {
	return folder == "." || strings.HasPrefix(name+"/", folder+"/")
}
