package compat

import (
	"fmt"
	"strings"
	"testing"
)

// alerts are six versions of one public schema: the forced photometry of the alerts of the Rubin
// Observatory, at 3.0, 5.0, 7.0, 7.3, 10.0 and 11.0 of lsst/alert_packet. Each has the shape of the
// public version, and its names are shortened. A field with a question mark may be null, which is
// its default. The namespace has the version, as there.
var alerts = []struct{ version, fields string }{
	{"v3_0", "id:long visit:long object:long midPoint:double filter:string ps:float psErr:float tot:float totErr:float"},
	{"v5_0", "id:long visit:long object:long midPointMjd:double band:string psf:float psfErr:float science:float scienceErr:float"},
	{"v7_0", "id:long object:long visit2:long detector:int psf?:float psfErr?:float x?:float y?:float flags?:long midPointMjd:double band?:string"},
	{"v7_3", "id:long object:long ra:double dec:double visit2:long detector:int psf?:float psfErr?:float midPointMjd:double band?:string"},
	{"v10_0", "id:long object:long ra:double dec:double visit2:long detector:int psf?:float psfErr?:float midPointMjd:double science?:float scienceErr?:float band?:string processed:double withdrawn?:double"},
	{"v11_0", "id:long object:long ra:double dec:double visit2:long detector:int psf?:float psfErr?:float midPointMjd:double science?:float scienceErr?:float band?:string processed:double withdrawn?:double"},
}

// alert returns the schema of a version, in a namespace.
func alert(namespace, fields string) string {
	var out []string
	for f := range strings.FieldsSeq(fields) {
		name, typ, _ := strings.Cut(f, ":")
		text := fmt.Sprintf(`{"name":%q,"type":%q}`, name, typ)
		if known, may := strings.CutSuffix(name, "?"); may {
			text = fmt.Sprintf(`{"name":%q,"type":["null",%q],"default":null}`, known, typ)
		}
		out = append(out, text)
	}
	return fmt.Sprintf(`{"type":"record","namespace":%q,"name":"Alert","fields":[%s]}`, namespace, strings.Join(out, ","))
}

// evolution is what each step of the alerts is, in both directions, as Apache's checker has it.
var evolution = []string{
	"READER_FIELD_MISSING_DEFAULT_VALUE | READER_FIELD_MISSING_DEFAULT_VALUE",
	"READER_FIELD_MISSING_DEFAULT_VALUE | READER_FIELD_MISSING_DEFAULT_VALUE TYPE_MISMATCH",
	"READER_FIELD_MISSING_DEFAULT_VALUE | COMPATIBLE",
	"READER_FIELD_MISSING_DEFAULT_VALUE | COMPATIBLE",
	"COMPATIBLE | COMPATIBLE",
}

// evolutions calls a function for every pair of versions, with the namespaces that they have and
// with one for all.
func evolutions(f func(name, reader, writer string)) {
	for i, a := range alerts {
		for j, b := range alerts {
			name := a.version + " reads " + b.version
			f(name, alert("lsst", a.fields), alert("lsst", b.fields))
			if i != j {
				f(name+", by namespace", alert("lsst."+a.version, a.fields), alert("lsst."+b.version, b.fields))
			}
		}
	}
}

// TestPublicEvolution compares Check with Apache's recorded answers for neighboring versions.
func TestPublicEvolution(t *testing.T) {
	for i := range len(alerts) - 1 {
		former, later := parsed(t, alert("lsst", alerts[i].fields)), parsed(t, alert("lsst", alerts[i+1].fields))
		if got := idsOf(Check(later, former)) + " | " + idsOf(Check(former, later)); got != evolution[i] {
			t.Errorf("%s to %s: %s, want %s", alerts[i].version, alerts[i+1].version, got, evolution[i])
		}
	}
}

// TestForeignPublic compares Check with Apache's answers for every pair of versions.
func TestForeignPublic(t *testing.T) {
	ask := startJava(t)
	n := 0
	evolutions(func(name, reader, writer string) {
		n++
		theirs := ask(reader, writer)
		if got := idsOf(Check(parsed(t, reader), parsed(t, writer))); theirs.Error != "" || got != theirs.ids() {
			t.Errorf("%s: got %s, want %s %s", name, got, theirs.ids(), theirs.Error)
		}
	})
	t.Logf("%d pairs", n)
	for i := range len(alerts) - 1 {
		former, later := alert("lsst", alerts[i].fields), alert("lsst", alerts[i+1].fields)
		if got := ask(later, former).ids() + " | " + ask(former, later).ids(); got != evolution[i] {
			t.Errorf("%s to %s: %s, want %s", alerts[i].version, alerts[i+1].version, got, evolution[i])
		}
	}
}
