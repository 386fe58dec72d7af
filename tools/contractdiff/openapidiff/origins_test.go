package openapidiff

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/deferpay/deferpay/tools/contractdiff/input"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// TestOriginsOfLibrary compares documents with what the library reads itself: our contracts, and
// the documents with which kin-openapi and oasdiff are tested.
func TestOriginsOfLibrary(t *testing.T) {
	dirs := []string{"../../../specs"}
	for module, dir := range map[string]string{"github.com/getkin/kin-openapi": "openapi3/testdata", "github.com/oasdiff/oasdiff": "data"} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, filepath.Join(strings.TrimSpace(string(out)), dir))
	}
	same, others, decoded := 0, 0, 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" {
				return err
			}
			switch equal, compared := readBoth(t, path, &decoded); {
			case !compared:
				others++
			case !equal:
				t.Errorf("%s is not read as the library reads it", path)
			default:
				same++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d documents are equal, %d of them decoded here; %d are left to the library", same, decoded, others)
	if same < 300 || decoded < 300 {
		t.Errorf("only %d documents were compared, and %d decoded", same, decoded)
	}
}

// readBoth reports whether a document that is not left to the library is read as the library does.
func readBoth(t *testing.T, path string, decoded *int) (equal, compared bool) {
	t.Helper()
	s, err := input.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimPrefix(filepath.ToSlash(abs), "/")
	r := s.Reader()
	root := r.Open(file, diag.Pos{})
	// Of JSON the library has no positions.
	if r.Err() != nil || root.Get("openapi") == nil || !plain(root, map[*source.Node]bool{}) || strings.HasPrefix(string(data), "{") {
		return false, false
	}
	theirs, theirErr := loader().LoadFromDataWithPath(data, &url.URL{Path: "/" + file})
	ours, err := read(s, file, root)
	if _, err := decode(newLoader(s), root, "/"+file, map[reflect.Type]*layout{}); err == nil {
		*decoded++
	}
	if err != nil || theirErr != nil {
		return (err != nil) == (theirErr != nil), true
	}
	clean(reflect.ValueOf(theirs), map[any]bool{})
	clean(reflect.ValueOf(ours.Spec), map[any]bool{})
	if d := first(reflect.ValueOf(theirs), reflect.ValueOf(ours.Spec), "", map[any]bool{}); d != "" {
		t.Log(d)
	}
	return reflect.DeepEqual(theirs, ours.Spec), true
}

func loader() *openapi3.Loader {
	l := openapi3.NewLoader()
	l.IncludeOrigin = true
	return l
}

// clean removes what findings do not need of positions: the ends of blocks, and the position of the
// document itself, which the library does not have.
func clean(v reflect.Value, seen map[any]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			if seen[v.Interface()] {
				return
			}
			seen[v.Interface()] = true
			if o, ok := v.Interface().(*openapi3.Origin); ok && o.Key != nil {
				o.Key.EndLine, o.Key.EndColumn = 0, 0
				return
			}
			if m := v.MethodByName("Map"); m.IsValid() && m.Type().NumIn() == 0 {
				clean(m.Call(nil)[0], seen)
			}
		}
		clean(v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clean(v.Field(i), seen)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			clean(v.MapIndex(k), seen)
		}
	case reflect.Slice:
		for i := range v.Len() {
			clean(v.Index(i), seen)
		}
	}
}

// first returns where two values differ, for the text of a failure.
func first(a, b reflect.Value, path string, seen map[any]bool) string {
	if a.IsValid() != b.IsValid() {
		return path + ": only one has it"
	}
	if !a.IsValid() {
		return ""
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return path + ": nil in one"
			}
			return ""
		}
		if a.Kind() == reflect.Pointer {
			if seen[a.Pointer()] {
				return ""
			}
			seen[a.Pointer()] = true
		}
		return first(a.Elem(), b.Elem(), path, seen)
	case reflect.Struct:
		for i := range a.NumField() {
			if d := first(a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name, seen); d != "" {
				return d
			}
		}
	case reflect.Map:
		for _, k := range a.MapKeys() {
			if d := first(a.MapIndex(k), b.MapIndex(k), path+"["+k.String()+"]", seen); d != "" {
				return d
			}
		}
		if a.Len() != b.Len() {
			return path + ": other number of members"
		}
	case reflect.Slice:
		if a.Len() != b.Len() {
			return path + ": other length"
		}
		for i := range a.Len() {
			if d := first(a.Index(i), b.Index(i), path+"[]", seen); d != "" {
				return d
			}
		}
	default:
		if !a.Equal(b) {
			return path + ": " + fmt.Sprint(a) + " is " + fmt.Sprint(b)
		}
	}
	return ""
}
