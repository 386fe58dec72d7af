package billing

import (
	"cmp"
	"fmt"
	"time"
)

// Period is a billing period: a month of Europe/Paris. The zero value is before every month.
type Period struct {
	Year  int
	Month time.Month
}

// PeriodOf is the month that an instant lies in.
func PeriodOf(t time.Time, paris *time.Location) Period {
	t = t.In(paris)
	return Period{Year: t.Year(), Month: t.Month()}
}

// ParsePeriod reads YYYY-MM.
func ParsePeriod(s string) (Period, error) {
	t, err := time.Parse("2006-01", s)
	if err != nil {
		return Period{}, fmt.Errorf("period %q is not YYYY-MM", s)
	}
	return Period{Year: t.Year(), Month: t.Month()}, nil
}

// String is YYYY-MM.
func (p Period) String() string { return fmt.Sprintf("%04d-%02d", p.Year, int(p.Month)) }

// Before reports whether p is an earlier month than q.
func (p Period) Before(q Period) bool { return p.Compare(q) < 0 }

// Compare returns -1 if p is an earlier month than q, 0 if they are the same, and 1 if p is later.
func (p Period) Compare(q Period) int {
	return cmp.Or(cmp.Compare(p.Year, q.Year), cmp.Compare(p.Month, q.Month))
}

// Next is the month after p.
func (p Period) Next() Period {
	if p.Month == time.December {
		return Period{Year: p.Year + 1, Month: time.January}
	}
	return Period{Year: p.Year, Month: p.Month + 1}
}

// Previous is the month before p.
func (p Period) Previous() Period {
	if p.Month == time.January {
		return Period{Year: p.Year - 1, Month: time.December}
	}
	return Period{Year: p.Year, Month: p.Month - 1}
}

// End is the first instant after p, UTC.
func (p Period) End(paris *time.Location) time.Time {
	n := p.Next()
	return time.Date(n.Year, n.Month, 1, 0, 0, 0, 0, paris).UTC()
}
