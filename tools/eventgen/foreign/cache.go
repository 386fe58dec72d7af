// Package foreign makes the clients of other languages that generated code is tested against. Tests of eventgen import it;
// nothing that is shipped does.
//
// What it fetches is kept in the folder DEFERPAY_CACHE names, or in deferpay in the user's cache folder, and fetched once.
package foreign

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cached gives the folder that fill made from a list of what is wanted; another list is another folder. A folder that has its
// name is complete: it is made aside and moved there at the end.
func cached(name string, list []byte, fill func(dir string) error) (string, error) {
	cache := os.Getenv("DEFERPAY_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder to keep downloads in, name one in DEFERPAY_CACHE: %w", err)
		}
		cache = filepath.Join(user, "deferpay")
	}
	sum := sha256.Sum256(list)
	dir := filepath.Join(cache, "foreign-"+name+"-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	aside, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	if err := fill(aside); err != nil {
		return "", err
	}
	if err := os.Rename(aside, dir); err != nil {
		if _, there := os.Stat(dir); there != nil { // nobody else was faster
			return "", err
		}
	}
	return dir, nil
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}
