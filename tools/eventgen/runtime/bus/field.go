package bus

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
)

// FieldText returns the value of a field as text. The argument is the address of a field of type
// string, int32, int64, int, uuid.UUID, avrobin.UUID, time.Time, or jsonvalue.Date, Time or
// Duration, of a pointer to one of them, or of a jsonvalue.Optional of such a pointer. The result
// is "" for a value that is not set: nil or the zero value. An instant is in UTC.
func FieldText(field any) string {
	switch x := field.(type) {
	case *time.Time, *jsonvalue.Date, *jsonvalue.Time, *jsonvalue.Duration:
		return momentText(x)
	case **time.Time:
		return pointedText(*x)
	case **jsonvalue.Date:
		return pointedText(*x)
	case **jsonvalue.Time:
		return pointedText(*x)
	case **jsonvalue.Duration:
		return pointedText(*x)
	case *string:
		return *x
	case *int32:
		return integerText(*x)
	case *int64:
		return integerText(*x)
	case *int:
		return integerText(*x)
	case *uuid.UUID:
		if *x != uuid.Nil {
			return x.String()
		}
	case *avrobin.UUID:
		if *x != (avrobin.UUID{}) {
			return x.String()
		}
	case **string:
		return pointedText(*x)
	case **int32:
		return pointedText(*x)
	case **int64:
		return pointedText(*x)
	case **int:
		return pointedText(*x)
	case **uuid.UUID:
		return pointedText(*x)
	case **avrobin.UUID:
		return pointedText(*x)
	case *jsonvalue.Optional[*string]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*int32]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*int64]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*uuid.UUID]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*time.Time]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*jsonvalue.Date]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*jsonvalue.Time]:
		return pointedText(x.Value)
	case *jsonvalue.Optional[*jsonvalue.Duration]:
		return pointedText(x.Value)
	}
	return ""
}

// momentText returns the text of a date or time.
func momentText(field any) string {
	switch x := field.(type) {
	case *time.Time:
		if !x.IsZero() {
			return x.UTC().Format(time.RFC3339Nano)
		}
	case *jsonvalue.Date:
		if *x != (jsonvalue.Date{}) {
			return x.String()
		}
	case *jsonvalue.Time:
		return string(*x)
	case *jsonvalue.Duration:
		return string(*x)
	}
	return ""
}

func integerText[I ~int64 | ~int32 | ~int](i I) string {
	if i == 0 {
		return ""
	}
	return Decimal(i)
}

func pointedText[T any](p *T) string {
	if p == nil {
		return ""
	}
	return FieldText(p)
}

// SetFieldText sets a field of a type that FieldText accepts. Text that the field cannot hold is
// ignored.
func SetFieldText(field any, text string) {
	switch x := field.(type) {
	case *time.Time, *jsonvalue.Date, *jsonvalue.Time, *jsonvalue.Duration:
		setMoment(x, text)
	case **time.Time:
		point(x, text)
	case **jsonvalue.Date:
		point(x, text)
	case **jsonvalue.Time:
		point(x, text)
	case **jsonvalue.Duration:
		point(x, text)
	case *string:
		*x = text
	case *int32:
		setInteger(x, text, 32)
	case *int64:
		setInteger(x, text, 64)
	case *int:
		setInteger(x, text, 64)
	case *uuid.UUID:
		if u, err := uuid.Parse(text); err == nil {
			*x = u
		}
	case *avrobin.UUID:
		if u, err := avrobin.ParseUUID(text); err == nil {
			*x = u
		}
	case **string:
		point(x, text)
	case **int32:
		point(x, text)
	case **int64:
		point(x, text)
	case **int:
		point(x, text)
	case **uuid.UUID:
		point(x, text)
	case **avrobin.UUID:
		point(x, text)
	case *jsonvalue.Optional[*string]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*int32]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*int64]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*uuid.UUID]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*time.Time]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*jsonvalue.Date]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*jsonvalue.Time]:
		x.Set = point(&x.Value, text) || x.Set
	case *jsonvalue.Optional[*jsonvalue.Duration]:
		x.Set = point(&x.Value, text) || x.Set
	}
}

// setMoment sets a date or time. Text of a time of day or of a duration is checked when the payload
// is.
func setMoment(field any, text string) {
	switch x := field.(type) {
	case *time.Time:
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			*x = t
		}
	case *jsonvalue.Date:
		if d, err := jsonvalue.ParseDate(text); err == nil {
			*x = d
		}
	case *jsonvalue.Time:
		*x = jsonvalue.Time(text)
	case *jsonvalue.Duration:
		*x = jsonvalue.Duration(text)
	}
}

func setInteger[I ~int64 | ~int32 | ~int](to *I, text string, bits int) {
	if i, err := strconv.ParseInt(text, 10, bits); err == nil {
		*to = I(i)
	}
}

// point sets a pointer to a new value with the text, and reports whether the value can hold it.
func point[T any](p **T, text string) bool {
	v := new(T)
	SetFieldText(v, text)
	if FieldText(v) == "" {
		return false
	}
	*p = v
	return true
}

// Own sets a pointer to a copy of its value, or to a new value if it is nil, so that the value can
// be changed without changing that of the caller.
func Own[T any](p **T) {
	v := new(T)
	if *p != nil {
		*v = **p
	}
	*p = v
}
